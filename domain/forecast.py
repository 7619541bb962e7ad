"""When the present queue will be done and what it will cost, from what earlier tasks took and cost.

Many imagined courses of the queue, each with durations and costs drawn from the history, and where the
courses lie. The same history, queue, moment and seed give the same forecast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .histories import LEAST_SAMPLES, Drawn, History, Kind, drawn, numbers, outlasting
from .simulation import Fate, Queue, Seat, Stage, Work, placeable, play
from .values import counted

MOST_RUNS = 400
LEAST_RUNS = 20
MOST_DRAWS = 400_000
"""Of a queue of more than `MOST_DRAWS` / `MOST_RUNS` works, fewer courses are imagined."""
IN_FULL = 2
"""A course in which not only the order matters takes so many times as long, or more."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the courses lie: a tenth, half, and nine tenths of them are at most there."""

    p10: int
    p50: int
    p90: int


@dataclass(frozen=True, slots=True)
class DryOut:
    """When money runs short (ms since the epoch): in half, and in nine tenths of all courses until then.

    None: in fewer it ever does. `share` (0 to 1) is in how many it does.
    """

    p50: int | None
    p90: int | None
    share: float


@dataclass(frozen=True, slots=True)
class Basis:
    """So many tasks were compared with finished ones that are like them in `likeness`, `samples` in all."""

    likeness: str
    tasks: int
    samples: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Times are ms since the epoch, money is in microdollars.

    `spend` is what the queue will settle from now on; `unpaid` how many of its tasks the money does not
    reach. `dry_out` is None where there is no limit. `tasks` were looked at, in `runs` courses; `left_out`
    wait for someone, `unplaced` for a slot that there is not. `assumes` has to happen first.
    """

    at: int
    finish: Spread
    spend: Spread
    dry_out: DryOut | None
    unpaid: Spread
    tasks: int
    runs: int
    bases: tuple[Basis, ...]
    left_out: int
    unplaced: int
    assumes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoForecast:
    """There is nothing to say, and why."""

    reason: str
    tasks: int


def with_slots(queue: Queue, count: int) -> Queue:
    """The queue if the pool had `count` slots: the first ones of today's, and further ones without a role."""
    serving = [n for n, seat in enumerate(queue.seats) if not seat.leaves]
    kept = set(serving[:count])
    seats = tuple(s if n in kept else replace(s, leaves=True) for n, s in enumerate(queue.seats))
    more = tuple(Seat(f"further-{n}") for n in range(count - len(serving)))
    return replace(queue, seats=(*seats, *more))


def forecast(history: History, queue: Queue, now: int, seed: int) -> Forecast | NoForecast:
    """What will become of `queue` from `now` (ms) on. `seed` (0 to 2**64 - 1) chooses the courses."""
    prepared = prepare(history, queue, now, seed)
    return prepared.concluded(tuple(prepared.courses())) if isinstance(prepared, Prepared) else prepared


def prepare(history: History, queue: Queue, now: int, seed: int) -> Prepared | NoForecast:
    """A forecast that can be made course by course; or why there is none."""
    waiting = [work for work in queue.works if work.seat is None]
    able = placeable(queue)
    placed = _without(queue, able)
    if waiting and not any(not seat.leaves for seat in queue.seats):
        return NoForecast("no slot is in service", len(queue.works))
    kinds = [history.like(work.traits) for work in placed.works]
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds):
        have = counted(history.size, "task")
        reason = f"{have} ended in this log so far, and a forecast needs {LEAST_SAMPLES} to go by"
        return NoForecast(reason, len(queue.works))
    return Prepared(placed, known, now, seed, len(able) - sum(able))


def _without(queue: Queue, able: Sequence[bool]) -> Queue:
    """The queue without the works that are not able to run."""
    if all(able):
        return queue
    numbered = {old: new for new, old in enumerate(n for n, fits in enumerate(able) if fits)}
    works = (work for work, fits in zip(queue.works, able, strict=True) if fits)
    return replace(
        queue, works=tuple(replace(w, needs=tuple(numbered[need] for need in w.needs)) for w in works)
    )


