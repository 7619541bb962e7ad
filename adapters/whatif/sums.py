"""What came of a pool's work, from the facts of its log: as it was, or as it would have been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from claude_pool.domain import pool_events as p
from claude_pool.domain import slot_events as s
from claude_pool.domain import task_events as t
from claude_pool.domain.records import Event, Fact


@dataclass(slots=True)
class Fate:
    """A task: when it came, began and ended (ms), its state, and why that is so, where a code says it."""

    submitted: int
    state: str = "pending"
    began: int | None = None
    ended: int | None = None
    why: str = ""


@dataclass(slots=True)
class Sums:
    """Everything that is counted. Money is in microdollars, times in ms."""

    fates: dict[str, Fate] = field(default_factory=dict[str, Fate])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    spent: int = 0
    reserved_peak: int = 0
    attempts: int = 0
    end: int = 0
    _reserved: dict[str, int] = field(default_factory=dict[str, int])
    _busy: dict[str, int] = field(default_factory=dict[str, int])
    _spans: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    _serving: dict[str, int] = field(default_factory=dict[str, int])
    _service: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def take(self, at: int, facts: Sequence[Fact]) -> None:
        """Count one append at `at`."""
        self.end = max(self.end, at)
        for fact in facts:
            self._count(at, fact.stream, fact.event)

    @property
    def began(self) -> int | None:
        """When the first task came."""
        return min((fate.submitted for fate in self.fates.values()), default=None)

    @property
    def finished(self) -> int | None:
        """When the last task ended."""
        return max((fate.ended for fate in self.fates.values() if fate.ended is not None), default=None)

    def count(self, *states: str) -> int:
        """So many tasks are in one of these states."""
        return sum(fate.state in states for fate in self.fates.values())

    def waits(self) -> list[int]:
        """How long (ms) tasks waited for their first attempt, in order of length."""
        return sorted(f.began - f.submitted for f in self.fates.values() if f.began is not None)

    def utilisation(self) -> float | None:
        """The share (0 to 1) of the slots' time in service in which an attempt ran, from when the first task
        came to when the last ended; None: there was none."""
        since, until = self.began, self.finished
        if since is None or until is None:
            return None
        busy = _within([*self._spans, *((at, until) for at in self._busy.values())], since, until)
        service = _within([*self._service, *((at, until) for at in self._serving.values())], since, until)
        return busy / service if service else None

    def _count(self, at: int, stream: str, event: Event) -> None:
        match event:
            case t.TaskSubmitted():
                self.fates[stream] = Fate(at)
            case t.AttemptStarted():
                fate = self._becomes(stream, "running")
                fate.began = at if fate.began is None else fate.began
                self.attempts += 1
            case t.TaskParked(reason):
                self._becomes(stream, "parked", reason)
            case t.TaskUnparked() | t.TaskReopened() | t.TaskRejected():
                self._becomes(stream, "pending")
            case t.TaskSealed():
                self._becomes(stream, "sealed")
            case t.ReviewRequested():
                self._becomes(stream, "pending_review")
            case t.TaskCompleted():
                self._becomes(stream, "completed").ended = at
            case t.TaskFailed(code):
                self._becomes(stream, "failed", code).ended = at
            case t.TaskCancelled():
                self._becomes(stream, "cancelled").ended = at
            case p.FundsReserved(attempt, amount) | p.FundsToppedUp(attempt, amount):
                self._reserved[attempt] = self._reserved.get(attempt, 0) + amount
                self.reserved_peak = max(self.reserved_peak, sum(self._reserved.values()))
            case p.FundsSettled(attempt, cost):
                self._reserved.pop(attempt, None)
                self.spent += cost
            case p.FundsCharged(_, cost):
                self.spent += cost
            case s.SlotClaimed():
                self._busy[stream] = at
            case s.SlotReleased():
                self._released(stream, at)
            case s.SlotAdded() | s.SlotRevived() | s.SlotTried():
                self._serving.setdefault(stream, at)
            case s.SlotStopped() | s.SlotRetired() | s.SlotQuarantined():
                self._released(stream, at)
                if stream in self._serving:
                    self._service.append((self._serving.pop(stream), at))
            case _:
                pass

    def _becomes(self, stream: str, state: str, why: str = "") -> Fate:
        fate = self.fates[stream]
        fate.state, fate.why = state, why
        return fate

    def _released(self, stream: str, at: int) -> None:
        if stream in self._busy:
            self._spans.append((self._busy.pop(stream), at))


def _within(spans: Sequence[tuple[int, int]], since: int, until: int) -> int:
    return sum(max(0, min(end, until) - max(begin, since)) for begin, end in spans)
