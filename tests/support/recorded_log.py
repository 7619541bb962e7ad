"""A log in memory for whoever reads one: the events of a kept log, or some of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import LogReader
from claude_pool.domain.errors import LogBroken
from claude_pool.domain.ports import Replayed
from claude_pool.domain.records import Recorded
from claude_pool.domain.world import World

KEPT = Path(__file__).parents[1] / "golden" / "logs" / "0.2.0"


def kept_events(folder: Path) -> tuple[Recorded, ...]:
    """The events of a log of this version; it is read from a copy in `folder`."""
    copy = folder / "kept"
    shutil.copytree(KEPT, copy)
    reader = LogReader(Places(str(copy), "", "", ""), "0")
    try:
        return tuple(reader.events())
    finally:
        reader.close()


class RecordedLog:
    """`recorded`, which may grow, as a log. It is `broken` from a position on, if that is given."""

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self.recorded = list(recorded)
        self.broken: int | None = None
        self.kept: int | None = None
        self.folded = 0

    def events(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """See `Cursor`'s `Source`."""
        for each in self.recorded[after:until]:
            if each.position == self.broken:
                raise LogBroken(path="log", position=each.position, problem="it is damaged")
            yield each

    def facts(self, after: int = 0, until: int | None = None) -> Iterator[Replayed]:
        """The same; `folded` counts them."""
        for each in self.events(after, until):
            self.folded += 1
            yield each.position, each.stream, each.version, each.event, each.meta.recorded_at, ""

    def end(self) -> int:
        """The last position."""
        return len(self.recorded)

    def snapshot(self, position: int) -> World | None:
        """The world at `kept`, where that is given."""
        at = self.kept
        return None if at is None or at > position else world_at(self.recorded, at)


def world_at(recorded: Sequence[Recorded], position: int) -> World:
    """What the first events make, folded from nothing."""
    world = World()
    for each in recorded[:position]:
        world.apply(each.position, each.stream, each.version, each.event)
    return world
