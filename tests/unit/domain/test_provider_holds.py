"""The pool's pause for a limit of the provider: which one stands, and what ends it."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, provider
from claude_pool.domain.pool import (
    ChangeAccount,
    NoteLimit,
    NoteSuccess,
    Open,
    PausePool,
    ResumePool,
    StartOwner,
)
from claude_pool.domain.pool_events import (
    AccountChanged,
    OwnerStarted,
    PoolEvent,
    PoolOpened,
    PoolPaused,
    PoolResumed,
    ProviderLimited,
    ProviderServed,
    Settings,
)
from claude_pool.domain.provider import Pause, Provider
from claude_pool.domain.values import Limit, LimitKind, Options

from tests.support.domain_decider import Given, given_pool
from tests.support.domain_story import NOW

SETTINGS = Settings(slots=4)
OPENED = (PoolOpened("pool-1", NOW), OwnerStarted("owner-1", 10, "0.1.0", SETTINGS, "account-1"))
HOUR = 3_600_000
LATER, LATEST = NOW + HOUR, NOW + 2 * HOUR


def paused_by(*pauses: PoolPaused) -> Open:
    """The pool after these."""
    state = given_pool(*OPENED, *pauses).state
    assert isinstance(state, Open)
    return state


def noted(state: Open, kind: LimitKind, until: int | None = None) -> list[PoolEvent]:
    """What a limit adds beside the record of it."""
    facts = pool.decide(NoteLimit(Limit(kind, until), "task.1", "no", 3, NOW), state)
    assert isinstance(facts[0], ProviderLimited)
    return list(facts[1:])


@pytest.mark.parametrize("stands", ["not_logged_in", "provider_billing", "lunch"])
@pytest.mark.parametrize("kind", list(LimitKind))
def test_a_pause_without_an_end_is_kept(stands: str, kind: LimitKind) -> None:
    assert noted(paused_by(PoolPaused(stands)), kind, LATER) == []


def test_somebodys_own_pause_is_kept_even_if_it_ends_sooner() -> None:
    assert noted(paused_by(PoolPaused("lunch", NOW + 1)), LimitKind.LOGIN) == []


@pytest.mark.parametrize(
    ("kind", "reason"), [(LimitKind.LOGIN, "not_logged_in"), (LimitKind.BILLING, "provider_billing")]
)
def test_what_only_somebody_can_mend_holds_without_an_end(kind: LimitKind, reason: str) -> None:
    assert noted(paused_by(), kind, LATER) == [PoolPaused(reason)]
    assert noted(paused_by(PoolPaused("provider_limit", LATER)), kind) == [PoolPaused(reason)]


def test_of_two_ends_the_later_holds() -> None:
    state = paused_by(PoolPaused("provider_limit", LATER))
    (longer,) = noted(state, LimitKind.USAGE, LATEST)
    assert isinstance(longer, PoolPaused) and longer.until is not None and longer.until >= LATEST
    assert noted(state, LimitKind.RATE) == []


def test_the_same_reset_told_by_the_next_attempt_changes_nothing() -> None:
    first = given_pool(*OPENED).when(NoteLimit(Limit(LimitKind.USAGE, LATER), "a.1", "", 3, NOW))
    facts = first.decide(first.command, first.state)
    state = given_pool(*OPENED, *facts).state
    assert isinstance(state, Open)
    assert noted(state, LimitKind.USAGE, LATER) == []


def held(
    kind: LimitKind, concurrency: int | None = None, strikes: int = 1
) -> Given[object, object, PoolEvent]:
    """A pool that is paused for a limit that was met at `NOW`."""
    limited = ProviderLimited(kind, None, "task.1", "no", NOW, strikes, concurrency)
    return given_pool(*OPENED, limited, PoolPaused("provider_limit", LATER))  # type: ignore[return-value]  # only facts matter here


def test_a_success_right_after_a_limit_says_nothing_about_it() -> None:
    held(LimitKind.RATE, 2).when(NoteSuccess(NOW + 1_999)).then()


def test_a_later_success_ends_the_hold() -> None:
    after = held(LimitKind.RATE, 2).when(NoteSuccess(NOW + 2_000)).then(ProviderServed(3), PoolResumed())
    assert isinstance(after, Open)
    assert (after.paused, after.provider.strikes, after.provider.concurrency) == (None, 0, 3)


def test_after_a_usage_limit_a_success_lets_one_attempt_try() -> None:
    held(LimitKind.USAGE, None, 0).when(NoteSuccess(NOW + 2_000)).then(ProviderServed(1), PoolResumed())
    held(LimitKind.USAGE, 1, 0).when(NoteSuccess(NOW + 2_000)).then(PoolResumed())


@pytest.mark.parametrize("reason", ["not_logged_in", "provider_billing", "lunch"])
def test_a_success_ends_no_other_pause(reason: str) -> None:
    given_pool(*OPENED, PoolPaused(reason, LATER)).when(NoteSuccess(LATER - 1)).then()


def test_a_pause_for_a_limit_that_nobody_met_is_not_ended_by_a_success() -> None:
    given_pool(*OPENED, PoolPaused("provider_limit", LATER)).when(NoteSuccess(LATER - 1)).then()


def test_a_success_without_any_limit_before_it_leaves_no_fact() -> None:
    given_pool(*OPENED).when(NoteSuccess(NOW)).then()


def test_a_success_after_the_hold_ends_the_strikes() -> None:
    held(LimitKind.OVERLOADED, None).and_(PoolResumed()).when(NoteSuccess(NOW)).then(ProviderServed(None))


def test_the_bound_goes_when_it_reaches_the_number_of_slots() -> None:
    held(LimitKind.OVERLOADED, 3).and_(PoolResumed()).when(NoteSuccess(NOW)).then(ProviderServed(None))


@pytest.mark.parametrize("reason", ["not_logged_in", "provider_billing", "provider_limit"])
def test_another_account_is_not_held_by_the_last_ones_limit(reason: str) -> None:
    given = given_pool(*OPENED, PoolPaused(reason))
    after = given.when(ChangeAccount("account-2")).then(AccountChanged("account-2"), PoolResumed())
    assert isinstance(after, Open)
    assert after.provider == Provider("account-2")


@pytest.mark.parametrize("account", ["", "account-1"])
def test_the_same_account_changes_nothing(account: str) -> None:
    given_pool(*OPENED, PoolPaused("not_logged_in")).when(ChangeAccount(account)).then()


def test_another_account_does_not_end_somebodys_own_pause() -> None:
    given = given_pool(*OPENED, PoolPaused("lunch"))
    given.when(ChangeAccount("account-2")).then(AccountChanged("account-2"))


def start(account: str) -> StartOwner:
    """The next owner."""
    return StartOwner("pool-1", "owner-2", 11, "0.1.0", SETTINGS, None, False, NOW, account)


@pytest.mark.parametrize(("account", "goes_on"), [("account-1", False), ("account-2", True), ("", False)])
def test_an_owner_with_another_account_lifts_the_hold(account: str, goes_on: bool) -> None:
    given = given_pool(*OPENED, PoolPaused("not_logged_in"), ProviderServed(2))
    when = given.when(start(account))
    facts = when.decide(when.command, when.state)
    assert (PoolResumed() in facts) is goes_on
    after = given.and_(*facts).state
    assert isinstance(after, Open)
    assert after.provider == (Provider("account-2") if goes_on else Provider("account-1", 0, 2))
    assert after.paused == (None if goes_on else Pause("not_logged_in", None))


def test_a_pool_that_never_knew_its_account_keeps_its_hold() -> None:
    given = given_pool(
        PoolOpened("pool-1", NOW), OwnerStarted("owner-1", 10, "0.1.0", SETTINGS), PoolPaused("not_logged_in")
    )
    when = given.when(start("account-2"))
    assert PoolResumed() not in when.decide(when.command, when.state)


def test_somebody_may_lift_any_hold() -> None:
    given_pool(*OPENED, PoolPaused("provider_limit", LATER)).when(ResumePool()).then(PoolResumed())
    given_pool(*OPENED).when(PausePool("provider_limit", LATER)).then(PoolPaused("provider_limit", LATER))


@pytest.mark.parametrize(
    ("fallback", "overloaded", "model"),
    [
        (None, 0, "opus"), (None, 2, "opus"), ("sonnet", 0, "opus"), ("sonnet", 1, "sonnet"),
        ("sonnet", 3, "sonnet"), ("sonnet, haiku", 1, "sonnet"), ("sonnet, haiku", 2, "haiku"),
        ("sonnet, haiku", 9, "haiku"), (",", 1, "opus"),
    ],
)  # fmt: skip
def test_after_an_overload_the_next_model_of_the_list_is_tried(
    fallback: str | None, overloaded: int, model: str
) -> None:
    options = Options(model="opus", fallback_model=fallback)
    assert provider.model_after(options, overloaded) == model
