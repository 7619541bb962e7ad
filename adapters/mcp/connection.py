"""What the server knows of one connection, and how its handlers come by it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from claude_pool.domain.records import Actor

from ..origins import Origin
from .toolsets import DEFAULT_TOOLSETS


@dataclass(frozen=True, slots=True)
class Connection:
    """Who calls: on whose behalf, with which tools, and what keeps it from changing anything.

    `conflict` names the options that the caller wants otherwise than the pool's owner has them.
    `working_dir` is where its tasks run unless they say (None: where the pool's do). `accepted`, where
    there is one, gets the ids of the tasks and chains that it brings in.
    """

    actor: Actor = Actor.COORDINATOR
    toolsets: frozenset[str] = field(default=DEFAULT_TOOLSETS)
    conflict: str | None = None
    working_dir: str | None = None
    accepted: set[str] | None = field(default=None, compare=False)

    @property
    def origin(self) -> Origin:
        """Who sends what is called here: for one call."""
        return Origin(self.actor, accepted=self.accepted, call=[])


CURRENT: ContextVar[Connection] = ContextVar("connection", default=Connection())  # noqa: B039  # it is frozen
"""The connection that is being served, set around `Server.run`, whose lifespan hands it to the handlers."""
