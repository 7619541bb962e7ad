"""What an attempt reserves, who waits for money, and that nothing leaks."""

from __future__ import annotations

import pytest
from claude_pool.domain import ledger, pool, task
from claude_pool.domain.budgets import BudgetStatus, budget_status
from claude_pool.domain.funding import ANY_PRICE, Funding, Unaffordable, funding
from claude_pool.domain.pool_events import FundsReserved, FundsSettled, Settings
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.task import Job
from claude_pool.domain.task_events import TaskParked
from claude_pool.domain.values import End, TaskSpec

from tests.support.domain_story import NOW, Story, answer_launches, end, outcome, spec, submit, warmed

TODAY = ("day:1970-01-01",)
KEEP = Settings(slots=2, session="slot")
"""Two slots that need no clearing between tasks."""


def price(story: Story, order: TaskSpec) -> Funding | Unaffordable:
    """What the task's first attempt would reserve now."""
    return funding(story.world, Job("task-aaaaaaaaaaaaaaaa", order, "", NOW), ANY_PRICE, NOW)


def test_without_any_limit_nothing_is_reserved() -> None:
    assert price(warmed(), spec()) == Funding(0, None, TODAY)


def test_a_tasks_own_limit_is_reserved_whole_and_interrupts() -> None:
    assert price(warmed(limit=100), spec(max_budget=30)) == Funding(30, 30, TODAY)
    assert price(warmed(), spec(max_budget=30)) == Funding(30, 30, TODAY)


def test_the_pools_limit_for_a_task_stands_in_for_its_own() -> None:
    assert price(warmed(Settings(task_budget=20), limit=100), spec()) == Funding(20, 20, TODAY)
    assert price(warmed(Settings(task_budget=20), limit=100), spec(max_budget=30)) == Funding(30, 30, TODAY)


def test_a_task_without_a_limit_takes_an_equal_share_for_each_free_slot() -> None:
    story = warmed(Settings(slots=3), limit=100)
    assert price(story, spec()) == Funding(33, None, TODAY)
    submit(story, 0)
    submit(story, 1)
    story.settle()
    assert [e.amount for e in story.events_of("pool") if isinstance(e, FundsReserved)] == [33, 33]
    waiting = price(story, spec(max_budget=35))
    assert isinstance(waiting, Unaffordable)
    assert (waiting.why, waiting.level.free) == ("reserved", 34)


def test_the_last_microdollar_can_be_reserved() -> None:
    assert price(warmed(Settings(slots=3), limit=1), spec()) == Funding(1, None, TODAY)


def test_an_attempt_may_reserve_what_its_earlier_ones_left() -> None:
    story = warmed(KEEP, limit=100)
    task_id = submit(story, 0, spec(max_budget=50, retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True, cost=20))
    story.settle(NOW + 1_000)
    assert (story.running(task_id).reserved, story.running(task_id).cap) == (30, 30)


def test_a_task_that_spent_its_whole_budget_is_given_up() -> None:
    story = warmed(KEEP)
    task_id = submit(story, 0, spec(max_budget=50, retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True, cost=50))
    story.settle(NOW + 1_000)
    after = story.state_of(task_id)
    assert isinstance(after, task.Failed)
    assert (after.code, after.message) == (
        "task_budget_reached",
        "Its earlier attempts spent its whole budget.",
    )


def test_a_settlement_gives_the_rest_of_the_reservation_back() -> None:
    story = warmed(KEEP, limit=100)
    task_id = submit(story, 0, spec(max_budget=80))
    story.settle()
    end(story, task_id, outcome(cost=30))
    assert budget_status(story.world) == BudgetStatus(100, 30, 0, 70, ())


def test_what_an_attempt_took_above_its_reservation_is_overdrawn() -> None:
    story = warmed(KEEP, limit=100)
    task_id = submit(story, 0, spec(max_budget=80))
    story.settle()
    end(story, task_id, outcome(cost=120))
    assert story.events_of("pool")[-1] == FundsSettled(
        f"{task_id}.1", 120, False, overdrawn=40, accounts=TODAY
    )
    assert budget_status(story.world) == BudgetStatus(100, 120, 0, 0, ())


def test_the_status_names_every_open_reservation() -> None:
    story = warmed(KEEP, limit=100)
    second, first = submit(story, 1, spec(max_budget=30)), submit(story, 0, spec(max_budget=20))
    story.settle()
    assert budget_status(story.world) == BudgetStatus(
        100, 0, 50, 50, ((f"{first}.1", 20), (f"{second}.1", 30))
    )


def test_without_a_limit_the_spend_is_counted() -> None:
    story = warmed(KEEP)
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id, outcome(cost=30))
    assert budget_status(story.world) == BudgetStatus(None, 30, 0, None, ())


def short_of_money() -> tuple[Story, str, str]:
    """One task runs with most of the money; another, parked, cannot be paid meanwhile."""
    story = warmed(KEEP, limit=100)
    rich = submit(story, 0, spec(max_budget=80))
    poor = submit(story, 1, spec(max_budget=30))
    story.settle()
    return story, rich, poor


