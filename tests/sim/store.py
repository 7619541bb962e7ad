"""A simulated event log: whole appends, and everything that can happen around one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from claude_pool.adapters.whatif.owner import Entry
from claude_pool.domain.errors import StoreError, StoreFull, VersionConflict
from claude_pool.domain.invariants import Invariants
from claude_pool.domain.records import Event, Fact
from claude_pool.domain.world import World

from .faults import Faults

PATH = "log"


class Crash(Exception):
    """The owner is gone, in the midst of what it did."""


class SimulatedLog:
    """The events on the disk. They outlive every owner; `invariants` and `watch` see them as they come."""

    def __init__(self, faults: Faults) -> None:
        """An empty log."""
        self.entries: list[Entry] = []
        self.times: list[int] = []
        self.invariants = Invariants()
        self.broken: StoreError | None = None
        self.recovering = False
        self.watch: Callable[[Sequence[Fact], int], None] = lambda _facts, _now: None
        self._faults = faults
        self._versions: dict[str, int] = {}
        self._world = World()

    def append(self, facts: Sequence[Fact], expected: Mapping[str, int], now: int) -> list[Entry]:
        """Make `facts` durable, or fail in one of the ways in which that can fail.

        Raises:
            StoreError: nothing was written, as far as the owner can know. Crash: the owner died in it.
        """
        strikes = self._faults.strikes
        if strikes("crash_before_commit") or (self.recovering and strikes("crash_in_recovery")):
            raise Crash
        self._refuse()
        for stream, version in expected.items():
            actual = self._versions.get(stream, 0)
            if actual != version:
                raise VersionConflict(stream=stream, actual=actual, expected=version)
        if strikes("torn_append"):
            raise Crash  # half an append is none: the next to open the log finds what was there before
        written = self._write(facts, now)
        if strikes("commit_unknown"):
            # after a failed sync nobody knows what the disk holds, so this owner's log takes nothing more
            self.broken = StoreError(path=PATH, problem="an I/O error")
            raise self.broken
        if strikes("crash_after_commit") or (self.recovering and strikes("crash_in_recovery")):
            raise Crash
        return written

    def _refuse(self) -> None:
        if self.broken is None:
            if self._faults.strikes("store_broken"):
                self.broken = StoreError(path=PATH, problem="an I/O error")
            elif self._faults.strikes("disk_full"):
                self.broken = StoreFull(path=PATH, problem="no space left on the device")
        if self.broken is not None:
            raise self.broken
        if self._faults.strikes("append_refused"):
            raise StoreError(path=PATH, problem="the database is locked")
        if self._faults.strikes("version_conflict"):
            raise VersionConflict(stream="pool", actual=1, expected=0)

    def _write(self, facts: Sequence[Fact], now: int) -> list[Entry]:
        written: list[Entry] = []
        for fact in facts:
            version = self._versions[fact.stream] = self._versions.get(fact.stream, 0) + 1
            entry = len(self.entries) + 1, fact.stream, version, fact.event
            self.entries.append(entry)
            self.times.append(now)
            self.invariants.observe(*entry)
            written.append(entry)
        self.watch(facts, now)
        return written

    def stream(self, name: str) -> list[Event]:
        """The events of one stream."""
        return [event for _, stream, _, event in self.entries if stream == name]

    def last(self) -> int:
        """When (ms) the last event was recorded."""
        return self.times[-1] if self.times else 0

    def opened(self) -> World:
        """The view of a new owner. The last one left its own, which lacks what that did not live to see;
        to fold all anew each time takes far longer, and is done once, at the end.
        """
        for entry in self.entries[self._world.position :]:
            self._world.apply(*entry)
        return self._world

    def folded(self) -> World:
        """The view of a process that reads the log."""
        world = World()
        for entry in self.entries:
            world.apply(*entry)
        return world

    def digest(self) -> str:
        """What tells this log from every other."""
        text = "\n".join(f"{at} {entry!r}" for at, entry in zip(self.times, self.entries, strict=True))
        return sha256(text.encode()).hexdigest()
