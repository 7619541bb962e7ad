"""The log of a course: it keeps nothing but the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from claude_pool.domain.records import Fact
from claude_pool.domain.world import World

from .owner import Entry
from .sums import Sums


class Memory:
    """A log that keeps nothing: the view of a course outlives its owners."""

    def __init__(self, sums: Sums) -> None:
        """`sums` counts what is appended."""
        self.world = World()
        self._sums = sums
        self.position = 0
        self.versions: dict[str, int] = {}
        self._last = 0

    def opened(self) -> World:
        """The view of a new owner."""
        return self.world

    def last(self) -> int:
        """The time (ms) of the last append."""
        return self._last

    def append(self, facts: Sequence[Fact], _expected: Mapping[str, int], now: int, /) -> list[Entry]:
        """Take `facts`."""
        written: list[Entry] = []
        for fact in facts:
            version = self.versions[fact.stream] = self.versions.get(fact.stream, 0) + 1
            self.position += 1
            written.append((self.position, fact.stream, version, fact.event))
        self._last = now
        self._sums.take(now, facts)
        return written
