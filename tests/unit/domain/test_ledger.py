"""The ledger: accounts of the pool, of days and of tags; a posting reaches all that it belongs to."""

from __future__ import annotations

import pytest
from claude_pool.domain.errors import BudgetExceeded, InvalidArgument
from claude_pool.domain.ledger import (
    Budget,
    ChargeFunds,
    Level,
    MoneyCommand,
    ReserveFunds,
    ResetBudget,
    Scope,
    SetLimits,
    SettleFunds,
    TopUpFunds,
    day_account,
    decide,
    evolve,
    next_day,
)
from claude_pool.domain.pool_events import FundsCharged, FundsReserved, FundsSettled, FundsToppedUp, LimitsSet

DAY = 86_400_000
TODAY, TOMORROW = "day:1970-01-01", "day:1970-01-02"


def after(*commands: MoneyCommand) -> Budget:
    """The money after commands, in order, from nothing."""
    budget = Budget()
    for command in commands:
        for event in decide(command, budget):
            budget = evolve(budget, event)
    return budget


def test_where_the_clock_went_back_money_goes_to_the_last_day_that_has_some_set_aside() -> None:
    budget = after(ReserveFunds("task-a.1", 5, (TOMORROW,)))

    assert budget.accounts((), now=0) == (TOMORROW,)
    assert budget.account_now("day", now=0) == TOMORROW


def test_a_day_is_that_of_utc_and_ends_at_its_midnight() -> None:
    assert day_account(1_795_000_000_000) == "day:2026-11-18"
    assert (day_account(DAY - 1), day_account(DAY)) == (TODAY, TOMORROW)
    assert (next_day(0), next_day(DAY - 1), next_day(DAY)) == (DAY, DAY, 2 * DAY)


def test_an_attempt_is_posted_to_its_day_and_to_those_of_its_tags_that_have_a_limit() -> None:
    budget = after(SetLimits("tag:night", 50, None))
    assert budget.accounts(("night", "other", "night"), 5) == (TODAY, "tag:night")


def test_a_day_that_is_over_is_not_posted_to_again_where_the_clock_goes_back() -> None:
    budget = after(ChargeFunds("slot-0", 5, "unsolicited", DAY + 1))
    assert budget.accounts((), DAY - 1) == (TOMORROW,)


def test_a_reservation_must_fit_at_every_level() -> None:
    budget = after(SetLimits("pool", 100, None), SetLimits("day", 60, None), SetLimits("tag:night", 40, None))
    accounts = budget.accounts(("night",), 5)
    with pytest.raises(BudgetExceeded, match=r"tag:night cannot cover this: \$0\.000000 spent"):
        decide(ReserveFunds("a.1", 41, accounts), budget)
    with pytest.raises(BudgetExceeded, match="day:1970-01-01 cannot"):
        decide(ReserveFunds("a.1", 61, (TODAY,)), budget)
    with pytest.raises(BudgetExceeded, match="the pool cannot"):
        decide(ReserveFunds("a.1", 101), budget)
    assert decide(ReserveFunds("a.1", 40, accounts), budget) == (FundsReserved("a.1", 40, accounts),)


def test_what_is_reserved_is_missing_at_every_level() -> None:
    budget = after(SetLimits("tag:night", 40, None), ReserveFunds("a.1", 30, (TODAY, "tag:night")))
    assert budget.level("tag:night") == Level("tag:night", 40, 0, 30)
    with pytest.raises(BudgetExceeded):
        decide(ReserveFunds("b.1", 11, (TODAY, "tag:night")), budget)


def test_a_settlement_is_spent_in_the_accounts_of_its_reservation() -> None:
    budget = after(
        SetLimits("tag:night", 40, None),
        ReserveFunds("a.1", 30, (TODAY, "tag:night")),
        SettleFunds("a.1", 35, False, ("day:1999-01-01",)),
    )
    assert (budget.spent, budget.reserved) == (35, 0)
    assert budget.scopes == {"tag:night": Scope("tag:night", 40, None, 35), "day": Scope(TODAY, spent=35)}


def test_what_was_not_reserved_is_spent_in_the_accounts_it_names() -> None:
    settled = decide(SettleFunds("a.1", 35, True, (TODAY,)), Budget())
    assert settled == (FundsSettled("a.1", 35, True, 0, (TODAY,)),)


def test_a_tag_counts_from_its_first_limit_on() -> None:
    budget = after(SettleFunds("a.1", 35, False, (TODAY, "tag:night")), SetLimits("tag:night", 40, None))
    assert budget.level("tag:night") == Level("tag:night", 40, 0, 0)


