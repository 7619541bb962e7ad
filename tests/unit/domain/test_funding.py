"""What attempts set aside: a bounded first call, top-ups, and the levels above a task."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import chain, ledger, pool, task
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.attempts import Claim, RecordSpend
from claude_pool.domain.claiming import first_call
from claude_pool.domain.claims import claim_for
from claude_pool.domain.errors import BudgetExceeded
from claude_pool.domain.funding import ANY_PRICE, Funding, Quote, Unaffordable, funding, nobody_starts
from claude_pool.domain.pool_events import FundsReserved, FundsToppedUp, Settings
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.records import Fact
from claude_pool.domain.soft_limits import AnswerSoftLimit
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.task import Job
from claude_pool.domain.task_events import InterruptRequested
from claude_pool.domain.values import End, Filling, Options, TaskSpec, Text

from tests.support.domain_chains import accept, chain_of, go_on, plan, step, step_task, text
from tests.support.domain_claims import check_wake
from tests.support.domain_story import NOW, Story, end, outcome, spec, submit, task_name, warmed

KEEP = Settings(slots=2, session="slot")
DAY = 86_400_000


def priced(limit: int | None, worst: int | None = 20, least: int = 3, settings: Settings = KEEP) -> Story:
    """A warm pool in which a first call costs between `least` and `worst`."""
    story = warmed(settings, limit=limit)
    story.surroundings = Surroundings({}, lambda _model, _context, _mode: Quote(least, worst))
    return story


def wants(story: Story, order: TaskSpec, quote: Quote, now: int = NOW) -> Funding | Unaffordable:
    """What the first attempt of a task would set aside."""
    return funding(story.world, Job(task_name(9), order, "", NOW), quote, now)


def refused(story: Story, order: TaskSpec, quote: Quote = ANY_PRICE, now: int = NOW) -> Unaffordable:
    """Why it would not be paid."""
    why = wants(story, order, quote, now)
    assert isinstance(why, Unaffordable)
    return why


def started(limit: int | None, order: TaskSpec | None = None) -> tuple[Story, str]:
    """A task runs in a pool where a first call costs 20 at worst."""
    story = priced(limit)
    task_id = submit(story, 0, order)
    story.settle()
    return story, task_id


# The first call.


def test_an_attempt_reserves_what_its_first_call_costs_at_worst() -> None:
    story, task_id = started(1_000)
    assert story.running(task_id).reserved == 20
    assert story.running(task_id).cap is None


def test_a_small_budget_is_shared_by_the_slots() -> None:
    assert wants(priced(30), spec(), Quote(3, 20)) == Funding(15, None, ("day:1970-01-01",), 0)
    assert wants(priced(5), spec(), Quote(3, 20)) == Funding(3, None, ("day:1970-01-01",))


def test_who_has_only_a_share_takes_no_more_in_advance() -> None:
    story = priced(40, worst=30)
    task_id = submit(story, 0)
    story.settle()
    assert (story.running(task_id).reserved, story.running(task_id).ahead) == (20, 0)
    assert spend(story, task_id, 19) == ()
    assert spend(story, task_id, 20) == (Fact("pool", FundsToppedUp(f"{task_id}.1", 20)),)


def test_the_only_slot_has_the_whole_budget() -> None:
    story = warmed(Settings(slots=1), limit=100)
    assert wants(story, spec(), ANY_PRICE) == Funding(100, None, ("day:1970-01-01",))


def test_a_call_that_cannot_be_paid_even_at_its_least_is_refused() -> None:
    why = refused(priced(2), spec(), Quote(3, 20))
    assert (why.why, why.needed, why.level.name) == ("spent", 3, "the pool")


def test_a_call_waits_while_others_hold_its_money() -> None:
    story = priced(40)
    submit(story, 0, spec(max_budget=25))
    story.settle()
    assert refused(story, spec(), Quote(3, 20)).why == "reserved"


def test_a_first_call_holds_the_prompt_its_fillings_and_its_conversation() -> None:
    story = warmed(KEEP)
    first = submit(story, 0, spec(session="slot"))
    story.settle()
    end(story, first, replace(outcome(), context=600))
    card = story.world.slots["slot-0"].card
    seen: list[tuple[str | None, int, str | None]] = []

    def price(model: str | None, context: int, mode: str | None) -> Quote:
        seen.append((model, context, mode))
        return Quote(context, None)

    order = TaskSpec(
        Text(inline="x" * 30, size=30), Options(model="opus"), session="slot",
        fillings=(Filling("previous_output", (text("y" * 60),)),),
    )  # fmt: skip
    assert first_call(story.world, Job(task_name(1), order, "", NOW), [card], price) == Quote(630, None)
    assert seen == [("opus", 630, "plan")]


def test_the_dearest_slot_that_the_task_may_take_decides() -> None:
    story = warmed(KEEP)
    cards = [at.card for at in story.world.slots.values()]
    quotes = iter([Quote(3, 20), Quote(5, 10)])
    job = Job(task_name(1), spec(), "", NOW)
    assert first_call(story.world, job, cards, lambda _model, _context, _mode: next(quotes)) == Quote(5, 20)


def test_without_a_slot_or_a_price_any_share_will_do() -> None:
    story = warmed(KEEP)
    job = Job(task_name(1), spec(slot="slot-1"), "", NOW)
    cards = [story.world.slots["slot-0"].card]
    assert first_call(story.world, job, cards, lambda _model, _context, _mode: Quote(3, 20)) == ANY_PRICE
    assert first_call(story.world, job, cards, None) == ANY_PRICE


def test_a_claim_by_hand_is_priced_like_any_other() -> None:
    story = priced(1_000)
    story.do(ledger.SetLimits("tag:x", 30, None))
    task_id = submit(story, 0)
    assert claim_for(story.world, "slot-0", story.surroundings, NOW) == Claim(
        task_id, "slot-0", "", NOW, Quote(3, 20)
    )


def test_the_claim_itself_refuses_what_cannot_be_paid() -> None:
    story = priced(1_000)
    task_id = submit(story, 0)
    with pytest.raises(BudgetExceeded, match=r"needed \$0\.002000"):
        story.do(Claim(task_id, "slot-0", "", NOW, Quote(2_000, 2_000)))


# Top-ups.


def spend(story: Story, task_id: str, metered: int, attempt: int = 1) -> tuple[Fact, ...]:
    """The attempt's meter stands at `metered`."""
    return story.do(RecordSpend(task_id, attempt, metered, NOW))


