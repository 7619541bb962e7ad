"""The pool: its owners, its drain, its pause, its number of slots, its shared context."""

from __future__ import annotations

import pytest
from claude_pool.domain.errors import IdempotencyConflict, InvalidArgument, NotFound, WrongState
from claude_pool.domain.pool import (
    CONTEXT_BYTES,
    CONTEXT_VALUES,
    KEYS_KEPT,
    AcceptRollback,
    DeleteContext,
    IdentifyCli,
    LiftDrain,
    Open,
    Pause,
    PausePool,
    PoolCommand,
    RecordOwnerStopped,
    ResumePool,
    ScaleSlots,
    SetContext,
    SetTargetSlots,
    StartDrain,
    StartOwner,
    StopOwner,
)
from claude_pool.domain.pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    CliIdentified,
    ContextValueDeleted,
    ContextValueSet,
    DrainLifted,
    DrainStarted,
    OwnerStarted,
    OwnerStopped,
    OwnerStopping,
    PoolEvent,
    PoolOpened,
    PoolPaused,
    PoolResumed,
    RollbackAccepted,
    Settings,
    TargetSlotsSet,
)

from tests.support.domain_decider import given_pool

STARTED = OwnerStarted("owner-1", 10, "0.1.0", Settings(slots=2, max_slots=4))
OPENED: tuple[PoolEvent, ...] = (PoolOpened("pool-1", 5), STARTED, BudgetOpened(None))


def start(limit: int | None = None, *, given: bool = False) -> StartOwner:
    """The first owner starts."""
    return StartOwner("pool-1", "owner-1", 10, "0.1.0", Settings(slots=2, max_slots=4), limit, given, 5)


def opened(*more: PoolEvent) -> Open:
    """An open pool after more facts."""
    state = given_pool(*OPENED, *more).state
    assert isinstance(state, Open)
    return state


def test_the_first_owner_opens_the_pool_and_its_budget() -> None:
    after = (
        given_pool().when(start(100, given=True)).then(PoolOpened("pool-1", 5), STARTED, BudgetOpened(100))
    )
    assert isinstance(after, Open)
    assert (after.owner, after.target, after.owners, after.budget.limit) == ("owner-1", 2, 1, 100)


def test_a_later_owner_keeps_the_budget() -> None:
    after = given_pool(*OPENED).when(start(None)).then(STARTED)
    assert isinstance(after, Open)
    assert after.owners == 2


def test_a_later_owner_with_another_limit_changes_it() -> None:
    given_pool(*OPENED).when(start(50, given=True)).then(STARTED, BudgetLimitChanged(50))


def test_a_limit_that_was_not_given_is_not_lifted() -> None:
    given_pool(*OPENED, BudgetLimitChanged(50)).when(start(None)).then(STARTED)


def test_a_limit_that_is_the_same_is_not_changed() -> None:
    given_pool(*OPENED, BudgetLimitChanged(50)).when(start(50, given=True)).then(STARTED)


def test_an_owner_ends_a_drain_and_a_stop() -> None:
    after = (
        given_pool(*OPENED, DrainStarted("finish"), OwnerStopping(True))
        .when(start())
        .then(STARTED, DrainLifted())
    )
    assert isinstance(after, Open)
    assert (after.draining, after.stopping) == (None, None)


def test_an_owner_keeps_pause_and_context_and_brings_its_own_number_of_slots() -> None:
    before = (PoolPaused("not_logged_in"), ContextValueSet("a", "1"), TargetSlotsSet(4))
    after = given_pool(*OPENED, *before).when(start()).then(STARTED)
    assert isinstance(after, Open)
    assert (after.paused, after.context, after.target) == (Pause("not_logged_in", None), {"a": "1"}, 2)


@pytest.mark.parametrize("command", [StopOwner(), SetContext("a", "1"), SetTargetSlots(2), ResumePool()])
def test_a_pool_that_was_never_opened_takes_no_other_command(command: PoolCommand) -> None:
    given_pool().when(command).refused(WrongState, "start an owner first")


def test_the_cli_is_on_record_once_for_each_change() -> None:
    identified = CliIdentified("/bin/claude", "2.1.330", "abc")
    command = IdentifyCli("/bin/claude", "2.1.330", "abc")
    given_pool(*OPENED).when(command).then(identified)
    given_pool(*OPENED, identified).when(command).then()
    given_pool(*OPENED, identified).when(IdentifyCli("/bin/claude", "2.1.331", "def")).then(
        CliIdentified("/bin/claude", "2.1.331", "def")
    )


def test_events_that_were_lost_and_given_up_are_on_record() -> None:
    accepted = RollbackAccepted(40, 21, 7)
    after = given_pool(*OPENED).when(AcceptRollback(40, 21, 7)).then(accepted)
    assert after == given_pool(*OPENED).when(ResumePool()).then()


@pytest.mark.parametrize(
    ("before", "now", "facts"),
    [
        ((), False, (OwnerStopping(False),)),
        ((), True, (OwnerStopping(True),)),
        ((OwnerStopping(False),), False, ()),
        ((OwnerStopping(False),), True, (OwnerStopping(True),)),
        ((OwnerStopping(True),), False, ()),
        ((OwnerStopping(True),), True, ()),
    ],
)
def test_a_stop_can_only_become_more_urgent(
    before: tuple[PoolEvent, ...], now: bool, facts: tuple[PoolEvent, ...]
) -> None:
    given_pool(*OPENED, *before).when(StopOwner(now)).then(*facts)


def test_an_owner_ends_once() -> None:
    after = given_pool(*OPENED).when(RecordOwnerStopped()).then(OwnerStopped())
    assert isinstance(after, Open)
    assert after.owner is None
    given_pool(*OPENED, OwnerStopped()).when(RecordOwnerStopped()).then()


