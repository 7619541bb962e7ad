"""Who sends a command and in the course of what: the thread that ties an event to the call it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from claude_pool.domain.causes import concerns
from claude_pool.domain.records import Actor, Fact
from claude_pool.domain.world import World


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sends a command and in the course of what: `correlation` names the outermost call.

    `accepted`, where there is one, gets the ids of the tasks and chains that the command brings in. `call`,
    where there is one, is shared by the commands of one call, which its first one names.
    """

    actor: Actor
    correlation: str | None = None
    cause: int | None = None
    accepted: set[str] | None = field(default=None, compare=False)
    call: list[str] | None = field(default=None, compare=False)

    @property
    def outside(self) -> bool:
        """Whether somebody asks from outside, who can be refused."""
        return self.actor in (Actor.COORDINATOR, Actor.SHELL)

    @property
    def must(self) -> bool:
        """Whether the facts have happened already: the owner cannot go on without them on record."""
        return self.actor in (Actor.SLOT, Actor.RECOVERY)


POLICY = Origin(Actor.POLICY)
CALLER = Origin(Actor.COORDINATOR)


class Threads:
    """Which call each live task and chain belongs to, and which event each live stream stood at last."""

    def __init__(self, correlations: dict[str, str] | None = None) -> None:
        """`correlations` are those of a snapshot."""
        self.correlations = {} if correlations is None else correlations
        self._positions: dict[str, int] = {}

    def correlation(self, facts: tuple[Fact, ...], origin: Origin, command_id: str) -> str:
        """The outermost call that the facts belong to: that of the first task or chain which they concern."""
        if origin.correlation is not None:
            return origin.correlation
        concerned = (concerns(fact.stream, fact.event) for fact in facts)
        known = (self.correlations.get(each) for each in concerned)
        call = origin.call[0] if origin.call else command_id
        return next((each for each in known if each is not None), call)

    def cause(self, facts: tuple[Fact, ...], origin: Origin, position: int) -> int | None:
        """The event that led to the facts: the one that is named, or that their stream stood at, or the last
        of all, at `position`. A caller's are caused from outside."""
        if origin.cause is not None or origin.outside:
            return origin.cause
        return self._positions.get(facts[0].stream) or position or None

    def follow(self, world: World, stream: str, correlation: str, position: int) -> None:
        """`world` has folded the event of `stream` at `position`."""
        if stream in world.versions:
            self._positions[stream] = position
        else:
            self._positions.pop(stream, None)
        if stream in world.tasks or stream in world.chains:
            self.correlations.setdefault(stream, correlation)
        else:
            self.correlations.pop(stream, None)
