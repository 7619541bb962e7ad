"""A slot whose processes end by themselves rests ever longer, leaves service, and is tried again."""

from __future__ import annotations

import pytest
from claude_pool.domain import slot, supervision
from claude_pool.domain.errors import WrongState
from claude_pool.domain.slot import Cold, Failed, Idle, RecordLaunchFailed, ReleaseSlot, TrySlot
from claude_pool.domain.slot_events import (
    LaunchFailed,
    LaunchStarted,
    LaunchSucceeded,
    SlotAdded,
    SlotClaimed,
    SlotDrainStarted,
    SlotEvent,
    SlotMended,
    SlotQuarantined,
    SlotReleased,
    SlotRevived,
    SlotStopped,
    SlotTried,
)
from claude_pool.domain.supervision import WELL, Health, cool_down, is_over, rest_after
from hypothesis import given
from hypothesis import strategies as st

from tests.support.domain_decider import given_slot

MINUTE = 60_000
ADDED = SlotAdded("slot-0")
OUT: tuple[SlotEvent, ...] = (ADDED, SlotQuarantined("slot_failed", "It died.", MINUTE))
ON_TRIAL: tuple[SlotEvent, ...] = (
    *OUT,
    SlotTried(),
    LaunchStarted(1, "key", "s1"),
    LaunchSucceeded(1, 7, ""),
    SlotClaimed("task-a.1", "s1", 1, "key"),
)


def failing(*times: int) -> tuple[SlotEvent, ...]:
    """A slot none of whose launches comes up, and one more that is under way."""
    events: list[SlotEvent] = [ADDED]
    for number, at in enumerate(times, 1):
        events += [LaunchStarted(number, "key", "s"), LaunchFailed(number, "slot_failed", "", at)]
    return (*events, LaunchStarted(len(times) + 1, "key", "s"))


def release(*, alive: bool, faulty: bool = False) -> ReleaseSlot:
    """The attempt of `ON_TRIAL` is over."""
    return ReleaseSlot("slot-0", "task-a.1", alive, faulty, not faulty, 0, 100, "It died.", 5)


def test_a_single_failure_needs_no_rest_and_more_in_a_row_need_ever_more() -> None:
    assert [rest_after(number) for number in range(6)] == [0, 0, 1_000, 2_000, 4_000, 8_000]


@given(st.integers(0, 10**9))
def test_a_rest_is_never_longer_than_a_minute_nor_shorter_than_the_one_before(number: int) -> None:
    assert rest_after(number) <= rest_after(number + 1) <= 60_000


@given(st.integers(0, 10**9))
def test_a_cool_down_lasts_a_minute_first_and_ten_at_most(number: int) -> None:
    assert 60_000 <= cool_down(number) <= cool_down(number + 1) <= 600_000
    assert [cool_down(n) for n in range(5)] == [60_000, 120_000, 240_000, 480_000, 600_000]


def test_a_wait_that_a_wrong_clock_recorded_is_over() -> None:
    assert is_over(None, 10, 0)
    assert is_over(5, 10, 5)
    assert not is_over(6, 10, 5)
    assert is_over(16, 10, 5)


def test_the_fifth_failure_in_a_row_takes_the_slot_out_of_service_however_slow_they_are() -> None:
    slow = [number * 5 * MINUTE for number in range(4)]
    after = (
        given_slot(*failing(*slow))
        .when(RecordLaunchFailed("slot-0", 5, "slot_failed", "no answer", 20 * MINUTE))
        .then(
            LaunchFailed(5, "slot_failed", "no answer", 20 * MINUTE),
            SlotQuarantined("slot_failed", "no answer", 21 * MINUTE),
        )
    )
    assert isinstance(after, Failed)


def test_an_attempt_that_a_process_comes_through_ends_the_row() -> None:
    up = (LaunchSucceeded(5, 7, ""), SlotClaimed("task-a.1", "s", 5, "key"))
    slow = given_slot(*failing(*(number * 5 * MINUTE for number in range(4))), *up)
    after = slow.when(release(alive=True)).then(SlotReleased("task-a.1", True, 0, 100, "s"), SlotMended())
    assert isinstance(after, Idle)
    assert (after.card.health.in_a_row, after.card.health.failures) == (0, (15 * MINUTE,))
    assert after.card.restarts == 4


