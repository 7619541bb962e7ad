"""Clocks that stand still until a scenario says that time passes, or that somebody sets one of them."""

from __future__ import annotations

from claude_pool.adapters.system import RealSystem

NOON = 1_800_000_000_000
"""When every scenario begins, in milliseconds since the epoch."""


class StandingClock(RealSystem):
    """The real `System` over two clocks that only move when they are told to; ids are as random as ever."""

    def __init__(self, wall: int = NOON) -> None:
        """The wall clock shows `wall`."""
        self.wall = wall
        self._passed = 0
        super().__init__(lambda: self.wall, lambda: self._passed)

    def advance(self, milliseconds: int) -> None:
        """Let time pass, asleep or awake."""
        self.wall += milliseconds
        self._passed += milliseconds

    def set_wall(self, milliseconds: int) -> None:
        """Somebody sets the wall clock forward, or back."""
        self.wall += milliseconds
