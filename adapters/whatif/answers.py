"""What attempts are answered with: what the record tells of them, and where it tells nothing, a substitute.

The attempts of a task answer in the order in which they were recorded. Where one never happened, it takes
and costs what the task's own attempts did on average, else what those of tasks like it did; it succeeds.
Nothing is drawn by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from claude_pool.domain.histories import History, Kind, Sample, outlasting
from claude_pool.domain.prices import PriceList, Served
from claude_pool.domain.values import End, Limit, Outcome, Tokens, Transcript
from claude_pool.domain.workload import traits

from .record import Attempted, Record, Waited

SAME_MS = 250
"""An attempt that is asked to end within so long of when it was in the record ends as it did there."""
SAME_SHARE = 0.02
"""So, too, within this share of the time until then."""
_CALLS = 8
"""At most so many moments of an attempt at which its cost is looked at, beside those on record."""
_LAG_MS = 200
"""How long an attempt takes to end when it is asked to, where the record has none that was."""


class Untold(Exception):
    """The record has no attempt that came to its own end, so nothing tells what others would take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt goes if nobody ends it: for `ms` in all, to `outcome`.

    `spent` are moments (ms) with what it has cost by then (microdollars). `asked`: in the record it was asked
    to end then, and did as `cut_off` says. `hung`: it does not answer when asked. `dies_first`: its process
    never came. `takes`: so many attempts of the record are in it.
    """

    ms: int
    outcome: Outcome
    launch_ms: int = 0
    alive: bool = True
    rss_mb: int = 0
    lost_session: bool = False
    dies_first: bool = False
    spent: tuple[tuple[int, int], ...] = ()
    questions: tuple[Waited, ...] = ()
    asked: int | None = None
    cut_off: Attempted | None = None
    hung: bool = False
    takes: int = 1

    def cost_at(self, ms: int) -> int:
        """What it has cost (microdollars) when it has run for `ms`."""
        before = (0, 0)
        for moment in (*self.spent, (self.ms, self.outcome.cost)):
            if ms < moment[0]:
                share = (ms - before[0]) / (moment[0] - before[0])
                return before[1] + int((moment[1] - before[1]) * share)
            before = moment
        return self.outcome.cost

    def ended_at(self, ms: int) -> Attempted | None:
        """The attempt of the record, where it was asked to end at the same time."""
        if self.asked is None or abs(ms - self.asked) > max(SAME_MS, int(self.asked * SAME_SHARE)):
            return None
        return self.cut_off


class Answers:
    """The attempts of one course. `substitutes` counts those that the record does not have."""

    def __init__(self, record: Record, prices: PriceList, model: str | None) -> None:
        """`model` is what tasks ran on that named none."""
        self._record = record
        self._prices = prices
        self._next: dict[str, int] = {}
        self._done: dict[str, tuple[int, int]] = {}
        self._model = model
        self._history = History(list(_samples(record, model)))
        every = [a for attempts in record.attempts.values() for a in attempts]
        self._every = _mean_of(a for a in every if a.natural)
        known = [at for launches in record.launches.values() for at in launches.values()]
        took = [at.ms for at in known if at.ms is not None and at.failed is None]
        took += [a.launch_ms for a in every if a.launch_ms is not None]
        self.launch_ms = int(median(took)) if took else 0
        refused = [a.ms for a in every if a.limit is not None]
        self._refused_ms = int(median(refused)) if refused else 0
        ended = [a.ms - a.asked[0] for a in every if a.asked is not None and not a.hung]
        self.lag_ms = int(median(ended)) if ended else _LAG_MS
        self.substitutes = 0

    def answer(self, task_id: str, replaces: bool, now: int) -> Answer:
        """How the attempt that starts `now` (ms) goes. `replaces`: in a process of its own."""
        found = self._answer(task_id, now)
        if replaces and not found.launch_ms:
            found = _later(found, self.launch_ms)
        elif found.launch_ms and not replaces:
            found = _later(found, -found.launch_ms)
        return found

    def cut(self, task_id: str, answer: Answer, ran: int, resumes: bool) -> Outcome:
        """What is to be seen of an attempt that its owner's end cut off after `ran` ms. Where that was not so
        in the record, its answer is still to come, less what need not be done again if it `resumes`."""
        ended, place = answer.ended_at(ran), self._next.get(task_id, 0)
        if ended is not None and ended.outcome is not None:
            self._next[task_id] = max(0, place - answer.takes + 1)
            return ended.outcome
        outcome = cut_short(answer, ran)
        self._next[task_id] = max(0, place - answer.takes)
        if resumes:
            ms, cost = self._done.get(task_id, (0, 0))
            self._done[task_id] = ms + max(0, ran - answer.launch_ms), cost + outcome.cost
        return outcome

    def _answer(self, task_id: str, now: int) -> Answer:
        attempts = self._record.attempts.get(task_id, [])
        place = self._next.get(task_id, 0)
        window = next((w for w in self._record.windows if w.holds(now)), None)
        while place < len(attempts):
            found = attempts[place]
            if found.limit is not None and window is None:
                place += 1  # the provider has nothing against it now
                continue
            break
        else:
            self._next[task_id] = place
            if window is not None:
                return self._refused(window.limit, window.outcome)
            return self._substitute(task_id)
        if found.limit is None and window is not None and not window.holds(found.started_at):
            return self._refused(window.limit, window.outcome)
        self._next[task_id] = place + 1
        after = attempts[place + 1] if place + 1 < len(attempts) else None
        if found.cut and after is not None and after.resumes:
            self._next[task_id] = place + 2
            return self._less(task_id, self._both(task_id, found, after))
        return self._less(task_id, self._recorded(task_id, found))

    def _refused(self, limit: Limit, outcome: Outcome) -> Answer:
        return Answer(self._refused_ms, replace(outcome, limit=limit), takes=0)

    def _recorded(self, task_id: str, found: Attempted) -> Answer:
        """As in the record; what was ended there goes on for as long as others, unless it is ended here."""
        launch_ms = found.launch_ms or 0
        outcome, ms, asked, cut_off = found.outcome, found.ms, None, None
        if found.asked is not None or found.cut or outcome is None:
            asked = found.ms if found.asked is None else found.asked[0]
            cut_off = None if outcome is None else found
            ran_ms, cost = self._beyond(task_id, found.ms - launch_ms)
            ms = launch_ms + ran_ms
            outcome = _succeeded(max(0 if outcome is None else outcome.cost, cost), found.model)
        return Answer(
            ms, outcome, launch_ms, found.alive or cut_off is not None, found.rss_mb, found.lost_session,
            found.replaces and found.launch_ms is None and found.outcome is not None and not found.asked,
            _spent(found, ms, outcome), tuple(found.questions), asked, cut_off, found.hung,
        )  # fmt: skip

    def _both(self, task_id: str, first: Attempted, second: Attempted) -> Answer:
        """An attempt that the owner's end cut in two, as one."""
        assert first.outcome is not None
        rest = self._recorded(task_id, second)
        did = max(0, first.ms - (first.launch_ms or 0))
        answer = _later(rest, did + (first.launch_ms or 0) - rest.launch_ms)
        outcome = replace(
            rest.outcome,
            cost=rest.outcome.cost + first.outcome.cost,
            tokens=rest.outcome.tokens + first.outcome.tokens,
        )
        return replace(
            answer, outcome=outcome, launch_ms=first.launch_ms or 0, asked=first.ms, cut_off=first, spent=(),
            takes=2,
        )  # fmt: skip

    def _less(self, task_id: str, answer: Answer) -> Answer:
        """Without what an attempt that was cut off before has done of it."""
        ms, cost = self._done.get(task_id, (0, 0))
        if not ms:
            return answer
        outcome = replace(answer.outcome, cost=max(0, answer.outcome.cost - cost))
        return replace(answer, ms=max(1, answer.ms - ms), outcome=outcome, spent=())

    def _substitute(self, task_id: str) -> Answer:
        self.substitutes += 1
        ms, cost = self._mean(task_id)
        return Answer(ms, _succeeded(cost, None), takes=0)

    def _mean(self, task_id: str) -> tuple[int, int]:
        """What an attempt of the task would take (ms) and cost."""
        own = _mean_of(a for a in self._record.attempts.get(task_id, ()) if a.natural)
        kind = self._kind(task_id) if own is None else None
        found = own or (self._every if kind is None else _average(kind.samples))
        if found is None:
            raise Untold
        return found

    def _beyond(self, task_id: str, ran_ms: int) -> tuple[int, int]:
        """What an attempt would come to that had run for `ran_ms` when it was ended: as those like it that
        took longer, else as long again as they did."""
        kind = self._kind(task_id)
        if kind is not None:
            return _average(outlasting(kind, ran_ms))
        ms, cost = self._every or (ran_ms, 0)
        return ran_ms + ms, cost

    def _kind(self, task_id: str) -> Kind | None:
        spec = self._record.specs.get(task_id)
        return None if spec is None else self._history.like(traits(spec, self._model))

    def priced(self, outcome: Outcome, was: str | None, model: str | None, mode: str | None) -> Outcome:
        """The outcome on another model: its tokens at the other price."""
        if was == model or not outcome.cost:
            return outcome
        before, after = (self._cost(name, mode, outcome.tokens) for name in (was, model))
        if not before:
            return outcome
        return replace(outcome, cost=outcome.cost * after // before, model=model, estimated=True)

    def _cost(self, model: str | None, mode: str | None, tokens: Tokens) -> int:
        served = Served(tokens.input, tokens.output, tokens.cache_read, tokens.cache_write)
        return self._prices.cost(self._prices.turned_to(model, mode), served)


def cut_short(answer: Answer, ms: int) -> Outcome:
    """What is to be seen of an attempt that was ended after `ms`."""
    cost = answer.cost_at(ms)
    return Outcome(
        End.INTERRUPTED, cost=cost, estimated=True, tokens=Tokens(output=1) if cost else Tokens(),
        model=answer.outcome.model, transcript=Transcript(1, "") if ms > answer.launch_ms else Transcript(),
    )  # fmt: skip


def _succeeded(cost: int, model: str | None) -> Outcome:
    return Outcome(
        End.SUCCEEDED, turns=1, cost=cost, estimated=True, tokens=Tokens(output=1), model=model,
        transcript=Transcript(1, ""),
    )  # fmt: skip


def _later(answer: Answer, by: int) -> Answer:
    """The same after a start that takes longer by so many ms."""
    return replace(
        answer,
        ms=max(0, answer.ms + by),
        launch_ms=max(0, answer.launch_ms + by),
        spent=tuple((max(0, ms + by), cost) for ms, cost in answer.spent),
        questions=tuple(q._replace(offset=max(0, q.offset + by)) for q in answer.questions),
        asked=None if answer.asked is None else max(0, answer.asked + by),
    )


def _spent(found: Attempted, ms: int, outcome: Outcome) -> tuple[tuple[int, int], ...]:
    """What the attempt had cost when, as far as the record tells or bounds it; else its cost grows evenly."""
    launch_ms = found.launch_ms or 0
    known = sorted(found.calls)
    ends = found.ms if found.asked is None else found.asked[0]
    even = min(_CALLS, max(1, outcome.turns))
    moments = dict(known)
    for part in range(1, even):
        at = launch_ms + (ms - launch_ms) * part // even
        if at not in moments:
            moments[at] = outcome.cost * part // even
    rows: list[tuple[int, int]] = []
    most = 0
    for at in sorted(moments):
        cost = moments[at]
        if found.funds and at < ends and (at, cost) not in known:
            had = [amount for since, amount in found.funds if since <= at][-1]
            bound = found.cap if found.cap is not None else had - found.ahead
            cost = min(cost, max(0, bound - 1))
        most = max(most, cost)
        rows.append((at, most))
    return tuple(rows)


def _samples(record: Record, model: str | None) -> Iterable[Sample]:
    found = [
        (attempts[-1].started_at, task_id, [a for a in attempts if a.natural])
        for task_id, attempts in record.attempts.items()
    ]
    for _, task_id, natural in sorted(found, key=lambda row: row[0], reverse=True):
        spec = record.specs.get(task_id)
        mean = _mean_of(natural)
        if spec is not None and mean is not None:
            yield Sample(traits(spec, model), *mean)


def _mean_of(attempts: Iterable[Attempted]) -> tuple[int, int] | None:
    rows = [(a.ms - (a.launch_ms or 0), a.outcome.cost) for a in attempts if a.outcome is not None]
    return _average(rows) if rows else None


def _average(rows: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return round(fmean(ms for ms, _ in rows)), round(fmean(cost for _, cost in rows))
