"""Forecasts beside what then happens, when the real policies run the queue on a clock of the test's own.

Durations and costs are skewed, as real ones are: a few tasks take most of the time. History and queue come
from the same distribution, which the forecast does not know.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from random import Random

import pytest
from claude_pool.domain import pool, task
from claude_pool.domain.attempts import RecordSpend
from claude_pool.domain.forecast import DryOut, Forecast, forecast
from claude_pool.domain.funding import Quote
from claude_pool.domain.histories import History, Sample, Traits
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.workload import workload

from tests.support.domain_story import NOW, Story, end, outcome, submit, warmed

pytestmark = (
    pytest.mark.no_cover
)  # traced it takes three times as long, and covers nothing that no other test does

SLOTS = 4
FINISHED, WAITING = 200, 100
TIMES, FEWER = 20, 12
PAUSE_MS = 30 * 60_000
MOST_A_CALL = 1_000
"""What a call of the model costs at worst (microdollars); a task makes twenty such on average."""


def price(_model: str | None, _context: int, _mode: str | None) -> Quote:
    """What a call costs."""
    return Quote(1, MOST_A_CALL)


def ends_of(chance: Random, count: int) -> list[Sample]:
    """So many tasks: half take less than 20 s, one in a hundred more than 3 min; dear ones take longer."""
    found: list[Sample] = []
    for _ in range(count):
        ran_ms = int(chance.lognormvariate(9.9, 1.0))
        found.append(Sample(Traits(), ran_ms, int(ran_ms * chance.lognormvariate(-1.0, 0.5))))
    return found


class Play:
    """A pool with `WAITING` tasks whose ends are known to the test alone.

    What a running task costs grows evenly, and all ends when a limit is reached.
    """

    def __init__(self, seed: int, limit: int | None = None) -> None:
        chance = Random(seed)
        self.history = History(ends_of(chance, FINISHED))
        self.story: Story = warmed(Settings(slots=SLOTS, session="slot"), limit)
        self.story.surroundings = Surroundings({}, price)
        self.ends = {submit(self.story, n): end for n, end in enumerate(ends_of(chance, WAITING))}
        self.limit = limit
        self.now = NOW
        self.spent = self.unpaid = 0
        self.story.settle(self.now)

    def foreseen(self) -> Forecast:
        """What is said now."""
        found = forecast(self.history, workload(self.story.world, self.now, owned=True), self.now, 0)
        assert isinstance(found, Forecast), found
        return found

    def running(self) -> dict[str, int]:
        """What runs, and since when."""
        tasks = self.story.world.tasks.items()
        return {name: at.live.started_at for name, at in tasks if isinstance(at, task.Running)}

    def cost(self, name: str, since: int, now: int) -> int:
        """What a task that began at `since` has cost until `now`."""
        whole = self.ends[name]
        return whole.cost * (now - since) // whole.ran_ms

    def until(self, moment: int | None = None) -> None:
        """Let everything happen until then, or until nothing is left to do."""
        while self.story.world.tasks:
            running = self.running()
            wake = next_wake(self.story.world)
            happens = [(since + self.ends[name].ran_ms, name) for name, since in running.items()]
            at, name = min([*happens, *([] if wake is None else [(wake, "")])])
            if moment is not None and at > moment:
                self.now = moment
                return
            if self.limit is not None and self.used(running, at) >= self.limit:
                moments = range(self.now, at)
                self.now += bisect_left(moments, self.limit, key=lambda t: self.used(running, t))
                self.unpaid = len(self.story.world.tasks)
                assert self.interrupted(), "the policies let what runs go on"
                return
            self.now = at
            if name:
                self.spent += self.ends[name].cost
                end(self.story, name, outcome(cost=self.ends[name].cost), now=self.now)
            self.story.settle(self.now)

    def interrupted(self) -> bool:
        """Whether the pool ends an attempt when it hears what all have cost until now."""
        for name, since in self.running().items():
            self.story.do(RecordSpend(name, 1, self.cost(name, since, self.now), self.now))
        return any(isinstance(t, task.Running) and t.live.interrupt for t in self.story.world.tasks.values())

    def used(self, running: dict[str, int], now: int) -> int:
        """What is spent, and what runs has cost until `now`."""
        return self.spent + sum(self.cost(name, since, now) for name, since in running.items())


def share(found: Sequence[bool]) -> float:
    """In how many of all it is so."""
    return sum(found) / len(found)


def test_finish_and_spend_come_out_where_the_forecast_said() -> None:
    finish: list[tuple[int, Forecast]] = []
    spend: list[tuple[int, Forecast]] = []
    for seed in range(TIMES):
        play = Play(seed)
        said = play.foreseen()
        assert said.tasks == WAITING
        play.until()
        finish.append((play.now, said))
        spend.append((play.spent, said))
    assert 0.75 <= share([actual <= said.finish.p90 for actual, said in finish]) <= 1
    assert 0.25 <= share([actual <= said.finish.p50 for actual, said in finish]) <= 0.75
    assert share([said.finish.p10 <= actual <= said.finish.p90 for actual, said in finish]) >= 0.6
    assert 0.75 <= share([actual <= said.spend.p90 for actual, said in spend]) <= 1
    assert 0.25 <= share([actual <= said.spend.p50 for actual, said in spend]) <= 0.75
    assert share([said.spend.p10 <= actual <= said.spend.p90 for actual, said in spend]) >= 0.6


def test_a_pause_moves_the_finish_by_its_length() -> None:
    finish: list[tuple[int, Forecast]] = []
    for seed in range(FEWER):
        play = Play(seed)
        play.until(NOW + 5 * 60_000)
        before = play.foreseen().finish
        play.story.do(pool.PausePool("usage limit", play.now + PAUSE_MS))
        said = play.foreseen()
        for earlier, later in ((before.p50, said.finish.p50), (before.p90, said.finish.p90)):
            assert 0.9 * PAUSE_MS <= later - earlier <= PAUSE_MS  # what runs goes on meanwhile
        play.until()
        finish.append((play.now, said))
    assert 0.75 <= share([actual <= said.finish.p90 for actual, said in finish]) <= 1
    assert 0.25 <= share([actual <= said.finish.p50 for actual, said in finish]) <= 0.75


def test_a_budget_dries_out_when_the_forecast_said() -> None:
    found: list[tuple[int, DryOut]] = []
    unpaid: list[tuple[int, Forecast]] = []
    for seed in range(FEWER):
        play = Play(seed, limit=800_000)
        said = play.foreseen()
        assert said.dry_out is not None and said.dry_out.share > 0.95
        play.until()
        found.append((play.now, said.dry_out))
        unpaid.append((play.unpaid, said))
    assert 0.75 <= share([actual <= (dry.p90 or 0) for actual, dry in found]) <= 1
    assert 0.25 <= share([actual <= (dry.p50 or 0) for actual, dry in found]) <= 0.75
    assert share([said.unpaid.p10 <= actual <= said.unpaid.p90 for actual, said in unpaid]) >= 0.6
