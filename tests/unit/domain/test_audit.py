"""The audit of a log's money: what is right passes, and every wrong posting is found at its event."""

from __future__ import annotations

import pytest
from claude_pool.domain.audit import Account, Audit, audit
from claude_pool.domain.chain_events import ChainSubmitted, Plan, Step, StepCompleted, StepStarted
from claude_pool.domain.pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    FundsCharged,
    FundsReserved,
    FundsSettled,
    FundsToppedUp,
    LimitsSet,
    OwnerStarted,
    PoolPaused,
    Settings,
    SoftLimitAnswered,
)
from claude_pool.domain.records import Event
from claude_pool.domain.slot_events import SlotReleased
from claude_pool.domain.task_events import (
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    TaskSubmitted,
)
from claude_pool.domain.values import End, Options, Outcome, Part, TaskSpec, Text

from tests.support.spent_log import Life

TASK, OTHER, CHAIN = "task-a", "task-b", "chain-z"
DAY, NEXT = "day:2026-01-31", "day:2026-02-01"


def submitted(
    task_id: str = TASK, *tags: str, own: int | None = None, part: Part | None = None
) -> tuple[str, Event]:
    """A task is accepted."""
    spec = TaskSpec(Text(), Options(max_budget=own), tags=tags, part=part)
    return task_id, TaskSubmitted(task_id, spec, "f", 0)


def started(reserved: int = 0, number: int = 1, task_id: str = TASK) -> tuple[str, Event]:
    return task_id, AttemptStarted(number, "slot-0", 0, reserved)


def reserved(amount: int, *accounts: str, attempt: str = f"{TASK}.1") -> tuple[str, Event]:
    return "pool", FundsReserved(attempt, amount, accounts or (DAY,))


def ended(cost: int, number: int = 1, task_id: str = TASK) -> tuple[str, Event]:
    return task_id, AttemptSucceeded(number, Outcome(End.SUCCEEDED, cost=cost), 0)


def settled(cost: int, *accounts: str, attempt: str = f"{TASK}.1", over: int = 0) -> tuple[str, Event]:
    return "pool", FundsSettled(attempt, cost, overdrawn=over, accounts=accounts or (DAY,))


def topped_up(amount: int, attempt: str = f"{TASK}.1") -> tuple[str, Event]:
    return "pool", FundsToppedUp(attempt, amount)


def released(cost: int) -> tuple[str, Event]:
    return "slot-0", SlotReleased(f"{TASK}.1", True, cost, 0, "")


def pool(event: Event) -> tuple[str, Event]:
    return "pool", event


def books(*facts: tuple[str, Event]) -> Audit:
    """The books after these facts."""
    made = Audit()
    for position, (stream, event) in enumerate(facts, 1):
        made.observe(position, stream, event)
    return made


def findings(*facts: tuple[str, Event]) -> list[tuple[int, str]]:
    """Where what was found."""
    numbered = [(position, stream, event) for position, (stream, event) in enumerate(facts, 1)]
    return [(each.position, each.code) for each in audit(numbered)]


OPENED = pool(BudgetOpened(100))
WHOLE = (OPENED, submitted(), started(60), reserved(60), ended(40), settled(40), released(40))


def test_a_whole_log_has_no_findings() -> None:
    assert findings(*WHOLE) == []


def test_a_posting_is_made_in_all_accounts_alike() -> None:
    part = Part(CHAIN, "build")
    made = books(OPENED, submitted(TASK, "red", "blue", "red", part=part), started(60), reserved(60))

    names = ("pool", CHAIN, TASK, f"{TASK}.1", "tag:red", "tag:blue", DAY)
    assert {name: made.account(name) for name in names} == dict.fromkeys(names, Account(60, 0))
    made.observe(5, *ended(40))
    made.observe(6, *settled(40))
    assert {name: made.account(name) for name in names} == dict.fromkeys(names, Account(0, 40))
    assert made.close() == ()


def test_the_pool_is_the_sum_of_attempts_and_charges() -> None:
    made = books(*WHOLE, pool(FundsCharged("slot-0", 5, "stray", (DAY,))))

    assert (made.account("pool").spent, made.account(DAY).spent) == (45, 45)
    assert sum(entry.settled or 0 for entry in made.entries.values()) == 40


def test_a_new_budget_begins_at_zero_and_the_accounts_go_on() -> None:
    made = books(*WHOLE, OPENED)

    assert (made.level("pool"), made.account("pool")) == (Account(0, 0), Account(0, 40))


