"""Imagined courses of the queue: who starts when and where, once it is said how long each task takes.

A simplified pool. Tasks start in claim order in the slots that suit them, outside of closed windows, when
what they need is over and as far as the money goes. Launches, clears and waits between attempts take no
time, every step of a chain succeeds, and where money is held by others the queue waits in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from math import ceil

from .histories import Traits

DAY_MS = 86_400_000
_WAKE = -1
"""An event that only says that time has passed; below it are arrivals, from 0 on ends."""
Span = tuple[int, int, int]
"""From when to when a work runs (ms), and what it costs (microdollars), which grows evenly meanwhile."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A slot that takes tasks; `leaves`: it ends what it runs and takes no more."""

    name: str
    role: str | None = None
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """A task that is to end, or a step that has no task yet. Times are in ms, money in microdollars.

    `seat` is the index of the seat where it runs (None: it waits). `ran_ms` and `paid` are what its attempts
    have come to so far, of which only settled ones are paid; `held` is what its live attempt reserves.
    It starts not before `not_before`, only in the slot or role `target` (None: anywhere), and only when the
    works at the indices `needs` are over. It takes `most_ms` more at most; `most_cost` is what is left of a
    limit of its own, which it reserves whole.
    """

    traits: Traits = Traits()
    seat: int | None = None
    ran_ms: int = 0
    paid: int = 0
    held: int = 0
    not_before: int = 0
    target: str | None = None
    needs: tuple[int, ...] = ()
    most_ms: int | None = None
    most_cost: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be spent each day (microdollars), what is `left` of today's, and when (ms) the day ends."""

    limit: int
    left: int
    until: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What is to be done at one moment: `works` in claim order, those that run among them.

    Nothing starts in `closed` windows (from, until; ms; in order), nor when the `daily` money is spent. At
    most `at_once` run at first, and one more after each that ends (None: as many as there are seats).
    `unspent` is the limit less what is settled (None: no limit). `left_out` tasks wait for someone rather
    than for a slot; `assumes` says what has to happen first for anything to run.
    """

    works: tuple[Work, ...] = ()
    seats: tuple[Seat, ...] = ()
    closed: tuple[tuple[int, int], ...] = ()
    daily: Allowance | None = None
    at_once: int | None = None
    unspent: int | None = None
    left_out: int = 0
    assumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """How one course ended: when, what it settled in all (microdollars), and how many works did not end.

    `dry_at` is when all money was spent, which ends what still runs, or when a work was first refused for
    lack of money; None: never.
    """

    finish: int
    spend: int
    unpaid: int
    dry_at: int | None


def placeable(queue: Queue) -> tuple[bool, ...]:
    """For each work, whether some seat takes it, and all that it needs."""
    serving = [seat for seat in queue.seats if not seat.leaves]
    names = {name for seat in serving for name in (None, seat.name, seat.role)}
    able = [work.seat is not None or work.target in names for work in queue.works]
    changed = True
    while changed:
        changed = False
        for index, work in enumerate(queue.works):
            if able[index] and not all(able[need] for need in work.needs):
                able[index], changed = False, True
    return tuple(able)


class Stage:
    """What all courses of one queue from one moment have in common. All works must be `placeable`."""

    def __init__(self, queue: Queue, now: int) -> None:
        """Prepare courses of `queue` from `now` (ms) on."""
        works = queue.works
        self.queue = queue
        self.now = now
        self.seated = {index: work.seat for index, work in enumerate(works) if work.seat is not None}
        taken = set(self.seated.values())
        self.idle = [n for n, s in enumerate(queue.seats) if n not in taken and not s.leaves]
        self.takes = [tuple(dict.fromkeys((None, seat.name, seat.role))) for seat in queue.seats]
        self.missing = [len(work.needs) for work in works]
        self.followers: dict[int, list[int]] = {}
        self.arrivals: list[tuple[int, int]] = []
        names = {name for names in self.takes for name in names}
        self.lanes: dict[str | None, list[int]] = {name: [] for name in names}
        for index, work in enumerate(works):
            for need in work.needs:
                self.followers.setdefault(need, []).append(index)
            if work.seat is not None or work.needs:
                continue
            if work.not_before > now:
                self.arrivals.append((work.not_before, _WAKE - 1 - index))
            else:
                self.lanes[work.target].append(index)
        self.plain = queue.at_once is None and all(
            work.seat is not None
            or (work.target is None and work.most_cost is None and not work.needs and work.not_before <= now)
            for work in works
        )

    def begun(self, lasts: Sequence[int], costs: Sequence[int]) -> list[Span]:
        """The works that run already."""
        works = self.queue.works
        return [(self.now - works[n].ran_ms, self.now + lasts[n], costs[n]) for n in self.seated]

    def paid(self, spans: Sequence[Span], refused_at: int | None) -> Fate:
        """What becomes of the works that have `spans`: all of it, or as far as the money goes.

        `refused_at` is when one was first refused for its own limit; None: none was.
        """
        spend, limit = sum(cost for _, _, cost in spans), self.queue.unspent
        works = len(self.queue.works)
        if limit is None or spend <= limit:
            finish = max((end for _, end, _ in spans), default=self.now)
            return Fate(finish, spend, works - len(spans), refused_at)
        empty = max(self.now, used_up(spans, limit))
        ended = sum(end <= empty for _, end, _ in spans)
        dry_at = empty if refused_at is None else min(empty, refused_at)
        return Fate(empty, limit, works - ended, dry_at)

    def gate(self, costs: Sequence[int]) -> Gate | None:
        """What keeps tasks from starting in a course with these `costs`; None: nothing ever does."""
        if not self.queue.closed and self.queue.daily is None:
            return None
        gate = Gate(self.queue)
        for index in self.seated:
            gate.granted(costs[index])
        return gate


class Gate:
    """When tasks may start in one course. It is asked in the order of time."""

    def __init__(self, queue: Queue) -> None:
        """Nothing has started yet."""
        self._closed, self._daily = queue.closed, queue.daily
        self._left, self._until = (0, 0) if self._daily is None else (self._daily.left, self._daily.until)

    def opens(self, now: int) -> int:
        """`now`, where a task may start; otherwise when that may be so, which is to be asked then."""
        for start, until in self._closed:
            if start <= now < until:
                now = until
        if self._daily is None:
            return now
        if now >= self._until:
            self._until += ((now - self._until) // DAY_MS + 1) * DAY_MS
            self._left = self._daily.limit
        return self._until if self._left <= 0 else now

    def granted(self, cost: int) -> int:
        """What a task that would cost so much may, of today's money."""
        if self._daily is None:
            return cost
        granted = min(cost, max(0, self._left))
        self._left -= granted
        return granted