def test_a_new_day_begins_at_nothing_and_the_old_one_is_closed() -> None:
    budget = after(
        SetLimits("day", 50, None),
        ReserveFunds("late.1", 20, (TODAY,)),
        ChargeFunds("slot-0", 30, "unsolicited", 5),
    )
    assert budget.level(TODAY) == Level(TODAY, 50, 30, 20)
    assert budget.level(TOMORROW) == Level(TOMORROW, 50, 0, 0)
    budget = evolve(budget, FundsCharged("slot-0", 7, "unsolicited", (TOMORROW,)))
    budget = evolve(budget, FundsSettled("late.1", 20, accounts=(TODAY,)))
    assert (budget.level(TOMORROW), budget.spent) == (Level(TOMORROW, 50, 7, 0), 57)


def test_a_day_that_is_over_binds_what_still_runs_from_it() -> None:
    budget = after(
        SetLimits("day", 50, None),
        ReserveFunds("a.1", 10, (TODAY,)),
        ReserveFunds("b.1", 20, (TODAY,)),
        ChargeFunds("slot-0", 15, "unsolicited", 0),
        ChargeFunds("slot-0", 30, "unsolicited", DAY),
    )
    assert budget.level(TODAY) == Level(TODAY, 50, 15, 30)
    with pytest.raises(BudgetExceeded):
        decide(TopUpFunds("a.1", 6), budget)
    settled = evolve(budget, FundsSettled("b.1", 18, False, 0, (TODAY,)))
    assert settled.level(TODAY) == Level(TODAY, 50, 33, 10)
    assert settled.level(TOMORROW) == Level(TOMORROW, 50, 30, 0)
    assert evolve(settled, FundsSettled("a.1", 1, False, 0, (TODAY,))).past == {}


def test_a_reset_empties_a_day_that_is_over_too() -> None:
    budget = after(
        SetLimits("day", 50, None),
        ReserveFunds("a.1", 10, (TODAY,)),
        ChargeFunds("slot-0", 15, "unsolicited", 0),
        ChargeFunds("slot-0", 30, "unsolicited", DAY),
        ResetBudget(),
    )
    assert budget.level(TODAY) == Level(TODAY, 50, 0, 10)


def test_the_spend_of_today_is_known_before_it_is_limited() -> None:
    budget = after(ChargeFunds("slot-0", 30, "unsolicited", 5), SetLimits("day", 50, None))
    assert budget.level(TODAY) == Level(TODAY, 50, 30, 0)


def test_a_reset_empties_every_account_and_keeps_the_limits() -> None:
    budget = after(
        SetLimits("pool", 100, 80),
        SetLimits("tag:night", 40, None),
        SettleFunds("a.1", 35, False, (TODAY, "tag:night")),
        ResetBudget(),
    )
    assert (budget.spent, budget.limit, budget.soft) == (0, 100, 80)
    assert budget.scopes == {"tag:night": Scope("tag:night", 40), "day": Scope(TODAY)}


def test_a_top_up_adds_to_the_reservation_and_must_fit() -> None:
    budget = after(SetLimits("pool", 100, None), ReserveFunds("a.1", 60, (TODAY,)))
    with pytest.raises(BudgetExceeded):
        decide(TopUpFunds("a.1", 41), budget)
    assert decide(TopUpFunds("a.1", 40), budget) == (FundsToppedUp("a.1", 40),)
    assert after(ReserveFunds("a.1", 60, (TODAY,)), TopUpFunds("a.1", 40)).reservations == {"a.1": 100}


@pytest.mark.parametrize(("attempt", "amount"), [("a.1", 0), ("gone.1", 5)])
def test_nothing_is_added_to_nothing(attempt: str, amount: int) -> None:
    assert decide(TopUpFunds(attempt, amount), after(ReserveFunds("a.1", 60))) == ()


def test_a_top_up_without_a_reservation_is_kept_as_one() -> None:
    assert evolve(Budget(), FundsToppedUp("a.1", 5)).reservations == {"a.1": 5}


@pytest.mark.parametrize("scope", ["pool", "day", "tag:night"])
def test_limits_are_set_once(scope: str) -> None:
    command = SetLimits(scope, 40, 30)
    assert decide(command, Budget()) == (LimitsSet(scope, 40, 30),)
    assert decide(command, after(command)) == ()


@pytest.mark.parametrize(("limit", "soft", "argument"), [(0, None, "set_usd"), (5, -1, "soft_usd")])
def test_a_limit_is_above_nothing(limit: int, soft: int | None, argument: str) -> None:
    with pytest.raises(InvalidArgument, match=f"{argument}: a budget is above 0"):
        decide(SetLimits("day", limit, soft), Budget())


def test_an_account_without_a_limit_binds_nobody() -> None:
    budget = after(SetLimits("tag:night", None, 5))
    assert budget.levels((TODAY, "tag:night", "tag:none")) == ()
