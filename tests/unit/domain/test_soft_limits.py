"""Soft limits: new work waits, somebody is asked once, and the answer holds until other limits do."""

from __future__ import annotations

import pytest
from claude_pool.domain import ledger, pool, task
from claude_pool.domain.attempts import Claim, RecordSpend
from claude_pool.domain.budgets import ScopeStatus, scope_statuses
from claude_pool.domain.errors import BudgetExceeded, InvalidArgument, NotFound
from claude_pool.domain.ledger import Asked, Ruling, SetLimits
from claude_pool.domain.pool_events import Settings, SoftLimitAsked
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.soft_limits import (
    AnswerSoftLimit,
    AskSoftLimit,
    decide,
    held,
    open_questions,
    question_text,
    reached,
)
from claude_pool.domain.task_events import TaskUnparked
from claude_pool.domain.values import TaskSpec

from tests.support.domain_chains import text
from tests.support.domain_story import NOW, Story, end, opened, outcome, spec, submit, task_name, warmed

KEEP = Settings(slots=2, session="slot")
TWO_DAYS = 2 * 86_400_000
TODAY = "day:1970-01-01"
NIGHT = TaskSpec(text("work"), tags=("night",))


def spent(scope: str, soft: int, amount: int, limit: int | None = None) -> Story:
    """A warm pool whose `scope` has a soft limit and in which `amount` is spent, tagged `night`."""
    story = warmed(KEEP)
    story.do(SetLimits(scope, limit, soft))
    if amount:
        submit(story, 9, NIGHT)
        story.settle()
        end(story, task_name(9), outcome(cost=amount))
        story.settle()
    return story


def budget(story: Story) -> ledger.Budget:
    """The pool's money."""
    return story.world.open_pool().budget


def asked(story: Story, now: int = NOW) -> Asked:
    """The only question."""
    (question,) = open_questions(budget(story), now)
    return question


def answer(story: Story, choice: str, amount: int | None = None, now: int = NOW) -> None:
    """Somebody answers the only question."""
    story.do(AnswerSoftLimit(asked(story, now).question_id, choice, amount, now))
    story.settle(now)


def parked(story: Story, task_id: str) -> task.Parked:
    """A task that waits for something."""
    state = story.world.tasks[task_id]
    assert isinstance(state, task.Parked)
    return state


@pytest.mark.parametrize(("scope", "account"), [("pool", ""), ("day", TODAY), ("tag:night", "tag:night")])
def test_a_soft_limit_that_is_spent_is_asked_about_once(scope: str, account: str) -> None:
    story = spent(scope, 10, 12)
    (question,) = [each for each in story.events_of("pool") if isinstance(each, SoftLimitAsked)]
    assert question == SoftLimitAsked(asked(story).question_id, scope, account, 10, 12, NOW)
    assert story.wanted() is None
    assert decide(AskSoftLimit(scope, NOW), budget(story)) == ()


def test_nobody_is_asked_below_it_or_without_it() -> None:
    assert open_questions(budget(spent("pool", 10, 9)), NOW) == ()
    assert decide(AskSoftLimit("day", NOW), budget(spent("pool", 10, 9))) == ()


def test_new_work_waits_for_the_answer() -> None:
    story = spent("pool", 10, 10)
    waiting = submit(story, 0)
    story.settle()
    assert (parked(story, waiting).reason, parked(story, waiting).until) == ("soft_limit", None)
    assert waiting_for(story.world, story.world.tasks[waiting]) == "soft_limit"


def test_work_that_the_soft_limit_does_not_concern_goes_on() -> None:
    story = spent("tag:night", 10, 10)
    other = submit(story, 0)
    story.settle()
    assert other in story.world.running


def test_a_task_is_accepted_where_a_soft_limit_is_reached_and_waits() -> None:
    story = spent("tag:night", 10, 10)
    waiting = submit(story, 0, NIGHT)
    story.settle()
    assert parked(story, waiting).reason == "soft_limit"


