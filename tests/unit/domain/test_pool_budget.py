"""The pool's budget: limits, reservations, settlements and charges, to the microdollar."""

from __future__ import annotations

import pytest
from claude_pool.domain.errors import BudgetExceeded, InvalidArgument
from claude_pool.domain.ledger import (
    Budget,
    ChargeFunds,
    ReserveFunds,
    ResetBudget,
    SetLimits,
    SettleFunds,
)
from claude_pool.domain.pool import Open
from claude_pool.domain.pool_events import (
    BudgetOpened,
    FundsCharged,
    FundsReserved,
    FundsSettled,
    LimitsSet,
    PoolEvent,
    PoolOpened,
)

from tests.support.domain_decider import given_pool

LIMITED: tuple[PoolEvent, ...] = (PoolOpened("pool-1", 5), BudgetOpened(100))
COUNTED: tuple[PoolEvent, ...] = (PoolOpened("pool-1", 5), BudgetOpened(None))


def budget(*events: PoolEvent) -> Budget:
    """The budget after some facts."""
    state = given_pool(*events).state
    assert isinstance(state, Open)
    return state.budget


def test_money_is_set_aside_within_the_limit() -> None:
    given_pool(*LIMITED).when(ReserveFunds("task-a.1", 100)).then(FundsReserved("task-a.1", 100))
    after = budget(*LIMITED, FundsReserved("task-a.1", 60))
    assert (after.spent, after.reserved, after.free, after.unspent) == (0, 60, 40, 100)


def test_no_reservation_goes_above_the_limit() -> None:
    given_pool(*LIMITED, FundsReserved("task-a.1", 60)).when(ReserveFunds("task-b.1", 41)).refused(
        BudgetExceeded, "$0.000000 spent, $0.000060 reserved, limit $0.000100, needed $0.000041"
    )
    given_pool(*LIMITED, FundsReserved("task-a.1", 60)).when(ReserveFunds("task-b.1", 40)).then(
        FundsReserved("task-b.1", 40)
    )


def test_a_negative_reservation_is_refused() -> None:
    given_pool(*COUNTED).when(ReserveFunds("task-a.1", -1)).refused(BudgetExceeded)


def test_a_reservation_of_nothing_is_no_fact() -> None:
    given_pool(*COUNTED).when(ReserveFunds("task-a.1", 0)).then()


def test_without_a_limit_anything_can_be_set_aside() -> None:
    given_pool(*COUNTED).when(ReserveFunds("task-a.1", 10**12)).then(FundsReserved("task-a.1", 10**12))
    assert (budget(*COUNTED).free, budget(*COUNTED).unspent) == (None, None)


def test_a_settlement_takes_the_cost_and_frees_the_rest() -> None:
    after = (
        given_pool(*LIMITED, FundsReserved("task-a.1", 60))
        .when(SettleFunds("task-a.1", 25, estimated=True))
        .then(FundsSettled("task-a.1", 25, True, 0))
    )
    assert isinstance(after, Open)
    assert (after.budget.spent, after.budget.reservations, after.budget.free) == (25, {}, 75)


def test_what_goes_above_the_reservation_is_overdrawn() -> None:
    given_pool(*LIMITED, FundsReserved("task-a.1", 60)).when(SettleFunds("task-a.1", 75, False)).then(
        FundsSettled("task-a.1", 75, False, 15)
    )


def test_without_a_reservation_nothing_is_overdrawn() -> None:
    given_pool(*COUNTED).when(SettleFunds("task-a.1", 75, False)).then(FundsSettled("task-a.1", 75))


def test_what_no_attempt_asked_for_is_charged() -> None:
    after = (
        given_pool(*LIMITED)
        .when(ChargeFunds("slot-0", 30, "unsolicited"))
        .then(FundsCharged("slot-0", 30, "unsolicited", ("day:1970-01-01",)))
    )
    assert isinstance(after, Open)
    assert after.budget.spent == 30


@pytest.mark.parametrize("cost", [0, -5])
def test_a_charge_of_nothing_is_no_fact(cost: int) -> None:
    given_pool(*LIMITED).when(ChargeFunds("slot-0", cost, "unsolicited")).then()


def test_free_money_is_never_negative() -> None:
    after = budget(*LIMITED, FundsCharged("slot-0", 130, "unsolicited"))
    assert (after.free, after.unspent) == (0, 0)


def test_a_limit_changes_and_the_spend_stays() -> None:
    spent = FundsCharged("slot-0", 30, "unsolicited")
    after = given_pool(*LIMITED, spent).when(SetLimits("pool", 20, None)).then(LimitsSet("pool", 20))
    assert isinstance(after, Open)
    assert (after.budget.limit, after.budget.spent) == (20, 30)


def test_a_limit_can_be_lifted() -> None:
    given_pool(*LIMITED).when(SetLimits("pool", None, None)).then(LimitsSet("pool"))


def test_the_same_limit_is_no_change() -> None:
    given_pool(*LIMITED).when(SetLimits("pool", 100, None)).then()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_above_nothing(limit: int) -> None:
    given_pool(*LIMITED).when(SetLimits("pool", limit, None)).refused(
        InvalidArgument, "set_usd: a budget is above 0"
    )


def test_a_reset_counts_from_nothing_under_the_same_limit() -> None:
    spent = FundsCharged("slot-0", 30, "unsolicited")
    after = (
        given_pool(*LIMITED, spent, FundsReserved("task-a.1", 10)).when(ResetBudget()).then(BudgetOpened(100))
    )
    assert isinstance(after, Open)
    assert (after.budget.spent, after.budget.reservations) == (0, {"task-a.1": 10})


def test_a_reset_and_other_limits_are_one_change() -> None:
    spent = FundsCharged("slot-0", 30, "unsolicited")
    both = ResetBudget(SetLimits("pool", 20, 10))
    given_pool(*LIMITED, spent).when(both).then(BudgetOpened(100), LimitsSet("pool", 20, 10))
    wrong = ResetBudget(SetLimits("pool", 20, 30))
    given_pool(*LIMITED, spent).when(wrong).refused(InvalidArgument, "soft_usd")