def used_up(spans: Sequence[Span], limit: int) -> int:
    """When the costs of `spans` reach `limit`, which is at most what they come to."""
    steps: list[tuple[int, float, int]] = []
    for start, end, cost in spans:
        if end > start:
            rate = cost / (end - start)
            steps += ((start, rate, 0), (end, -rate, 0))
        else:
            steps.append((start, 0.0, cost))
    steps.sort()
    at, rate, spent = steps[0][0], 0.0, 0.0
    for moment, change, cost in steps:
        grown = spent + rate * (moment - at)
        if grown > limit:
            return min(moment, at + ceil((limit - spent) / rate))
        at, rate, spent = moment, rate + change, grown + cost
        if spent > limit:
            return at
    return at


def play(stage: Stage, lasts: Sequence[int], costs: Sequence[int]) -> Fate:
    """The course in which the work at each index lasts so long from its start (or from now) and costs so
    much more, unless the money ends before."""
    if stage.plain:
        return play_plainly(stage, lasts, costs)
    return _Course(stage, lasts, costs).run()


def play_plainly(stage: Stage, lasts: Sequence[int], costs: Sequence[int]) -> Fate:
    """`play` for a `plain` stage, where only the order matters: the same, in a fraction of the time."""
    gate, opened = stage.gate(costs), stage.now
    spans = stage.begun(lasts, costs)
    ends = [
        stage.now + lasts[index]
        for index, seat in stage.seated.items()
        if not stage.queue.seats[seat].leaves
    ]  # fmt: skip
    ends += [stage.now] * len(stage.idle)
    heapify(ends)
    for index in stage.lanes.get(None, ()):
        start, cost = ends[0], costs[index]
        if gate is not None:
            opened = max(opened, start)
            while (later := gate.opens(opened)) > opened:
                opened = later
            start, cost = opened, gate.granted(cost)
        end = start + lasts[index]
        heapreplace(ends, end)
        spans.append((start, end, cost))
    return stage.paid(spans, None)


