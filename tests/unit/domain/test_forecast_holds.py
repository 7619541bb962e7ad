"""Forecasts beside what then happens, when the real policies run the queue on a clock of the test's own.

Durations and costs are skewed, as real ones are: a few tasks take most of the time. History and queue come
from the same distribution, which the forecast does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from random import Random

import pytest
from claude_pool.domain import pool, task
from claude_pool.domain.forecast import Forecast, forecast
from claude_pool.domain.histories import History, Sample, Traits
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.workload import workload

from tests.support.domain_story import NOW, Story, end, outcome, submit, warmed

SLOTS = 4
FINISHED, WAITING = 200, 100
TIMES = 24
PAUSE_MS = 30 * 60_000


def ends_of(chance: Random, count: int) -> list[Sample]:
    """So many tasks: half take less than 20 s, one in a hundred more than 3 min; dear ones take longer."""
    found: list[Sample] = []
    for _ in range(count):
        ran_ms = int(chance.lognormvariate(9.9, 1.0))
        found.append(Sample(Traits(), ran_ms, int(ran_ms * chance.lognormvariate(-1.0, 0.5))))
    return found


class Play:
    """A pool with `WAITING` tasks whose ends are known to the test alone."""

    def __init__(self, seed: int, limit: int | None = None) -> None:
        chance = Random(seed)
        self.history = History(ends_of(chance, FINISHED))
        self.story: Story = warmed(Settings(slots=SLOTS, session="slot"), limit)
        self.ends = {submit(self.story, n): end for n, end in enumerate(ends_of(chance, WAITING))}
        self.spent = self.unpaid = 0
        self.now = NOW
        self.dry_at: int | None = None
        self.story.settle(self.now)

    def foreseen(self, seed: int = 0) -> Forecast:
        """What is said now."""
        found = forecast(self.history, workload(self.story.world, self.now, owned=True), self.now, seed)
        assert isinstance(found, Forecast), found
        return found

    def until(self, moment: int | None = None) -> None:
        """Let everything happen until then, or until nothing is left to do."""
        world = self.story.world
        while world.tasks:
            running = [
                (state.live.started_at + self.ends[name].ran_ms, name)
                for name, state in world.tasks.items()
                if isinstance(state, task.Running)
            ]
            wake = next_wake(world)
            happens = [*running, *([] if wake is None else [(wake, "")])]
            at, name = min(happens)
            if moment is not None and at > moment:
                break
            self.now = max(self.now, at)
            if name:
                end(self.story, name, outcome(cost=self.ends[name].cost), now=self.now)
                self.spent += self.ends[name].cost
            refused = [c for c in self.story.settle(self.now) if isinstance(c, task.FailTask)]
            if refused and self.dry_at is None:
                self.dry_at = self.now
            self.unpaid += len(refused)
        self.now = self.now if moment is None else moment


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
    assert 0.6 <= share([said.finish.p10 <= actual <= said.finish.p90 for actual, said in finish])
    assert 0.75 <= share([actual <= said.spend.p90 for actual, said in spend]) <= 1
    assert 0.25 <= share([actual <= said.spend.p50 for actual, said in spend]) <= 0.75
    assert 0.6 <= share([said.spend.p10 <= actual <= said.spend.p90 for actual, said in spend])


def test_a_pause_moves_the_finish_by_its_length() -> None:
    actual: list[tuple[int, Forecast]] = []
    for seed in range(TIMES):
        play = Play(seed)
        play.until(NOW + 5 * 60_000)
        before = play.foreseen()
        play.story.do(pool.PausePool("usage limit", play.now + PAUSE_MS))
        said = play.foreseen()
        for earlier, later in zip(
            (before.finish.p50, before.finish.p90), (said.finish.p50, said.finish.p90), strict=True
        ):
            assert 0.9 * PAUSE_MS <= later - earlier <= PAUSE_MS  # what runs goes on meanwhile
        play.until()
        actual.append((play.now, said))
    print(sorted(round((a - s.finish.p10)/(s.finish.p90-s.finish.p10),2) for a,s in actual))
    assert 0.75 <= share([now <= said.finish.p90 for now, said in actual]) <= 1
    assert 0.25 <= share([now <= said.finish.p50 for now, said in actual]) <= 0.75


def test_a_budget_that_dries_out_does_so_when_the_forecast_said() -> None:
    limit = 800_000
    found: list[tuple[int, Forecast]] = []
    for seed in range(TIMES):
        play = Play(seed, limit)
        said = play.foreseen()
        play.until()
        d=said.dry_out; print(seed, (play.dry_at-d.p50)//1000, (d.p50-NOW)//1000, (d.p90-d.p50)//1000, play.spent, (play.now-said.finish.p50)//1000, (said.finish.p90-said.finish.p50)//1000, said.unpaid, play.unpaid)
        found.append((play.dry_at, said))
