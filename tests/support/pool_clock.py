"""A clock that stands still until a scenario says that time passes."""

from __future__ import annotations

from claude_pool.adapters.system import RealSystem

NOON = 1_800_000_000_000
"""When every scenario begins, in milliseconds since the epoch."""


class StandingClock(RealSystem):
    """A `System` whose time only moves when it is told to; ids are as random as ever."""

    def __init__(self) -> None:
        """It is noon."""
        self._now = NOON

    def now(self) -> int:
        """See `System.now`."""
        return self._now

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self._now += milliseconds