def test_an_account_that_nothing_was_posted_to_is_empty() -> None:
    assert (books().account("pool"), books().level(DAY)) == (Account(), Account())


def test_other_facts_are_nothing_to_the_books() -> None:
    assert findings(*WHOLE, pool(PoolPaused("why"))) == []


def test_an_attempt_above_its_reservation_is_overdrawn_by_the_rest() -> None:
    assert findings(OPENED, submitted(), started(60), reserved(60), ended(70), settled(70, over=10)) == []


def test_an_older_log_names_no_accounts() -> None:
    old = (pool(FundsReserved(f"{TASK}.1", 60)), ended(40), pool(FundsSettled(f"{TASK}.1", 40)))
    assert findings(OPENED, submitted(TASK, "red"), started(60), *old) == []


def test_an_attempt_may_reserve_nothing() -> None:
    assert findings(submitted(), started(), ended(40), settled(40)) == []


def test_a_lower_limit_leaves_reservations_that_were_made() -> None:
    lowered = pool(BudgetLimitChanged(10))
    assert findings(OPENED, submitted(), started(60), reserved(60), lowered, ended(60), settled(60)) == []


def test_a_step_costs_its_chain_what_its_task_has_spent() -> None:
    part = Part(CHAIN, "build")
    plan = Plan((Step("build", TaskSpec(Text()), ()),), "none", "none", "", (), 50)
    chained = (
        (CHAIN, ChainSubmitted(CHAIN, plan, "f", 0)),
        (CHAIN, StepStarted("build", 1, TASK)),
        submitted(part=part),
        started(50),
        reserved(50),
        ended(40),
        settled(40),
    )

    assert findings(*chained, (CHAIN, StepCompleted("build", 1, Text(), (), 40, 1))) == []
    assert findings(*chained, (CHAIN, StepCompleted("build", 1, Text(), (), 39, 1))) == [(8, "chain_differs")]
    assert findings(*chained, (CHAIN, StepCompleted("other", 1, Text(), (), 1, 1))) == [(8, "chain_differs")]


def test_a_reservation_keeps_within_the_budget_of_its_chain() -> None:
    plan = Plan((Step("build", TaskSpec(Text()), ()),), "none", "none", "", (), 50)
    accepted = (CHAIN, ChainSubmitted(CHAIN, plan, "f", 0)), submitted(part=Part(CHAIN, "build"))
    spent = started(50), reserved(50), ended(40), settled(40)
    again = reserved(11, attempt=f"{TASK}.2")

    assert findings(*accepted, started(51), reserved(51)) == [(4, "over_limit")]
    assert findings(*accepted, *spent, started(11, 2), again) == [(8, "over_limit")]