def test_an_attempt_is_topped_up_when_half_a_call_is_left() -> None:
    story, task_id = started(1_000)
    assert spend(story, task_id, 10) == ()
    assert spend(story, task_id, 11) == (Fact("pool", FundsToppedUp(f"{task_id}.1", 20)),)
    assert spend(story, task_id, 30) == ()
    assert spend(story, task_id, 90) == (Fact("pool", FundsToppedUp(f"{task_id}.1", 60)),)
    assert story.world.open_pool().budget.reservations == {f"{task_id}.1": 100}


def test_an_attempt_takes_what_is_free_and_goes_on() -> None:
    story, task_id = started(50, spec())
    assert spend(story, task_id, 15) == (Fact("pool", FundsToppedUp(f"{task_id}.1", 20)),)
    assert spend(story, task_id, 35) == (Fact("pool", FundsToppedUp(f"{task_id}.1", 10)),)
    assert spend(story, task_id, 49) == ()


def test_an_attempt_is_interrupted_only_where_nothing_is_free() -> None:
    story, task_id = started(40)
    assert spend(story, task_id, 20) == (Fact("pool", FundsToppedUp(f"{task_id}.1", 20)),)
    assert spend(story, task_id, 40) == (Fact(task_id, InterruptRequested(1, "task_budget_reached", NOW)),)
    assert spend(story, task_id, 60) == ()


def test_a_meter_that_jumps_ahead_of_all_free_funds_takes_them_and_is_interrupted() -> None:
    story, task_id = started(40)
    assert [fact.event for fact in spend(story, task_id, 90)] == [
        FundsToppedUp(f"{task_id}.1", 20), InterruptRequested(1, "task_budget_reached", NOW)
    ]  # fmt: skip


def test_a_cap_is_not_topped_up() -> None:
    story, task_id = started(1_000, spec(max_budget=30))
    assert spend(story, task_id, 29) == ()
    assert spend(story, task_id, 30) == (Fact(task_id, InterruptRequested(1, "task_budget_reached", NOW)),)


