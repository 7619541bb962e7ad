"""A place in the log with the pool as it stood there; it goes forward by folding, and back to a copy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

from claude_pool.domain.ports import Replayed
from claude_pool.domain.records import Recorded
from claude_pool.domain.world import World

from .checkpoints import Checkpoints

WINDOW = 2_000
"""So many events before the place are at hand."""

_PIECE = 1_000
"""After so many events whoever waits is told how far it is."""

_FAR = 50_000
"""From so far away the view that the owner keeps is looked at first."""

_LOOKED_BACK = 10_000
"""Among so many events are those looked for that are to be shown, however few they are."""

_SHOWN = 200


class Source(Protocol):
    """A log, open for reading."""

    def events(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """Events with positions in (`after`, `until`], in order."""
        ...

    def facts(self, after: int = 0, until: int | None = None) -> Iterator[Replayed]:
        """The same, in the cheapest form that a fold can do with."""
        ...

    def end(self) -> int:
        """The position of the last event."""
        ...

    def snapshot(self, position: int) -> World | None:
        """The live view as it was kept at some event up to `position`, if it was; it is the caller's."""
        ...


Work = Generator[int, None, None]
"""Work that takes time. It yields the position that it has reached; to close it leaves nothing half done."""

Takes = Callable[[Recorded], bool]


class Cursor:
    """See the module. `world` is the pool after the event at `position`, `window` the last events up to it,
    and `shown` those of them, or of some before, that `takes` lets through."""

    def __init__(self, source: Source, until: int | None, takes: Takes) -> None:
        """Before the first event of `source`; nothing after `until` (None: the end) is ever looked at."""
        self.world = World()
        self.window: deque[Recorded] = deque(maxlen=WINDOW)
        self.shown: deque[Recorded] = deque(maxlen=_SHOWN)
        self._source = source
        self._until = until
        self._takes = takes
        self._ahead: Iterator[Recorded] | None = None
        self._next: Recorded | None = None
        self._kept = Checkpoints()

    @property
    def position(self) -> int:
        """That of the last event which was folded; 0 before the first."""
        return self.world.position

    @property
    def moment(self) -> int:
        """When (ms) that was recorded; 0 before the first."""
        return self.window[-1].meta.recorded_at if self.window else 0

    def end(self) -> int:
        """The last position there is now."""
        end = self._source.end()
        return end if self._until is None else min(end, self._until)

    def peek(self) -> Recorded | None:
        """The next event; None at the end, as long as there is none."""
        if self._next is None and self._ahead is not None:
            self._next = next(self._ahead, None)
        if self._next is None and self.position < self.end():
            self._ahead = self._source.events(self.position, self._until)
            self._next = next(self._ahead, None)
        return self._next

    def step(self) -> bool:
        """Fold the next event; whether there was one."""
        recorded = self.peek()
        if recorded is None:
            return False
        self._next = None
        self.world.apply(recorded.position, recorded.stream, recorded.version, recorded.event)
        self._kept.keep(self.world)
        self.window.append(recorded)
        if self._takes(recorded):
            self.shown.append(recorded)
        return True

    def seek(self, target: int) -> Work:
        """Go to a position, or to the nearest there is."""
        target = max(0, min(target, self.end()))
        self._ahead = self._next = None
        if target - max(self.position, self._kept.nearest(target)) > _FAR:
            snapshot = self._source.snapshot(target)
            if snapshot is not None:
                self._kept.keep(snapshot, always=True)
        try:
            yield from self._fold(target)
        finally:
            self._look_back()

    def find(self, wanted: Takes, *, forward: bool) -> Generator[int, None, int | None]:
        """The position of the next event, or of the one before, that is `wanted`; None: there is none."""
        for recorded in self._forward() if forward else self._backward():
            if wanted(recorded):
                return recorded.position
            if not recorded.position % _PIECE:
                yield recorded.position
        return None

    def show(self, takes: Takes) -> None:
        """Show other events from now on."""
        self._takes = takes
        self._look_back()

    def _fold(self, target: int) -> Work:
        nearest = self._kept.nearest(target)
        if not nearest <= self.position <= target:
            self.world = self._kept.at(nearest)
        world, kept = self.world, self._kept
        for position, stream, version, event, *_ in self._source.facts(world.position, target):
            world.apply(position, stream, version, event)
            kept.keep(world, near=target - position)
            if not position % _PIECE:
                yield position

    def _look_back(self) -> None:
        """Read again what lies before the place."""
        at = self.position
        self.window.clear()
        self.window.extend(self._source.events(max(0, at - WINDOW), at))
        found = [recorded for recorded in reversed(self.window) if self._takes(recorded)][:_SHOWN]
        high, last = at - WINDOW, max(0, at - _LOOKED_BACK)
        while high > last and len(found) < _SHOWN:
            low = max(last, high - WINDOW)
            found += [each for each in reversed(list(self._source.events(low, high))) if self._takes(each)]
            high = low
        self.shown.clear()
        self.shown.extend(reversed(found[:_SHOWN]))

    def _forward(self) -> Iterator[Recorded]:
        return self._source.events(self.position, self.end())

    def _backward(self) -> Iterator[Recorded]:
        high = self.position - 1
        while high > 0:
            low = max(0, high - WINDOW)
            yield from reversed(list(self._source.events(low, high)))
            high = low