class Prepared:
    """A forecast that is still to be made. `runs` is the number of its courses."""

    def __init__(self, queue: Queue, kinds: Sequence[Kind], now: int, seed: int, unplaced: int) -> None:
        """Every work of `queue` can run, and is of the kind at its index; `unplaced` ones were left away."""
        self._queue, self._now, self._seed, self._unplaced = queue, now, seed, unplaced
        self._stage = Stage(queue, now)
        self._kinds = list(dict.fromkeys(kinds))
        numbered = {kind: number for number, kind in enumerate(self._kinds)}
        self._which = [numbered[kind] for kind in kinds]
        self._begun = {
            index: outlasting(kinds[index], work.ran_ms)
            for index, work in enumerate(queue.works)
            if work.ran_ms or work.seat is not None
        }
        self._bounded = [
            index for index, w in enumerate(queue.works) if w.most_ms is not None or w.most_cost is not None
        ]
        self._bases = _bases(kinds)
        many = MOST_DRAWS // max(1, len(queue.works)) // (1 if self._stage.plain else IN_FULL)
        self.runs = max(LEAST_RUNS, min(MOST_RUNS, many)) if queue.works else 1

    def courses(self) -> Iterator[Fate]:
        """The courses, one after another."""
        for run in range(self.runs):
            lasts, costs = self._drawn(run)
            yield play(self._stage, lasts, costs)

    def _drawn(self, run: int) -> tuple[list[int], list[int]]:
        """How long each work lasts from now or its start on, and what it costs from now on."""
        chances = numbers(self._seed, run, len(self._which))
        found = drawn(self._kinds, self._which, chances)
        lasts, costs = [ms for ms, _ in found], [cost for _, cost in found]
        for index, outcomes in self._begun.items():
            work = self._queue.works[index]
            ms, cost = outcomes[chances[index] * len(outcomes) >> 32]
            lasts[index], costs[index] = ms - work.ran_ms, max(0, cost - work.paid)
        for index in self._bounded:
            lasts[index], costs[index] = _bounded(self._queue.works[index], (lasts[index], costs[index]))
        return lasts, costs

    def concluded(self, courses: Sequence[Fate]) -> Forecast:
        """What all `courses` (at least one) say together."""
        dry = sorted(course.dry_at for course in courses if course.dry_at is not None)
        return Forecast(
            at=self._now,
            finish=_spread([course.finish for course in courses]),
            spend=_spread([course.spend for course in courses]),
            dry_out=None if self._queue.unspent is None else _dry_out(dry, len(courses)),
            unpaid=_spread([course.unpaid for course in courses]),
            tasks=len(self._queue.works),
            runs=len(courses),
            bases=self._bases,
            left_out=self._queue.left_out,
            unplaced=self._unplaced,
            assumes=self._queue.assumes,
        )


def _bounded(work: Work, one: Drawn) -> Drawn:
    """A draw for a work that is interrupted at its limits of time and money."""
    ms, cost = one
    return (
        ms if work.most_ms is None else min(ms, work.most_ms),
        cost if work.most_cost is None else min(cost, work.most_cost),
    )


def _bases(kinds: Sequence[Kind]) -> tuple[Basis, ...]:
    """What the works were compared with, by likeness, the narrowest first."""
    tasks = Counter(kind.likeness for kind in kinds)
    samples: Counter[str] = Counter()
    for kind in dict.fromkeys(kinds):
        samples[kind.likeness] += len(kind.samples)
    return tuple(Basis(name, count, samples[name]) for name, count in tasks.most_common())


def _spread(values: Sequence[int]) -> Spread:
    ordered = sorted(values)
    return Spread(*(ordered[_rank(percent, len(ordered))] for percent in (10, 50, 90)))


def _dry_out(moments: Sequence[int], courses: int) -> DryOut:
    p50, p90 = (
        moments[rank] if (rank := _rank(percent, courses)) < len(moments) else None for percent in (50, 90)
    )
    return DryOut(p50, p90, len(moments) / courses)


def _rank(percent: int, count: int) -> int:
    """The index of a percentile among so many values in order (the nearest rank)."""
    return max(0, -(-percent * count // 100) - 1)
