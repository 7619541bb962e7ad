"""What attempts cost, as both kinds of log keep it."""

from __future__ import annotations

import pytest
from claude_pool.adapters.store.index_costs import Allowance, Wanted, day
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.costs import AttemptCost, Charge
from claude_pool.domain.pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    FundsCharged,
    FundsSettled,
    LimitsSet,
)
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    TaskSubmitted,
)
from claude_pool.domain.values import End, Options, Outcome, Part, TaskSpec, Text, Tokens

from tests.unit.adapters.store.samples import AT, OTHER, TASK, record, submitted

Log = MemoryEventLog | SqliteEventLog
NEXT_DAY = AT + 86_400_000


def run(log: Log, task_id: str, *, number: int = 1, cost: int = 100, at: int = AT, model: str = "m") -> None:
    """An attempt that succeeds and is settled at `at`."""
    outcome = Outcome(End.SUCCEEDED, model=model, cost=cost)
    ends = (AttemptStarted(number, "slot-0", at - 500), AttemptSucceeded(number, outcome, at))
    record(log, task_id, *ends, at=at)
    record(log, "pool", FundsSettled(f"{task_id}.{number}", cost), at=at)


def names(attempts: tuple[AttemptCost, ...]) -> list[str]:
    return [each.attempt for each in attempts]


def test_a_settled_attempt_has_all_that_is_known_of_it(log: Log) -> None:
    spec = TaskSpec(
        Text(), Options(model="opus"), tags=("a", 'b"'), part=Part("chain-x", "build", 2), skill="tests@0123"
    )
    record(log, TASK, TaskSubmitted(TASK, spec, "f", AT))
    outcome = Outcome(
        End.FAILED, "provider_error", turns=2, model="claude-opus", cost=70, tokens=Tokens(1, 2, 3, 4)
    )
    record(log, TASK, AttemptStarted(1, "slot-3", AT + 5, model="opus"), AttemptFailed(1, outcome, AT + 905))
    record(log, "pool", FundsSettled(f"{TASK}.1", 70, True, 20), at=NEXT_DAY)

    (attempt,) = log.index.costs.attempts()

    assert attempt == AttemptCost(
        attempt=f"{TASK}.1", task_id=TASK, number=1, position=4, settled_at=NEXT_DAY, day="2023-11-15",
        state="failed", code="provider_error", slot_id="slot-3", model="claude-opus", started_at=AT + 5,
        ended_at=AT + 905, cost=70, estimated=True, overdrawn=20, tokens=Tokens(1, 2, 3, 4), turns=2,
        chain_id="chain-x", step="build", run=2, skill="tests", skill_digest="0123", tags=("a", 'b"'),
    )  # fmt: skip


def test_an_attempt_that_runs_has_cost_nothing_yet(log: Log) -> None:
    record(log, TASK, submitted(), AttemptStarted(1, "slot-0", AT))

    assert log.index.costs.attempts() == ()


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (AttemptSucceeded, "succeeded"),
        (AttemptFailed, "failed"),
        (AttemptCancelled, "cancelled"),
        (AttemptSealed, "sealed"),
    ],
)
def test_an_attempt_is_in_the_state_of_its_end(log: Log, end: type[AttemptSucceeded], state: str) -> None:
    ended = end(1, Outcome(End.SUCCEEDED), AT)
    record(log, TASK, submitted(), AttemptStarted(1, "slot-0", AT, model="haiku"), ended)
    record(log, "pool", FundsSettled(f"{TASK}.1", 0))

    (attempt,) = log.index.costs.attempts()

    assert (attempt.state, attempt.model) == (state, "haiku")


def test_every_attempt_of_a_task_counts_for_itself(log: Log) -> None:
    record(log, TASK, submitted())
    run(log, TASK, cost=100)
    run(log, TASK, number=2, cost=30, model="n")

    found = log.index.costs.attempts()

    assert [(each.number, each.cost, each.model) for each in found] == [(1, 100, "m"), (2, 30, "n")]


def test_a_settlement_counts_whatever_else_is_known(log: Log) -> None:
    record(log, "pool", FundsSettled("task-unheard-of.3", 12), FundsSettled("odd", 5))

    found = log.index.costs.attempts()

    assert [(each.task_id, each.number, each.cost, each.tags) for each in found] == [
        ("task-unheard-of", 3, 12, ()),
        ("", 0, 5, ()),
    ]


def test_attempts_are_narrowed_by_time_and_by_whose_they_are(log: Log) -> None:
    spec = TaskSpec(Text(), tags=("red",), part=Part("chain-x", "build"))
    record(log, TASK, TaskSubmitted(TASK, spec, "f", AT))
    record(log, OTHER, TaskSubmitted(OTHER, TaskSpec(Text(), tags=("red%",)), "f", NEXT_DAY))
    run(log, TASK, at=AT, model="m")
    run(log, OTHER, at=NEXT_DAY, model="n")
    costs, first, second = log.index.costs, [f"{TASK}.1"], [f"{OTHER}.1"]

    assert names(costs.attempts()) == first + second
    assert names(costs.attempts(Wanted(since=AT + 1))) == second
    assert names(costs.attempts(Wanted(until=NEXT_DAY - 1))) == first
    assert names(costs.attempts(Wanted(model="n"))) == second
    assert names(costs.attempts(Wanted(tag="red"))) == first
    assert names(costs.attempts(Wanted(chain_id="chain-x"))) == first
    assert names(costs.attempts(Wanted(task_id=OTHER))) == second
    assert names(costs.attempts(Wanted(submitted_since=AT + 1))) == second
    assert names(costs.attempts(Wanted(submitted_until=NEXT_DAY - 1))) == first


def test_a_charge_is_kept_with_its_slot_and_reason(log: Log) -> None:
    record(log, "pool", FundsCharged("slot-1", 40, "stray"))
    record(log, "pool", FundsCharged("slot-2", 2, "stray"), at=NEXT_DAY)

    assert log.index.costs.charges() == (
        Charge(1, "slot-1", AT, "2023-11-14", "stray", 40),
        Charge(2, "slot-2", NEXT_DAY, "2023-11-15", "stray", 2),
    )
    assert [each.cost for each in log.index.costs.charges(since=AT + 1)] == [2]
    assert [each.cost for each in log.index.costs.charges(until=AT)] == [40]


def test_what_is_spent_of_the_limit_counts_since_the_budget_was_opened(log: Log) -> None:
    costs = log.index.costs
    assert costs.allowance() == Allowance(None, 0)
    record(log, "pool", BudgetOpened(1000), FundsSettled(f"{TASK}.1", 100))
    assert costs.allowance() == Allowance(1000, 100)
    record(log, "pool", BudgetOpened(1000), FundsSettled(f"{TASK}.2", 7), FundsCharged("slot-0", 3, "stray"))
    record(log, "pool", BudgetLimitChanged(500))
    assert costs.allowance() == Allowance(500, 10)
    record(log, "pool", LimitsSet("day", 20), LimitsSet("pool", 400, 300), LimitsSet("tag:red", 20))
    assert costs.allowance() == Allowance(400, 10)


def test_a_time_beyond_all_dates_has_the_nearest_one() -> None:
    assert (day(-5), day(1 << 62)) == ("1970-01-01", "9999-12-31")