def test_what_is_only_reserved_up_to_a_soft_limit_asks_nobody() -> None:
    story = spent("pool", 10, 0)
    first = submit(story, 0, spec(max_budget=12))
    story.settle()
    second = submit(story, 1)
    story.settle()
    assert story.running(first).reserved == 12
    assert parked(story, second).reason == "budget"
    assert open_questions(budget(story), NOW) == ()
    end(story, first, outcome(cost=3))
    story.settle()
    assert second in story.world.running


def test_who_waited_for_reservations_waits_for_the_answer_once_they_are_spent() -> None:
    story = spent("pool", 10, 0)
    first = submit(story, 0, spec(max_budget=12))
    story.settle()
    second = submit(story, 1)
    story.settle()
    assert waiting_for(story.world, story.world.tasks[second]) == "budget"
    end(story, first, outcome(cost=11))
    story.settle()
    assert waiting_for(story.world, story.world.tasks[second]) == "soft_limit"
    answer(story, "continue")
    assert second in story.world.running


def test_the_first_attempts_share_what_is_left_of_a_soft_limit() -> None:
    story = spent("pool", 10, 4, limit=1_000)
    first, second = submit(story, 0), submit(story, 1)
    story.settle()
    assert [story.running(each).reserved for each in (first, second)] == [3, 3]


def test_what_runs_is_topped_up_beyond_the_soft_limit() -> None:
    story = spent("pool", 10, 0, limit=1_000)
    first = submit(story, 0)
    story.settle()
    story.do(RecordSpend(first, 1, 50, NOW))
    assert budget(story).reserved == 55
    assert not story.running(first).ending


def test_a_claim_by_hand_passes_over_no_soft_limit() -> None:
    story = spent("pool", 10, 10)
    waiting = submit(story, 0)
    with pytest.raises(BudgetExceeded, match=r"limit \$0\.000010"):
        story.do(Claim(waiting, "slot-0", "", NOW))


# Answers.


def test_continue_lifts_the_soft_limit_up_to_the_hard_one() -> None:
    story = spent("pool", 10, 10, limit=100)
    waiting = submit(story, 0)
    story.settle()
    answer(story, "continue")
    assert waiting in story.world.running
    assert budget(story).soft_level("") is None
    end(story, waiting, outcome(cost=40))
    story.settle()
    assert open_questions(budget(story), NOW) == ()


def test_continue_with_an_amount_asks_again_when_so_much_more_is_spent() -> None:
    story = spent("pool", 10, 14)
    answer(story, "continue", 6)
    assert budget(story).rulings == {"pool": Ruling("", 20)}
    first = submit(story, 0)
    story.settle()
    end(story, first, outcome(cost=5))
    story.settle()
    assert open_questions(budget(story), NOW) == ()
    second = submit(story, 1)
    story.settle()
    end(story, second, outcome(cost=1))
    story.settle()
    assert (asked(story).soft, asked(story).spent) == (20, 20)
    questions = [each for each in story.events_of("pool") if isinstance(each, SoftLimitAsked)]
    assert len({each.question_id for each in questions}) == 2


def test_more_money_is_at_most_what_the_hard_limit_leaves() -> None:
    story = spent("pool", 10, 10, limit=12)
    answer(story, "continue", 1_000)
    assert budget(story).rulings["pool"].soft == 12


def test_waiting_work_goes_on_one_at_a_time() -> None:
    story = spent("pool", 10, 10)
    for number in range(5):
        submit(story, number)
    story.settle()
    before = len(story.log)
    answer(story, "continue")
    events = [r.event for r in story.log[before:]]
    assert sum(isinstance(each, TaskUnparked) for each in events) == 2
    assert len(story.world.running) == 2