def test_without_a_limit_the_meter_interrupts_nothing() -> None:
    story, task_id = started(None)
    assert spend(story, task_id, 10**9) == ()


def test_where_the_limit_was_lifted_meanwhile_there_is_always_more() -> None:
    story, task_id = started(40)
    story.do(ledger.SetLimits("pool", None, None))
    assert spend(story, task_id, 500) == (Fact("pool", FundsToppedUp(f"{task_id}.1", 480 + 10)),)


@pytest.mark.parametrize("attempt", [0, 2])
def test_a_late_word_of_another_attempt_reserves_nothing(attempt: int) -> None:
    story, task_id = started(1_000)
    assert spend(story, task_id, 50, attempt) == ()
    assert story.do(RecordSpend(task_name(7), 1, 50, NOW)) == ()


def test_what_was_topped_up_is_settled_with_the_rest() -> None:
    story, task_id = started(1_000)
    spend(story, task_id, 30)
    end(story, task_id, outcome(cost=55))
    budget = story.world.open_pool().budget
    assert (budget.spent, budget.reserved) == (55, 0)


# Days and tags.


def test_what_is_spent_for_today_waits_for_tomorrow() -> None:
    story = warmed(KEEP)
    story.do(ledger.SetLimits("day", 10, None))
    story.do(ledger.ChargeFunds("slot-0", 10, "unsolicited", NOW))
    task_id = submit(story, 0)
    story.settle()
    waits = story.world.tasks[task_id]
    assert isinstance(waits, task.Parked)
    assert (waits.reason, waits.until) == ("budget", DAY)
    story.settle(DAY)
    assert task_id in story.world.running


def test_who_waits_for_the_reservations_of_a_day_waits_no_longer_than_the_day() -> None:
    story = warmed(KEEP)
    story.do(ledger.SetLimits("day", 10, None))
    first, second = submit(story, 0, spec(max_budget=10)), submit(story, 1, spec(max_budget=10))
    story.settle()
    assert first in story.world.running
    assert check_wake(story, NOW) == DAY
    story.settle(DAY)
    assert second in story.world.running


def test_who_waited_for_reservations_until_they_were_spent_for_today_waits_for_tomorrow() -> None:
    story = warmed(KEEP)
    story.do(ledger.SetLimits("day", 12, None))
    story.do(ledger.SetLimits("pool", 10, None))
    first, second = submit(story, 0, spec(max_budget=10)), submit(story, 1, spec(max_budget=5))
    story.settle()
    end(story, first, outcome(cost=10))
    story.do(ledger.SetLimits("pool", None, None))
    story.settle()
    waits = story.world.tasks[second]
    assert isinstance(waits, task.Parked)
    assert (waits.reason, waits.until) == ("budget", DAY)
    assert check_wake(story, NOW) == DAY


def test_what_no_day_can_pay_is_refused() -> None:
    story = warmed(KEEP)
    story.do(ledger.SetLimits("day", 10, None))
    with pytest.raises(BudgetExceeded, match="day:1970-01-01"):
        submit(story, 0, spec(max_budget=11))


def test_a_tag_whose_budget_is_spent_takes_nothing_new() -> None:
    story = warmed(KEEP)
    story.do(ledger.SetLimits("tag:night", 10, None))
    order = TaskSpec(text("work"), tags=("night",))
    first = submit(story, 0, order)
    story.settle()
    assert story.events_of("pool")[-1] == FundsReserved(f"{first}.1", 5, ("day:1970-01-01", "tag:night"))
    end(story, first, outcome(cost=10))
    with pytest.raises(BudgetExceeded, match="tag:night"):
        story.do(Submit(task_name(1), order, "f", NOW))
    assert submit(story, 2) in story.world.tasks


# Chains.


def chained(*steps: str, limit: int = 100, own: int | None = None, task_budget: int | None = None) -> Story:
    """A chain of steps, which need nothing, has been accepted with a budget."""
    story = warmed(replace(KEEP, task_budget=task_budget))
    accept(story, plan(*(step(name, max_budget=own) for name in steps), max_budget=limit))
    go_on(story)
    return story


