"""Imagined courses of the queue: who starts when and where, once it is said how long each task takes.

A simplified pool. Tasks start in claim order in the slots that suit them, outside of closed windows, when
what they need is over and as far as the money goes. Launches, clears and waits between attempts take no
time, every step of a chain succeeds, and where money is held by others the queue waits in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace

from .histories import Traits

_WAKE = -1
"""An event that only says that time has passed; below it are arrivals, from 0 on ends."""
_REFUSED, _WAITS = -1, -2
"""Instead of the money that is granted to a work: there will never be enough, or not yet."""


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
class Queue:
    """What is to be done at one moment: `works` in claim order, those that run among them.

    Nothing starts in `closed` windows (from, until; ms; in order), and never more than `most_at_once` run.
    `unspent` is the limit less what is settled (None: no limit). `left_out` tasks wait for someone rather
    than for a slot; `assumes` says what has to happen first for anything to run.
    """

    works: tuple[Work, ...] = ()
    seats: tuple[Seat, ...] = ()
    closed: tuple[tuple[int, int], ...] = ()
    most_at_once: int | None = None
    unspent: int | None = None
    left_out: int = 0
    assumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """How one course ended: when, what it settled in all (microdollars), and how many works never started.

    `dry_at` is when money was first short of what the next work costs, so that it was refused or cut short
    (at the very beginning, where it is short of what runs already); None: never.
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
        self.plain = queue.most_at_once is None and all(
            work.seat is not None
            or (work.target is None and work.most_cost is None and not work.needs and work.not_before <= now)
            for work in works
        )

    def opens(self, now: int) -> int:
        """The first moment from `now` on at which tasks may start."""
        for start, until in self.queue.closed:
            if start <= now < until:
                now = until
        return now


def play(stage: Stage, lasts: Sequence[int], costs: Sequence[int]) -> Fate:
    """The course in which the work at each index lasts so long from its start (or from now) and costs so
    much more, unless the money ends before."""
    if stage.plain:
        return play_plainly(stage, lasts, costs)
    return _Course(stage, lasts, costs).run()


def play_plainly(stage: Stage, lasts: Sequence[int], costs: Sequence[int]) -> Fate:
    """`play` for a `plain` stage, where only the order matters: the same, in a fraction of the time."""
    sure, opens = stage.queue.unspent, stage.opens if stage.queue.closed else None
    spend = sum(costs[index] for index in stage.seated)
    dry_at = None
    if sure is not None and spend > sure:
        spend, dry_at = sure, stage.now
    ended = [(stage.now + lasts[index], seat) for index, seat in stage.seated.items()]
    finish = max((end for end, _ in ended), default=stage.now)
    ends = [end for end, seat in ended if not stage.queue.seats[seat].leaves]
    ends += [stage.now] * len(stage.idle)
    heapify(ends)
    waiting = stage.lanes.get(None, [])
    unpaid = 0
    for place, index in enumerate(waiting):
        start, cost = ends[0], costs[index]
        if opens is not None:
            start = opens(start)
        if sure is not None and spend + (cost or 1) > sure:
            dry_at = start if dry_at is None else dry_at
            if spend == sure:
                unpaid = len(waiting) - place
                break
            cost = sure - spend
        spend += cost
        end = start + lasts[index]
        heapreplace(ends, end)
        if end > finish:
            finish = end
    return Fate(finish, spend, unpaid, dry_at)


class _Course:
    """The state of one course between two moments at which something happens."""

    def __init__(self, stage: Stage, lasts: Sequence[int], costs: Sequence[int]) -> None:
        self.stage, self.lasts, self.costs = stage, lasts, list(costs)
        self.now = self.finish = self.wakes_at = stage.now
        self.running = dict(stage.seated)
        self.idle = stage.idle
        self.lanes = {name: lane.copy() for name, lane in stage.lanes.items()}
        self.missing = stage.missing.copy()
        self.unpaid = len(costs) - len(stage.seated)
        self.events = [(stage.now + lasts[index], index) for index in stage.seated] + stage.arrivals
        heapify(self.events)
        works, limit = stage.queue.works, stage.queue.unspent
        self.dry_at: int | None = None
        self.spend = sum(costs[index] for index in stage.seated)
        if limit is not None and self.spend > limit:
            self.spend, self.dry_at = limit, stage.now
        self.holds = {index: max(works[index].held, costs[index]) for index in stage.seated}

    def run(self) -> Fate:
        """Let everything happen, in the order of time."""
        while True:
            if self.idle:
                self._start()
            if not self.events:
                return Fate(self.finish, self.spend, self.unpaid, self.dry_at)
            self.now, what = heappop(self.events)
            if what >= 0:
                self._end(what)
            elif what < _WAKE:
                self._come(_WAKE - 1 - what)

    def _start(self) -> None:
        opens = self.stage.opens(self.now)
        if opens > self.now:
            if opens > self.wakes_at:
                self.wakes_at = opens
                heappush(self.events, (opens, _WAKE))
            return
        most = self.stage.queue.most_at_once
        left: list[int] = []
        for seat in self.idle:
            if (most is not None and len(self.running) >= most) or not self._seat(seat):
                left.append(seat)
        self.idle = left

    def _seat(self, seat: int) -> bool:
        """Start the first work that the seat takes and the money reaches for, if there is one."""
        while (lane := self._next(seat)) is not None:
            index = lane[0]
            cost = self._granted(index)
            if cost == _WAITS:
                return False
            heappop(lane)
            if cost != _REFUSED:
                self.costs[index] = cost
                self.spend += cost
                self.unpaid -= 1
                self.running[index] = seat
                heappush(self.events, (self.now + self.lasts[index], index))
                return True
        return False

    def _next(self, seat: int) -> list[int] | None:
        found: list[int] | None = None
        for name in self.stage.takes[seat]:
            lane = self.lanes[name]
            if lane and (found is None or lane[0] < found[0]):
                found = lane
        return found

    def _granted(self, index: int) -> int:
        """What the work may cost."""
        cost, limit = self.costs[index], self.stage.queue.unspent
        if limit is None:
            return cost
        own = self.stage.queue.works[index].most_cost
        left = limit - self.spend
        needed = 1 if own is None else own
        if left < max(cost, needed) and self.dry_at is None:
            self.dry_at = self.now
        if left < needed:
            return _REFUSED
        if own is not None:
            overheld = sum(held - self.costs[held_by] for held_by, held in self.holds.items())
            if left - overheld < own:
                return _WAITS
            self.holds[index] = own
        return min(cost, left)

    def _end(self, index: int) -> None:
        self.finish = self.now
        self.holds.pop(index, None)
        seat = self.running.pop(index)
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