@pytest.mark.parametrize(
    ("before", "mode", "facts"),
    [
        ((), "finish", (DrainStarted("finish"),)),
        ((), "cancel", (DrainStarted("cancel"),)),
        ((DrainStarted("finish"),), "finish", ()),
        ((DrainStarted("finish"),), "cancel", (DrainStarted("cancel"),)),
        ((DrainStarted("cancel"),), "finish", ()),
        ((DrainStarted("cancel"),), "cancel", ()),
    ],
)
def test_a_drain_can_only_become_harsher(
    before: tuple[PoolEvent, ...], mode: str, facts: tuple[PoolEvent, ...]
) -> None:
    given_pool(*OPENED, *before).when(StartDrain(mode)).then(*facts)


def test_a_drain_is_lifted_once() -> None:
    given_pool(*OPENED, DrainStarted("finish")).when(LiftDrain()).then(DrainLifted())
    given_pool(*OPENED).when(LiftDrain()).then()


def test_a_pause_is_on_record_once() -> None:
    after = given_pool(*OPENED).when(PausePool("provider_limit", 90)).then(PoolPaused("provider_limit", 90))
    assert isinstance(after, Open)
    assert after.paused == Pause("provider_limit", 90)
    given_pool(*OPENED, PoolPaused("provider_limit", 90)).when(PausePool("provider_limit", 90)).then()


def test_a_pause_is_lifted_once() -> None:
    after = given_pool(*OPENED, PoolPaused("provider_limit", 90)).when(ResumePool()).then(PoolResumed())
    assert isinstance(after, Open)
    assert after.paused is None
    given_pool(*OPENED).when(ResumePool()).then()


def test_the_number_of_slots_is_set_within_its_bounds() -> None:
    after = given_pool(*OPENED).when(SetTargetSlots(4)).then(TargetSlotsSet(4))
    assert isinstance(after, Open)
    assert after.target == 4
    given_pool(*OPENED).when(SetTargetSlots(2)).then()


@pytest.mark.parametrize("target", [-1, 0, 5])
def test_a_number_out_of_bounds_is_refused(target: int) -> None:
    given_pool(*OPENED).when(SetTargetSlots(target)).refused(
        InvalidArgument, f"target: {target} slots wanted; the pool is set to between 1 and 4"
    )


def test_slots_are_added_to_the_number_that_is_wanted() -> None:
    given_pool(*OPENED, TargetSlotsSet(3)).when(ScaleSlots(1)).then(TargetSlotsSet(4, 1))
    given_pool(*OPENED).when(ScaleSlots(-1)).then(TargetSlotsSet(1, -1))
    given_pool(*OPENED).when(ScaleSlots(3)).refused(InvalidArgument, "5 slots wanted")


def test_the_same_key_scales_once() -> None:
    after = given_pool(*OPENED).when(ScaleSlots(1, "key")).then(TargetSlotsSet(3, 1, "key"))
    assert isinstance(after, Open)
    given_pool(*OPENED, TargetSlotsSet(3, 1, "key")).when(ScaleSlots(1, "key")).then()


def test_the_same_key_with_another_number_is_refused() -> None:
    given_pool(*OPENED, TargetSlotsSet(3, 1, "key")).when(ScaleSlots(2, "key")).refused(
        IdempotencyConflict, "a change by 1"
    )


def test_only_the_latest_keys_are_kept() -> None:
    keys = [TargetSlotsSet(2, 0, f"key-{number}") for number in range(KEYS_KEPT + 1)]
    assert list(opened(*keys).scalings) == [f"key-{number}" for number in range(1, KEYS_KEPT + 1)]


def test_each_change_of_the_context_is_a_version() -> None:
    after = given_pool(*OPENED).when(SetContext("branch", "main")).then(ContextValueSet("branch", "main"))
    assert isinstance(after, Open)
    assert (after.context, after.context_version) == ({"branch": "main"}, 1)
    again = opened(ContextValueSet("branch", "main"), ContextValueDeleted("branch"))
    assert (again.context, again.context_version) == ({}, 2)


def test_setting_the_same_value_changes_nothing() -> None:
    given_pool(*OPENED, ContextValueSet("branch", "main")).when(SetContext("branch", "main")).then()


def test_a_value_is_deleted() -> None:
    given_pool(*OPENED, ContextValueSet("a", "1")).when(DeleteContext("a")).then(ContextValueDeleted("a"))


def test_a_value_that_is_not_there_is_not_deleted() -> None:
    given_pool(*OPENED).when(DeleteContext("a")).refused(NotFound, "no context value a")


def test_the_context_holds_so_many_values() -> None:
    full = [ContextValueSet(f"key-{number}", "v") for number in range(CONTEXT_VALUES)]
    given_pool(*OPENED, *full).when(SetContext("one-more", "v")).refused(
        InvalidArgument, "100 values at most"
    )
    given_pool(*OPENED, *full).when(SetContext("key-0", "w")).then(ContextValueSet("key-0", "w"))


def test_the_context_holds_so_many_bytes_of_keys_and_values() -> None:
    fits = "ü" * (CONTEXT_BYTES // 2 - 1)
    given_pool(*OPENED).when(SetContext("ab", fits)).then(ContextValueSet("ab", fits))
    given_pool(*OPENED).when(SetContext("abc", fits)).refused(InvalidArgument, "would hold 32769 bytes")


def test_a_pool_is_opened_once() -> None:
    after = opened(PoolOpened("pool-2", 9))
    assert after.pool_id == "pool-1"
    assert after.owner == "owner-1"
