"""An owner without threads, sockets and processes: what the service of a real one does with the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from claude_pool.domain import pool, slot
from claude_pool.domain.coordination import Command, decide
from claude_pool.domain.errors import PoolError, StoreError
from claude_pool.domain.policies import looks_again_after, next_command, next_wake
from claude_pool.domain.records import Event, Fact
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.world import World

Entry = tuple[int, str, int, Event]
"""Position, stream, version in it, event."""

MOST_REACTIONS = 2_000
"""Far more policy commands than any reaction of a small pool needs."""


class Log(Protocol):
    """Where an owner appends."""

    def opened(self) -> World:
        """The view of a new owner."""
        ...

    def last(self) -> int:
        """The time (ms) of the last append; 0: there is none."""
        ...

    def append(self, facts: Sequence[Fact], expected: Mapping[str, int], now: int, /) -> list[Entry]:
        """Take `facts`, whose streams are at the versions `expected`.

        Raises:
            StoreError: they could not be taken.
        """
        ...


class Clock(Protocol):
    """An owner's time."""

    def now(self) -> int:
        """See `System.now`."""
        ...

    def begin_after(self, recorded: int, /) -> int:
        """See `System.begin_after`."""
        ...


class Ended(Exception):
    """The owner cannot go on: what happened cannot be recorded, so it ends and the next one recovers."""


class Owner:
    """One life of an owner: the view it folded when it began, and its clock."""

    def __init__(
        self, log: Log, system: Clock, surroundings: Surroundings, most: int = MOST_REACTIONS
    ) -> None:
        """It reads the log. `listen` hears of each of its appends after the view has folded it.

        A reaction of more than `most` policy commands is taken for one without an end.
        """
        self.log = log
        self.system = system
        self.world = log.opened()
        system.begin_after(log.last())
        self.surroundings = surroundings
        self.listen: Callable[[Sequence[Fact]], None] = lambda _facts: None
        self.policies_on = False
        self.reacting = False
        self._most = most

    @property
    def now(self) -> int:
        """Its time, in ms."""
        return self.system.now()

    def tell(self, command: Command) -> list[Entry]:
        """Record what happened: what cannot be recorded ends the owner.

        Raises:
            PoolError: the core refuses it. Ended: the owner is gone.
        """
        facts = decide(command, self.world)
        try:
            return self._append(facts)
        except StoreError as error:
            raise Ended from error

    def ask(self, command: Command) -> list[Entry]:
        """What a caller wants.

        Raises:
            PoolError: it is refused, or cannot be recorded.
        """
        return self._append(decide(command, self.world))

    def _append(self, facts: Sequence[Fact]) -> list[Entry]:
        if not facts:
            return []
        expected = {fact.stream: self.world.versions.get(fact.stream, 0) for fact in facts}
        written = self.log.append(facts, expected, self.now)
        for entry in written:
            self.world.apply(*entry)
        self.listen(facts)
        return written

    def react(self) -> int | None:
        """Let the policies have their way; when (ms) the timer is to ring next.

        Raises:
            Ended: the owner is gone.
        """
        if not self.policies_on:
            return None
        command: Command | None = None
        for _ in range(self._most):
            command = next_command(self.world, self.surroundings, self.now)
            if command is None:
                wake, look = next_wake(self.world), looks_again_after(self.world)
                return (
                    wake if look is None else min(self.now + look, self.now + look if wake is None else wake)
                )
            self.reacting = True
            try:
                done = self.ask(command)
            except StoreError as error:
                raise Ended from error
            except PoolError as error:
                raise AssertionError(f"a policy asks for what is refused: {command}: {error}") from error
            finally:
                self.reacting = False
            assert done, f"a policy asks for what changes nothing: {command}"
        raise AssertionError(f"the policies do not come to rest: {command}")


def has_stopped(world: World) -> bool:
    """Whether an owner that is stopping may end."""
    done = (slot.Stopped, slot.Failed)
    at_rest = all(isinstance(at, done) and not at.card.housing.unkept for at in world.slots.values())
    at = world.pool
    return isinstance(at, pool.Open) and at.stopping is not None and at_rest