BEFORE = (OPENED, submitted(), started(60))
NEXT_ONE = (started(61, task_id=OTHER), reserved(61, attempt=f"{OTHER}.1"))
STOPPED = pool(SoftLimitAnswered("q", "pool", "", "stop", 50, 70, 0))
GOES_ON = pool(SoftLimitAnswered("q", "pool", "", "continue", 90, None, 0))
FULL = pool(OwnerStarted("o", 1, "v", Settings(task_budget=50)))
RED = pool(LimitsSet("tag:red", 50))
TODAY = pool(LimitsSet("day", 50))


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        # limits
        ((OPENED, submitted(), started(101), reserved(101)), [(4, "over_limit")]),
        ((*BEFORE, reserved(60), topped_up(41)), [(5, "over_limit")]),
        ((*BEFORE, reserved(60), topped_up(40)), []),
        ((OPENED, pool(LimitsSet("pool", 59)), submitted(), started(60), reserved(60)), [(5, "over_limit")]),
        ((FULL, submitted(), started(51), reserved(51)), [(4, "over_limit")]),
        ((FULL, submitted(own=60), started(60), reserved(60)), []),
        ((submitted(own=10), started(11), reserved(11)), [(3, "over_limit")]),
        ((TODAY, submitted(), started(51), reserved(51)), [(4, "over_limit")]),
        ((RED, submitted(TASK, "red"), started(51), reserved(51, DAY, "tag:red")), [(4, "over_limit")]),
        ((RED, submitted(TASK, "red"), started(50), reserved(50, DAY, "tag:red")), []),
        (
            (*WHOLE, submitted(OTHER), *NEXT_ONE),
            [(10, "over_limit")],
        ),
        (
            (*WHOLE, OPENED, submitted(OTHER), *NEXT_ONE),
            [],
        ),
        ((*BEFORE, reserved(60), STOPPED, topped_up(11)), [(6, "over_limit")]),
        ((*BEFORE, reserved(60), STOPPED, topped_up(10)), []),
        ((*BEFORE, reserved(60), STOPPED, OPENED, topped_up(40)), []),
        ((*BEFORE, reserved(60), STOPPED, pool(BudgetLimitChanged(90)), topped_up(30)), []),
        ((*BEFORE, reserved(60), STOPPED, pool(LimitsSet("pool", 90)), topped_up(31)), [(7, "over_limit")]),
        ((*BEFORE, reserved(60), GOES_ON, topped_up(41)), [(6, "over_limit")]),
        # reservations
        ((OPENED, reserved(1)), [(2, "not_running")]),
        ((*WHOLE, reserved(60)), [(8, "not_running")]),
        ((*BEFORE, reserved(60), reserved(60)), [(5, "reserved_twice"), (5, "over_limit")]),
        ((*BEFORE, reserved(59)), [(4, "start_differs")]),
        ((submitted(), started(0), reserved(0)), [(3, "no_amount")]),
        ((*BEFORE, topped_up(1)), [(4, "not_reserved")]),
        ((topped_up(1),), [(1, "not_reserved")]),
        ((*WHOLE, topped_up(1)), [(8, "not_reserved")]),
        # ends
        ((*BEFORE, reserved(60), ended(40)), [(5, "not_settled")]),
        ((*BEFORE, ended(40), settled(40)), [(5, "not_reserved")]),
        ((*WHOLE, settled(40)), [(8, "settled_twice")]),
        ((*WHOLE[:5], ended(40), settled(40)), [(6, "ended_twice")]),
        ((*WHOLE[:5], settled(41)), [(6, "end_differs")]),
        ((*WHOLE[:5], settled(40, over=1)), [(6, "overdrawn_differs")]),
        ((*WHOLE[:4], ended(70), settled(70)), [(6, "overdrawn_differs")]),
        ((*WHOLE[:6], released(41)), [(7, "slot_differs")]),
        ((released(0),), []),
        ((settled(5),), [(1, "end_differs")]),
        (((TASK, AttemptSealed(1, Outcome(End.INTERRUPTED, cost=5), 0)), settled(5)), []),
        (((TASK, AttemptFailed(1, Outcome(End.FAILED, cost=5), 0)), settled(5)), []),
        # accounts
        ((*WHOLE[:5], settled(40, NEXT)), [(6, "wrong_accounts")]),
        ((RED, submitted(TASK, "red"), started(9), reserved(9)), [(4, "wrong_accounts")]),
        ((submitted(TASK, "red"), started(9), reserved(9, DAY, "tag:red")), [(3, "wrong_accounts")]),
        ((submitted(), started(9), reserved(9, "tag:red")), [(3, "wrong_day")]),
        ((submitted(), started(), ended(4), settled(4, "tag:red")), [(4, "wrong_day")]),
        ((pool(FundsCharged("slot-0", 5, "stray", (NEXT,))), pool(FundsCharged("slot-0", 5, "", (DAY,)))),
         [(2, "wrong_day")]),
        ((*WHOLE[:5], settled(40), pool(FundsCharged("slot-0", 5, "stray", (NEXT,)))), []),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_where_it_happened(
    facts: tuple[tuple[str, Event], ...], wanted: list[tuple[int, str]]
) -> None:
    assert findings(*facts) == wanted


@pytest.mark.parametrize("limit", [None, 3_000_000])
def test_a_life_adds_up_and_its_pool_counts_the_same(limit: int | None) -> None:
    life = Life(seed=5, limit=limit).live(120)
    made = books(*((fact.stream, fact.event) for facts, _ in life.appends for fact in facts))

    budget = life.story.world.open_pool().budget
    assert made.close() == ()
    assert made.level("pool") == Account(budget.reserved, budget.spent)
    charged = sum(
        f.event.cost for facts, _ in life.appends for f in facts if isinstance(f.event, FundsCharged)
    )
    assert made.account("pool").spent == charged + sum(e.settled or 0 for e in made.entries.values())


def test_a_settlement_that_is_missing_from_a_whole_life_is_found() -> None:
    life = Life(seed=5).live(40)
    facts = [(fact.stream, fact.event) for several, _ in life.appends for fact in several]
    lost = next(place for place, (_, event) in enumerate(facts) if isinstance(event, FundsSettled))
    del facts[lost]

    assert {code for _, code in findings(*facts)} >= {"not_settled", "slot_differs"}