def test_a_slot_without_failures_needs_no_mending() -> None:
    given_slot(ADDED, *ON_TRIAL[3:]).when(release(alive=True)).then(
        SlotReleased("task-a.1", True, 0, 100, "s1")
    )


def test_a_trial_brings_a_failed_slot_back_into_service() -> None:
    after = given_slot(*OUT).when(TrySlot("slot-0")).then(SlotTried())
    assert after == Cold(slot.Card("slot-0", health=Health(quarantines=1, on_trial=True)))


@pytest.mark.parametrize("before", [(), (ADDED,), (*OUT, SlotDrainStarted()), (*OUT, SlotTried())])
def test_only_a_failed_slot_that_stays_gets_a_trial(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(TrySlot("slot-0")).refused(WrongState, "only a failed slot gets a trial")


def test_one_failure_on_trial_puts_the_slot_out_for_twice_as_long() -> None:
    tried = given_slot(*OUT, SlotTried(), LaunchStarted(1, "key", "s1"))
    failed = LaunchFailed(1, "slot_failed", "", MINUTE)
    after = tried.when(RecordLaunchFailed("slot-0", 1, "slot_failed", "", MINUTE)).then(
        failed, SlotQuarantined("slot_failed", "", 3 * MINUTE)
    )
    assert isinstance(after, Failed)
    assert after.until == 3 * MINUTE
    assert (after.card.health.quarantines, after.card.health.on_trial) == (2, False)


def test_an_attempt_that_the_process_survives_ends_the_trial_well() -> None:
    after = (
        given_slot(*ON_TRIAL)
        .when(release(alive=True))
        .then(SlotReleased("task-a.1", True, 0, 100, "s1"), SlotMended())
    )
    assert isinstance(after, Idle)
    assert after.card.health == WELL


def test_an_attempt_that_takes_the_process_with_it_ends_the_trial_badly() -> None:
    after = given_slot(*ON_TRIAL).when(release(alive=False, faulty=True)).state
    assert isinstance(after, slot.Busy)
    for event in slot.decide(release(alive=False, faulty=True), after):
        after = slot.evolve(after, event)
    assert isinstance(after, Failed)
    assert after.until == 5 + 2 * MINUTE


def test_a_process_that_was_ended_on_purpose_leaves_the_slot_on_trial() -> None:
    state = given_slot(*ON_TRIAL).state
    for event in slot.decide(release(alive=False), state):
        state = slot.evolve(state, event)
    assert isinstance(state, Cold)
    assert state.card.health.on_trial


def test_the_record_of_a_slot_survives_its_owner() -> None:
    state = given_slot(*ON_TRIAL, SlotStopped("owner_lost"), SlotRevived()).state
    assert isinstance(state, Cold)
    assert state.card.health == Health(quarantines=1, on_trial=True)


def test_a_person_who_revives_a_failed_slot_wipes_its_record() -> None:
    state = given_slot(*OUT, SlotRevived()).state
    assert isinstance(state, Cold)
    assert state.card.health == WELL


def test_a_trial_of_a_slot_that_is_in_service_changes_nothing() -> None:
    before = given_slot(ADDED).state
    assert slot.evolve(before, SlotTried()) == before


def test_a_row_of_failures_is_counted_from_zero_after_it_was_mended() -> None:
    health = supervision.after_failure(supervision.after_failure(WELL, 1), 2)
    assert (health.in_a_row, health.rests_until) == (2, 1_002)
    assert supervision.mended(health).rests_until is None
    assert supervision.after_failure(supervision.mended(health), 3).in_a_row == 1


def test_a_program_that_is_missing_is_no_accident() -> None:
    failed = RecordLaunchFailed("slot-0", 1, "cli_missing", "There is none.", 0)
    after = given_slot(ADDED, LaunchStarted(1, "key", "s1")).when(failed)
    assert isinstance(
        after.then(
            LaunchFailed(1, "cli_missing", "There is none.", 0),
            SlotQuarantined("cli_missing", "There is none.", MINUTE),
        ),
        Failed,
    )
