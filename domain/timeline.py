"""What happened when: the attempts of each slot as bars, and queue and money as lines, from the same folds.

Feed every event of a log in order to `observe`; what is read afterwards covers what was fed.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import pool
from .pool_events import OwnerStarted, OwnerStopped, PoolPaused, PoolResumed
from .records import Event
from .task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
)
from .values import Outcome, attempt_id
from .world import World

ENDS: dict[type[Event], str] = {
    AttemptSucceeded: "succeeded",
    AttemptFailed: "failed",
    AttemptCancelled: "cancelled",
    AttemptSealed: "sealed",
}
"""The facts that end an attempt, and what it then is."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt in its slot's lane. While it runs, `ended_at` is None, `end` `running`. Times are in ms."""

    attempt: str
    task_id: str
    slot_id: str
    started_at: int
    ended_at: int | None = None
    end: str = "running"
    code: str | None = None
    cost: int = 0
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood from `at` (ms) on, until the next one. Money is in microdollars."""

    at: int
    pending: int = 0
    parked: int = 0
    running: int = 0
    asking: int = 0
    spent: int = 0
    reserved: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which something held: the pool was owned (`owner`) or paused, and for what reason."""

    kind: str
    began_at: int
    ended_at: int | None = None
    reason: str = ""


class Timeline:
    """See the module. `samples` has one entry for each time at which anything of it changed."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.world = World()
        self.bars: dict[str, Bar] = {}
        self.samples: list[Sample] = []
        self.spans: list[Span] = []
        self._open: dict[str, Span] = {}
        self.last = 0

    def observe(self, position: int, stream: str, version: int, event: Event, at: int) -> None:
        """Take the next event of the log, recorded at `at` (ms)."""
        self.world.apply(position, stream, version, event)
        self._draw(stream, event)
        self._span(event, at)
        self._sample(at)
        self.last = max(self.last, at)

    def open_spans(self) -> tuple[Span, ...]:
        """What still holds at the end."""
        return tuple(self._open.values())

    def _draw(self, stream: str, event: Event) -> None:
        if isinstance(event, AttemptStarted):
            attempt = attempt_id(stream, event.attempt)
            self.bars[attempt] = Bar(attempt, stream, event.slot_id, event.at, model=event.model)
        elif isinstance(event, (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed)):
            attempt = attempt_id(stream, event.attempt)
            if (bar := self.bars.get(attempt)) is not None:
                self.bars[attempt] = _ended(bar, ENDS[type(event)], event.at, event.outcome)

    def _span(self, event: Event, at: int) -> None:
        match event:
            case OwnerStarted():
                self._end("owner", self.last)  # one that died left no word; its last one was its end
                self._begin(Span("owner", at))
            case OwnerStopped():
                self._end("owner", at)
            case PoolPaused(reason):
                self._begin(Span("paused", at, reason=reason))
            case PoolResumed():
                self._end("paused", at)
            case _:
                pass

    def _begin(self, span: Span) -> None:
        self._end(span.kind, span.began_at)
        self._open[span.kind] = span

    def _end(self, kind: str, at: int) -> None:
        if (span := self._open.pop(kind, None)) is not None:
            self.spans.append(Span(kind, span.began_at, at, span.reason))

    def _sample(self, at: int) -> None:
        world, known = self.world, self.world.pool
        money = known.budget if isinstance(known, pool.Open) else None
        sample = Sample(
            at, len(world.pending), len(world.parked), len(world.running),
            len(world.sealed) + world.in_review,
            0 if money is None else money.spent,
            0 if money is None else money.reserved,
            None if money is None else money.limit,
        )  # fmt: skip
        if self.samples and self.samples[-1].at == at:
            self.samples[-1] = sample
        elif not self.samples or not _alike(self.samples[-1], sample):
            self.samples.append(sample)


def thinned(samples: list[Sample], most: int) -> list[Sample]:
    """At most about `most` samples (≥ 2) that tell the same story: of each stretch of time the one with the
    longest queue, and the first and the last of all."""
    if len(samples) <= most:
        return samples
    first, last = samples[0].at, samples[-1].at
    width = max(1, (last - first) // (most - 1))
    highest: dict[int, Sample] = {}
    for sample in samples:
        at = (sample.at - first) // width
        if at not in highest or sample.pending + sample.parked >= highest[at].pending + highest[at].parked:
            highest[at] = sample
    kept = list(highest.values())
    return [*([] if kept[0] is samples[0] else samples[:1]), *kept,
            *([] if kept[-1] is samples[-1] else samples[-1:])]  # fmt: skip


def _ended(bar: Bar, end: str, at: int, outcome: Outcome) -> Bar:
    return Bar(
        bar.attempt, bar.task_id, bar.slot_id, bar.started_at, at, end, outcome.code, outcome.cost,
        outcome.model or bar.model,
    )  # fmt: skip


def _alike(one: Sample, other: Sample) -> bool:
    return (one.pending, one.parked, one.running, one.asking, one.spent, one.reserved, one.limit) == (
        other.pending, other.parked, other.running, other.asking, other.spent, other.reserved, other.limit,
    )  # fmt: skip