def test_the_steps_of_a_chain_share_its_budget() -> None:
    story = chained("a", "b", "c")
    assert [story.running(step_task(name)).reserved for name in "ab"] == [50, 50]
    assert waiting_for(story.world, story.world.tasks[step_task("c")]) == "slot"
    end(story, step_task("a"), outcome(cost=41))
    go_on(story)
    assert waiting_for(story.world, story.world.tasks[step_task("c")]) == "budget"
    end(story, step_task("b"), outcome(cost=9))
    go_on(story)
    assert story.running(step_task("c")).reserved == (100 - 41 - 9) // 2


def test_a_step_takes_no_more_than_its_chain_has_left() -> None:
    story = chained("a", own=300)
    assert (story.running(step_task("a")).reserved, story.running(step_task("a")).cap) == (100, 100)


def test_the_pools_limit_for_a_task_holds_for_a_step() -> None:
    story = chained("a", task_budget=30)
    assert story.running(step_task("a")).cap == 30


def test_a_step_is_topped_up_from_what_its_chain_has_free() -> None:
    story = chained("a")
    assert story.running(step_task("a")).reserved == 50
    assert spend(story, step_task("a"), 49) == ()
    spend(story, step_task("a"), 50)
    assert story.world.open_pool().budget.reserved == 100
    facts = spend(story, step_task("a"), 100)
    assert facts == (Fact(step_task("a"), InterruptRequested(1, "task_budget_reached", NOW)),)


def test_a_step_for_which_nothing_is_left_fails_and_its_recovery_too() -> None:
    story = warmed(KEEP)
    accept(story, plan(step("a"), step("b", "a", recovery="mend"), max_budget=10))
    go_on(story)
    end(story, step_task("a"), outcome(cost=15))
    go_on(story)
    over = chain_of(story)
    assert isinstance(over, chain.Failed)
    last = over.work.steps["b"]
    assert isinstance(last, chain.Done)
    assert (last.code, last.run, over.work.cost) == ("budget_exceeded", 2, 15)
    assert "The chain's budget is spent" in last.message


def test_a_chain_of_a_pool_with_less_waits_like_anything_else() -> None:
    story = warmed(KEEP, limit=100)
    accept(story, plan(step("a"), max_budget=100))
    other = submit(story, 0, spec(max_budget=80, priority=1))
    go_on(story)
    assert other in story.world.running
    parked = story.world.tasks[step_task("a")]
    assert isinstance(parked, task.Parked)
    end(story, other, outcome(End.SUCCEEDED, cost=1))
    go_on(story)
    assert step_task("a") in story.world.running


def test_a_pool_that_stops_leaves_what_waits_for_money() -> None:
    story = warmed(KEEP, limit=100)
    submit(story, 0, spec(max_budget=80))
    waiting = submit(story, 1, spec(max_budget=80))
    story.settle()
    story.do(pool.StopOwner())
    story.settle()
    assert isinstance(story.world.tasks[waiting], task.Parked)


# A pool in which nothing can start.


@pytest.mark.parametrize(
    ("commands", "holds"),
    [
        ((), False),
        ((ledger.ReserveFunds("a.1", 99),), False),
        ((ledger.ReserveFunds("a.1", 100),), True),
        ((ledger.SettleFunds("a.1", 100, False),), False),
        ((ledger.SetLimits("pool", 100, 50), ledger.SettleFunds("a.1", 50, False)), True),
        ((ledger.SetLimits("pool", None, 50), ledger.ReserveFunds("a.1", 50)), True),
        ((ledger.SetLimits("pool", None, 50),), False),
    ],
)
def test_nothing_starts_while_others_hold_everything_or_somebody_is_asked(
    commands: tuple[ledger.MoneyCommand, ...], holds: bool
) -> None:
    story = warmed(KEEP, limit=100)
    for command in commands:
        story.do(command)
    assert nobody_starts(story.world) is holds


def test_a_pool_that_was_stopped_at_its_soft_limit_gives_up_what_waits() -> None:
    story = warmed(KEEP, limit=100)
    story.do(ledger.SetLimits("pool", 100, 50))
    story.do(ledger.SettleFunds("a.1", 60, False))
    story.settle()
    (asked,) = story.world.open_pool().budget.asked.values()
    assert nobody_starts(story.world)
    story.do(AnswerSoftLimit(asked.question_id, "stop", None, NOW))
    assert not nobody_starts(story.world)
    with pytest.raises(BudgetExceeded, match="stopped by an answer to its soft limit"):
        submit(story, 1)
