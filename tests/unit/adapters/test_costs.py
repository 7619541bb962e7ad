"""Whatever happened to a pool, its costs add up: to the microdollar, in every grouping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from claude_pool.adapters.costs import costs_view
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.views import View
from claude_pool.domain.costs import By, report
from claude_pool.domain.pool_events import FundsCharged, FundsSettled
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    TaskRejected,
    TaskSubmitted,
)
from claude_pool.domain.values import TaskSpec

from tests.support.spent_log import Life, write

ATTEMPTS = 250


@pytest.fixture(scope="module")
def life() -> Life:
    """Days of a pool in which everything happened that costs money."""
    return Life(seed=3).live(ATTEMPTS)


@pytest.fixture(scope="module")
def log(life: Life) -> Iterator[MemoryEventLog]:
    """Its log."""
    log = MemoryEventLog(default_codec())
    write(life, log)
    yield log
    log.close()


def view(log: MemoryEventLog, by: By) -> View:
    """What `cost --by` tells."""
    costs = log.index.costs
    return costs_view(report(by, costs.attempts(), costs.charges()), costs.allowance())


class Counted:
    """Every settlement of a log, counted from its events alone."""

    def __init__(self, log: MemoryEventLog) -> None:
        specs: dict[str, TaskSpec] = {}
        started: dict[str, AttemptStarted] = {}
        models: dict[str, str] = {}
        self.spent = self.attempts = 0
        self.by: dict[By, Counter[str | None]] = {by: Counter() for by in By}
        for recorded in log.read_all():
            match recorded.event:
                case TaskSubmitted(task_id, spec):
                    specs[task_id] = spec
                case AttemptStarted(number) as event:
                    started[f"{recorded.stream}.{number}"] = event
                case (
                    AttemptSucceeded(number, outcome)
                    | AttemptFailed(number, outcome)
                    | AttemptCancelled(number, outcome)
                    | AttemptSealed(number, outcome)
                ):
                    attempt = f"{recorded.stream}.{number}"
                    models[attempt] = outcome.model or started[attempt].model or ""
                case FundsSettled(attempt, cost):
                    task_id = attempt.partition(".")[0]
                    spec, part = specs[task_id], specs[task_id].part
                    self.attempts += 1
                    keys: dict[By, tuple[str | None, ...]] = {
                        By.TASK: (task_id,),
                        By.CHAIN: (part and part.chain_id,),
                        By.SLOT: (started[attempt].slot_id,),
                        By.MODEL: (models[attempt],),
                        By.TAG: tuple(set(spec.tags)) or (None,),
                        By.SKILL: (spec.skill and spec.skill.partition("@")[0],),
                        By.DAY: (date(recorded.meta.recorded_at),),
                    }
                    self._count(cost, keys)
                case FundsCharged(slot_id, cost):
                    self._count(cost, {By.SLOT: (slot_id,), By.DAY: (date(recorded.meta.recorded_at),)})
                case _:
                    pass

    def _count(self, cost: int, keys: dict[By, tuple[str | None, ...]]) -> None:
        self.spent += cost
        for by in By:
            self.by[by].update(dict.fromkeys(keys.get(by, (None,)), cost))


def date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def test_the_life_is_a_full_one(life: Life) -> None:
    seen = {type(fact.event) for facts, _ in life.appends for fact in facts}
    assert seen >= {
        *(AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed, TaskRejected, FundsCharged)
    }


@pytest.mark.parametrize("by", By)
def test_the_total_is_the_sum_of_all_attempts_and_charges(log: MemoryEventLog, by: By) -> None:
    counted, found = Counted(log), view(log, by)

    assert (found["total"]["attempts"], found["total"]["cost_microdollars"]) == (
        counted.attempts,
        counted.spent,
    )
    assert found["spent_microdollars"] == counted.spent


@pytest.mark.parametrize("by", By)
def test_each_row_is_the_sum_of_its_own(log: MemoryEventLog, by: By) -> None:
    shown: Counter[str | None] = Counter()
    for row in view(log, by)["rows"]:
        shown[row["key"]] += row["cost_microdollars"]

    assert shown == Counted(log).by[by]


def test_the_pool_knows_the_same_sum(life: Life, log: MemoryEventLog) -> None:
    assert view(log, By.MODEL)["spent_microdollars"] == life.story.world.open_pool().budget.spent