def test_stop_gives_up_what_waits_and_refuses_more() -> None:
    story = spent("pool", 10, 10, limit=100)
    waiting = submit(story, 0)
    story.settle()
    answer(story, "stop")
    failed = story.state_of(waiting)
    assert isinstance(failed, task.Failed)
    assert failed.code == "budget_exceeded"
    with pytest.raises(BudgetExceeded):
        submit(story, 1)


def test_stop_leaves_what_runs_its_reservation_and_no_more() -> None:
    story = spent("pool", 10, 0, limit=100)
    first, second = submit(story, 0, spec(max_budget=4)), submit(story, 1)
    story.settle()
    story.do(ledger.ChargeFunds("slot-0", 10, "unsolicited", NOW))
    story.settle()
    assert budget(story).reserved == 4 + 5
    answer(story, "stop")
    assert budget(story).level("") == ledger.Level("the pool", 19, 10, 9)
    story.do(RecordSpend(second, 1, 5, NOW))
    assert story.running(second).interrupt == "task_budget_reached"
    end(story, first, outcome(cost=0))
    end(story, second, outcome(cost=0))
    with pytest.raises(BudgetExceeded, match="19"):
        submit(story, 2)


@pytest.mark.parametrize(("scope", "state"), [("pool", task.Failed), ("day", task.Parked)])
def test_what_waits_does_not_get_what_is_left_over_when_running_work_was_stopped(
    scope: str, state: type[task.Known]
) -> None:
    story = spent(scope, 10, 0, limit=100)
    running = submit(story, 0, spec(max_budget=60))
    story.settle()
    story.do(ledger.ChargeFunds("slot-0", 10, "unsolicited", NOW))
    waiting = submit(story, 1)
    story.settle()
    answer(story, "stop")
    end(story, running, outcome(cost=1))
    story.settle()
    assert isinstance(story.state_of(waiting), state)


def test_stop_raises_no_limit_that_is_overdrawn() -> None:
    story = spent("pool", 10, 0, limit=100)
    submit(story, 0, spec(max_budget=60))
    story.settle()
    story.do(ledger.ChargeFunds("slot-0", 10, "unsolicited", NOW))
    story.do(SetLimits("pool", 40, 10))
    story.settle()
    answer(story, "stop")
    assert budget(story).level("") == ledger.Level("the pool", 40, 10, 60)


def test_stop_without_a_hard_limit_stops_too() -> None:
    story = spent("tag:night", 10, 11)
    answer(story, "stop")
    assert budget(story).level("tag:night") == ledger.Level("tag:night", 11, 11, 0)
    with pytest.raises(BudgetExceeded, match="tag:night"):
        submit(story, 0, NIGHT)
    other = submit(story, 1)
    story.settle()
    assert other in story.world.running


def test_only_an_open_question_is_answered() -> None:
    story = spent("pool", 10, 10)
    with pytest.raises(NotFound, match="question"):
        story.do(AnswerSoftLimit("question-other", "continue", None, NOW))


@pytest.mark.parametrize(
    ("choice", "amount"), [("allow", None), ("stop", 5), ("continue", 0), ("continue", -1)]
)
def test_it_has_only_these_answers(choice: str, amount: int | None) -> None:
    with pytest.raises(InvalidArgument):
        answer(spent("pool", 10, 10), choice, amount)


# What closes a question without an answer.


def closings() -> list[ledger.MoneyCommand]:
    """Changes after which nobody waits for an answer any more."""
    return [SetLimits("pool", None, 50), SetLimits("pool", None, None), ledger.ResetBudget()]


@pytest.mark.parametrize("command", closings())
def test_other_limits_and_a_reset_close_the_question(command: ledger.MoneyCommand) -> None:
    story = spent("pool", 10, 10)
    waiting = submit(story, 0)
    story.settle()
    question = asked(story).question_id
    story.do(command)
    story.settle()
    assert open_questions(budget(story), NOW) == ()
    assert waiting in story.world.running
    with pytest.raises(NotFound):
        story.do(AnswerSoftLimit(question, "stop", None, NOW))