class _Course:
    """The state of one course between two moments at which something happens."""

    def __init__(self, stage: Stage, lasts: Sequence[int], costs: Sequence[int]) -> None:
        self.stage, self.lasts, self.costs = stage, lasts, list(costs)
        self.gate, self.at_once = stage.gate(costs), stage.queue.at_once
        self.now = self.wakes_at = stage.now
        self.running = dict(stage.seated)
        self.idle = stage.idle
        self.lanes = {name: lane.copy() for name, lane in stage.lanes.items()}
        self.missing = stage.missing.copy()
        self.events = [(stage.now + lasts[index], index) for index in stage.seated] + stage.arrivals
        heapify(self.events)
        self.spans = stage.begun(lasts, costs)
        self.promised = sum(costs[index] for index in stage.seated)
        works = stage.queue.works
        self.holds = {index: max(0, works[index].held - costs[index]) for index in stage.seated}
        self.refused_at: int | None = None

    def run(self) -> Fate:
        """Let everything happen, in the order of time."""
        while True:
            if self.idle:
                self._start()
            if not self.events:
                return self.stage.paid(self.spans, self.refused_at)
            self.now, what = heappop(self.events)
            if what >= 0:
                self._end(what)
            elif what < _WAKE:
                self._come(_WAKE - 1 - what)

    def _start(self) -> None:
        self.idle = [seat for seat in self.idle if self._shut() or not self._seat(seat)]

    def _shut(self) -> bool:
        """Whether nothing may start now; where time alone ends that, it is looked at again then."""
        if self.at_once is not None and len(self.running) >= self.at_once:
            return True
        opens = self.now if self.gate is None else self.gate.opens(self.now)
        if opens > max(self.now, self.wakes_at):
            self.wakes_at = opens
            heappush(self.events, (opens, _WAKE))
        return opens > self.now

    def _seat(self, seat: int) -> bool:
        """Start the first work that the seat takes and the money reaches for, if there is one."""
        while (lane := self._next(seat)) is not None:
            index = lane[0]
            funded = self._funded(index)
            if funded is None:
                return False
            heappop(lane)
            if funded:
                end = self.now + self.lasts[index]
                if self.gate is not None:
                    self.costs[index] = self.gate.granted(self.costs[index])
                self.promised += self.costs[index]
                self.spans.append((self.now, end, self.costs[index]))
                self.running[index] = seat
                heappush(self.events, (end, index))
                return True
        return False

    def _next(self, seat: int) -> list[int] | None:
        found: list[int] | None = None
        for name in self.stage.takes[seat]:
            lane = self.lanes[name]
            if lane and (found is None or lane[0] < found[0]):
                found = lane
        return found

    def _funded(self, index: int) -> bool | None:
        """Whether the work's own limit can be set aside; None: not while others hold so much."""
        own, limit = self.stage.queue.works[index].most_cost, self.stage.queue.unspent
        if own is None or limit is None:
            return True
        left = limit - self.promised
        if left < own:
            self.refused_at = self.now if self.refused_at is None else self.refused_at
            return False
        if left - sum(self.holds.values()) < own:
            return None
        self.holds[index] = own - self.costs[index]
        return True

    def _end(self, index: int) -> None:
        self.holds.pop(index, None)
        seat = self.running.pop(index)
        if self.at_once is not None:
            self.at_once += 1
        if not self.stage.queue.seats[seat].leaves:
            self.idle = [*self.idle, seat]
        for follower in self.stage.followers.get(index, ()):
            self.missing[follower] -= 1
            if not self.missing[follower]:
                self._come(follower)

    def _come(self, index: int) -> None:
        work = self.stage.queue.works[index]
        if work.not_before > self.now:
            heappush(self.events, (work.not_before, _WAKE - 1 - index))
        else:
            heappush(self.lanes[work.target], index)
