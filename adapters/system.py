"""The clock and the ids: what the core never makes for itself."""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Callable
from typing import Protocol

BEHIND_MS = 5_000
"""A pool's time that lags behind the wall clock by more catches up, once nothing depends on it."""

MOST_AHEAD_MS = 86_400_000
"""A log whose last time is further ahead of the wall clock was written with a wrong one."""


class System(Protocol):
    """Time and fresh names."""

    def now(self) -> int:
        """Milliseconds since the Unix epoch, UTC. They never go back, and pass as fast as time does."""
        ...

    def begin_after(self, recorded: int) -> int:
        """Go on from the last time of a log, so that its times never fall; before the first `now`.

        Returns 0, or how far (ms) that time is ahead of the wall clock where that is more than a day: such
        a log was written with a wrong clock, which must not hold for ever, and its time is not gone on from.
        """
        ...

    def catch_up(self) -> None:
        """Set the time forward to the wall clock where it lags behind it.

        Only for moments when no deadline and no duration is being counted: it may be a jump.
        """
        ...

    def of_wall(self, moment: int) -> int:
        """The time (ms) that it is here when the wall clock, which others go by, shows `moment` (ms)."""
        ...

    def new_id(self, kind: str) -> str:
        """A fresh id: `kind`, `-`, and 16 lower-case base32 characters."""
        ...


class RealSystem:
    """The machine's clocks and randomness.

    The wall clock is read once; from there a steady clock counts, so that whoever sets the wall clock
    neither cuts deadlines short nor stretches them.
    """

    def __init__(
        self, wall: Callable[[], int] | None = None, steady: Callable[[], int] | None = None
    ) -> None:
        """The two clocks give milliseconds; by default they are the machine's."""
        self._wall = wall or wall_ms
        self._steady = steady or steady_ms
        self._began_at = self._wall()
        self._began = self._steady()

    def now(self) -> int:
        """See `System.now`."""
        return self._began_at + self._steady() - self._began

    def begin_after(self, recorded: int) -> int:
        """See `System.begin_after`."""
        ahead = recorded - self._wall()
        if ahead > MOST_AHEAD_MS:
            return ahead
        self._set_forward(recorded)
        return 0

    def catch_up(self) -> None:
        """See `System.catch_up`."""
        wall = self._wall()
        if wall - self.now() > BEHIND_MS:
            self._set_forward(wall)

    def of_wall(self, moment: int) -> int:
        """See `System.of_wall`."""
        return moment + self.now() - self._wall()

    def _set_forward(self, to: int) -> None:
        self._began_at += max(0, to - self.now())

    def new_id(self, kind: str) -> str:
        """See `System.new_id`."""
        return f"{kind}-{base64.b32encode(os.urandom(10)).decode().lower()}"


def wall_ms() -> int:
    """The wall clock, in milliseconds since the Unix epoch: what the times of files are told in."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds since some moment. They pass while the machine sleeps, where the system counts that."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000  # macOS: a sleep shows in the wall clock alone


def new_uuid() -> str:
    """A random UUID in lower case."""
    return str(uuid.uuid4())