def test_limits_that_are_reached_as_well_are_a_new_question() -> None:
    story = spent("pool", 10, 10)
    first = asked(story).question_id
    story.do(SetLimits("pool", None, 5))
    story.settle()
    assert asked(story).question_id != first


@pytest.mark.parametrize("choice", ["stop", "continue"])
def test_the_same_limits_set_again_lift_what_was_said(choice: str) -> None:
    story = spent("pool", 10, 10, limit=100)
    answer(story, choice)
    story.do(SetLimits("pool", 100, 10))
    story.settle()
    assert (budget(story).rulings, asked(story).soft) == ({}, 10)
    assert story.do(SetLimits("pool", 100, 10)) == ()


def test_a_reset_lifts_what_was_said() -> None:
    story = spent("pool", 10, 10, limit=100)
    answer(story, "stop")
    story.do(ledger.ResetBudget())
    assert (budget(story).level(""), budget(story).soft) == (ledger.Level("the pool", 100, 0, 0), 10)


def start_owner(story: Story, limit: int) -> None:
    """Another owner takes the pool, with a limit of its own."""
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(), limit, True, NOW))


def test_another_limit_of_a_new_owner_closes_the_question() -> None:
    story = spent("pool", 10, 10, limit=100)
    start_owner(story, limit=50)
    assert open_questions(budget(story), NOW) == ()
    assert list(reached(budget(story), NOW)) == ["pool"]


def test_a_hard_limit_that_is_reached_too_leaves_nothing_to_ask() -> None:
    story = spent("pool", 10, 10, limit=20)
    story.do(ledger.ChargeFunds("slot-0", 10, "unsolicited", NOW))
    story.settle()
    assert open_questions(budget(story), NOW) == ()
    assert open_questions(budget(spent("pool", 10, 10, limit=10)), NOW) == ()


def test_who_stops_the_pool_asks_nobody() -> None:
    story = spent("pool", 10, 9)
    story.do(pool.StopOwner())
    story.do(ledger.ChargeFunds("slot-0", 10, "unsolicited", NOW))
    story.settle()
    assert open_questions(budget(story), NOW) == ()


# Days.


