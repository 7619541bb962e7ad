"""What the parts of a course share: the record, its answers, the owner of the moment, and the agenda."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from .answers import Answers
from .changes import Changes
from .owner import Owner
from .record import Record


class Time:
    """The clock of a course."""

    def __init__(self) -> None:
        """It stands at 0."""
        self.ms = 0

    def now(self) -> int:
        """See `System.now`."""
        return self.ms

    def begin_after(self, _recorded: int, /) -> int:
        """See `System.begin_after`: it never went back."""
        return 0


class Scene:
    """One moment after another: `at` says what happens when, `owner` is whoever holds the pool then."""

    def __init__(self, record: Record, changes: Changes, answers: Answers) -> None:
        """`answers` says what an attempt comes to under the settings that `changes` gives the pool."""
        self.record = record
        self.changes = changes
        self.answers = answers
        self.time = Time()
        self.owner: Owner | None = None
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    @property
    def next(self) -> int | None:
        """When (ms) the next thing happens; None: nothing does."""
        return self._agenda[0][0] if self._agenda else None

    def at(self, ms: int, happens: Callable[[], None]) -> None:
        """Put something on the agenda; what is due already happens at this moment."""
        self._order += 1
        heappush(self._agenda, (max(ms, self.time.ms), self._order, happens))

    def go_on(self) -> None:
        """Let all happen that is due at the next moment."""
        now = self.time.ms = self._agenda[0][0]
        while self._agenda and self._agenda[0][0] == now:
            heappop(self._agenda)[2]()