def test_a_task_that_cannot_be_paid_for_now_is_parked() -> None:
    story, _, poor = short_of_money()
    assert story.events_of(poor)[-1] == TaskParked("budget")
    assert waiting_for(story.world, story.world.tasks[poor]) == "budget"


def test_a_parked_task_runs_as_soon_as_it_can_be_paid() -> None:
    story, rich, poor = short_of_money()
    end(story, rich, outcome(cost=10))
    story.settle()
    assert poor in story.world.running


@pytest.mark.parametrize(
    "command", [ledger.SetLimits("pool", 200, None), ledger.SetLimits("pool", None, None)]
)
def test_a_parked_task_runs_as_soon_as_the_limit_allows_it(command: ledger.SetLimits) -> None:
    story, _, poor = short_of_money()
    story.do(command)
    story.settle()
    assert poor in story.world.running


def test_a_parked_task_is_given_up_when_its_money_is_spent() -> None:
    story, rich, poor = short_of_money()
    end(story, rich, outcome(cost=80))
    story.settle()
    after = story.state_of(poor)
    assert isinstance(after, task.Failed)
    assert (after.code, "$0.000080 spent" in after.message) == ("budget_exceeded", True)


def test_a_pending_task_is_given_up_when_its_money_is_spent() -> None:
    story = warmed(Settings(slots=1, session="slot"), limit=100)
    rich = submit(story, 0, spec(max_budget=80))
    poor = submit(story, 1, spec(max_budget=30))
    story.settle()
    end(story, rich, outcome(cost=80))
    story.settle()
    assert isinstance(story.state_of(poor), task.Failed)


def test_a_task_that_cannot_be_paid_blocks_no_cheaper_one_behind_it() -> None:
    story, _, poor = short_of_money()
    cheap = submit(story, 2, spec(max_budget=20))
    story.settle()
    assert cheap in story.world.running
    assert poor in story.world.parked


def test_of_tasks_parked_for_money_the_first_in_the_queue_gets_it() -> None:
    story = warmed(KEEP, limit=100)
    rich = submit(story, 0, spec(max_budget=90))
    story.settle()
    low = submit(story, 1, spec(max_budget=60))
    story.settle()
    high = submit(story, 2, spec(max_budget=60, priority=1))
    story.settle()
    assert set(story.world.parked) == {low, high}
    late = submit(story, 3, spec(max_budget=60), now=NOW + 1)
    end(story, rich, outcome())
    story.settle()
    assert list(story.world.running) == [high]
    assert {low, late} == set(story.world.parked)


def test_the_log_of_many_tasks_short_of_money_grows_with_their_number_only() -> None:
    story = warmed(KEEP, limit=100)
    for number in range(30):
        submit(story, number, spec(max_budget=60))
        story.settle()
    before = len(story.log)
    for _ in range(30):
        end(story, next(iter(story.world.running)))
        story.settle()
    assert story.world.completed == 30
    assert len(story.log) - before <= 30 * 10


def test_money_comes_back_too_late_for_a_slot_that_is_not_free() -> None:
    story = warmed(Settings(slots=3, session="slot"), limit=100)
    rich = submit(story, 0, spec(max_budget=70))
    poor = submit(story, 1, spec(max_budget=40))
    story.settle()
    submit(story, 2, spec(max_budget=10))
    submit(story, 3, spec(max_budget=10))
    story.settle()
    end(story, rich, outcome())
    submit(story, 4, spec(max_budget=5, priority=1))
    story.settle()
    assert poor in story.world.parked
    end(story, next(iter(story.world.running)))
    story.settle()
    assert poor in story.world.running


def test_a_reset_counts_anew_and_keeps_open_reservations() -> None:
    story, rich, _ = short_of_money()
    story.do(ledger.ChargeFunds("slot-0", 15, "unsolicited"))
    story.do(ledger.ResetBudget())
    assert budget_status(story.world) == BudgetStatus(100, 0, 80, 20, ((f"{rich}.1", 80),))
    end(story, rich, outcome(cost=25))
    assert budget_status(story.world).spent == 25


def test_a_limit_below_what_is_spent_stops_new_attempts_only() -> None:
    story, rich, poor = short_of_money()
    story.do(ledger.SetLimits("pool", 50, None))
    story.settle()
    assert rich in story.world.running
    assert budget_status(story.world).free == 0
    assert poor in story.world.parked


def test_a_task_that_can_be_paid_again_but_not_run_stays_parked() -> None:
    story = warmed(KEEP, limit=100)
    talks = submit(story, 0, spec(max_budget=10))
    rich = submit(story, 1, spec(max_budget=80))
    story.settle()
    poor = submit(story, 2, spec(max_budget=30, session=f"resume:{story.running(talks).session}"))
    spare = submit(story, 3, spec(max_budget=5))
    story.do(pool.SetTargetSlots(3))
    story.settle()
    answer_launches(story)
    story.settle()
    assert poor in story.world.parked
    end(story, rich)
    end(story, spare)
    story.settle()
    assert poor in story.world.parked
    end(story, talks)
    story.settle()
    assert poor in story.world.running