def test_the_question_of_a_day_ends_with_it_and_its_work_goes_on() -> None:
    story = spent("day", 10, 10)
    waiting = submit(story, 0)
    story.settle()
    assert parked(story, waiting).until == TWO_DAYS // 2
    question = asked(story).question_id
    story.settle(TWO_DAYS // 2)
    assert waiting in story.world.running
    assert open_questions(budget(story), TWO_DAYS // 2) == ()
    with pytest.raises(NotFound):
        story.do(AnswerSoftLimit(question, "stop", None, TWO_DAYS // 2))


@pytest.mark.parametrize("choice", ["stop", "continue"])
def test_what_is_said_of_a_day_holds_for_that_day(choice: str) -> None:
    story = spent("day", 10, 10)
    answer(story, choice)
    assert budget(story).level("day:1970-01-02") is None
    tomorrow = budget(story).soft_level("day:1970-01-02")
    assert tomorrow == ledger.Level("day:1970-01-02", 10, 0, 0)


def test_work_that_was_stopped_for_a_day_waits_for_the_next() -> None:
    story = spent("day", 10, 10)
    answer(story, "stop")
    waiting = submit(story, 0)
    story.settle()
    assert (parked(story, waiting).reason, parked(story, waiting).until) == ("budget", TWO_DAYS // 2)
    story.settle(TWO_DAYS // 2)
    assert waiting in story.world.running


def test_the_same_soft_limit_asks_again_another_day() -> None:
    story = spent("day", 10, 10)
    first = asked(story).question_id
    story.do(ledger.ChargeFunds("slot-0", 11, "unsolicited", TWO_DAYS))
    story.settle(TWO_DAYS)
    again = asked(story, TWO_DAYS)
    assert (again.account, again.spent) == ("day:1970-01-03", 11)
    assert again.question_id != first


# Several levels.


def test_the_strictest_level_decides() -> None:
    story = spent("pool", 10, 10)
    story.do(SetLimits("tag:night", None, 5))
    story.do(ledger.SettleFunds("late.1", 7, False, ("tag:night",)))
    story.settle()
    pool_asked, tag_asked = open_questions(budget(story), NOW)
    accounts = (TODAY, "tag:night")
    story.do(AnswerSoftLimit(pool_asked.question_id, "continue", None, NOW))
    why = held(budget(story), accounts)
    assert why is not None and (why.why, why.level.name) == ("asked", "tag:night")
    story.do(AnswerSoftLimit(tag_asked.question_id, "stop", None, NOW))
    why = held(budget(story), accounts)
    assert why is not None and why.why == "stopped"
    assert held(budget(story), (TODAY,)) is None


# Views.


def test_every_account_is_shown_with_the_limits_in_force_and_its_question() -> None:
    story = spent("pool", 10, 12, limit=100)
    story.do(SetLimits("tag:night", 50, None))
    whole, today, night = scope_statuses(story.world, NOW)
    assert whole == ScopeStatus("pool", "", 100, 10, 12, 0, 88, False, asked(story).question_id)
    assert today == ScopeStatus("day", TODAY, None, None, 12, 0, None, False, None)
    assert night == ScopeStatus("tag:night", "tag:night", 50, None, 0, 0, 50, False, None)
    assert pool_status(story.world, "").open_questions == 1
    answer(story, "stop")
    assert scope_statuses(story.world, NOW)[0] == ScopeStatus("pool", "", 12, None, 12, 0, 0, True, None)


# Setting it.


def test_a_soft_limit_lies_below_the_hard_one() -> None:
    with pytest.raises(InvalidArgument, match=r"soft_usd: .* is above the limit of"):
        ledger.decide(SetLimits("pool", 10, 11), ledger.Budget())


def start(story: Story, limit: int | None, given: bool, soft: int | None) -> ledger.Budget:
    """The money after another owner has started."""
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", KEEP, limit, given, NOW, soft=soft))
    return budget(story)


def test_an_owner_may_bring_a_soft_limit() -> None:
    assert start(Story(), 100, True, 40).soft == 40
    after = start(spent("pool", 10, 10, limit=100), None, False, 40)
    assert (after.limit, after.soft, after.spent) == (100, 40, 10)


def test_an_owner_with_the_same_soft_limit_keeps_what_was_said() -> None:
    story = spent("pool", 10, 10)
    answer(story, "continue")
    assert start(story, None, False, 10).rulings == {"pool": Ruling("", None)}


def test_an_owner_without_one_keeps_what_there_is() -> None:
    story = opened(limit=100)
    story.do(SetLimits("pool", 100, 40))
    assert start(story, 90, True, None).soft == 40


# Words.


@pytest.mark.parametrize(
    ("scope", "limit", "text"),
    [
        ("pool", None, "The soft limit of the pool ($0.000010) is reached: $0.000012 spent, $0.000000 "
         "reserved; no hard limit. May it go on?"),
        ("day", 2_000_000, "The soft limit of today (1970-01-01) ($0.000010) is reached: $0.000012 spent, "
         "$0.000000 reserved; the hard limit is $2.000000. May it go on?"),
        ("tag:night", None, "The soft limit of tag:night ($0.000010) is reached: $0.000012 spent, "
         "$0.000000 reserved; no hard limit. May it go on?"),
    ],
)  # fmt: skip
def test_a_question_says_where_the_money_stands(scope: str, limit: int | None, text: str) -> None:
    story = spent(scope, 10, 12, limit)
    assert question_text(asked(story), budget(story)) == text
