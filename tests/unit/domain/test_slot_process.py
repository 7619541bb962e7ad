"""A slot and its process: launched, cleared, stopped, lost, and given up when it dies too often."""

from __future__ import annotations

import pytest
from claude_pool.domain.errors import WrongState
from claude_pool.domain.slot import (
    AddSlot,
    Clearing,
    Cold,
    ConfigureSlot,
    Failed,
    Idle,
    Process,
    RecordCleared,
    RecordLaunched,
    RecordLaunchFailed,
    RecordProcessEnded,
    ReviveSlot,
    StartClear,
    Starting,
    StartLaunch,
    StartStop,
    Stopped,
    Stopping,
    StopSlot,
)
from claude_pool.domain.slot_events import (
    ClearStarted,
    LaunchFailed,
    LaunchStarted,
    LaunchSucceeded,
    ProcessEnded,
    SessionPrepared,
    SlotAdded,
    SlotClaimed,
    SlotConfigured,
    SlotEvent,
    SlotQuarantined,
    SlotReleased,
    SlotRetired,
    SlotRevived,
    SlotStopped,
    StopStarted,
)
from claude_pool.domain.supervision import PERIOD_MS, WELL
from claude_pool.domain.values import Options

from tests.support.domain_decider import given_slot

ADDED = SlotAdded("slot-0")
STARTING: tuple[SlotEvent, ...] = (ADDED, LaunchStarted(1, "key", "s1"))
IDLE: tuple[SlotEvent, ...] = (*STARTING, LaunchSucceeded(1, 100, "2.1.330"))
USED: tuple[SlotEvent, ...] = (
    *IDLE,
    SlotClaimed("task-a.1", "s1", 1, "key"),
    SlotReleased("task-a.1", True, 5, 300, "s1"),
)


def died(at: int, launch: int = 1) -> ProcessEnded:
    """The process ended by itself."""
    return ProcessEnded(launch, False, -9, 0, "killed", at)


def test_a_slot_comes_into_service_without_a_process() -> None:
    after = given_slot().when(AddSlot("slot-0")).then(ADDED)
    assert isinstance(after, Cold)


def test_a_slot_comes_into_service_once() -> None:
    given_slot(ADDED).when(AddSlot("slot-0")).refused(WrongState, "slot-0 is cold: it exists already")


def test_a_cold_slot_is_launched() -> None:
    after = given_slot(ADDED).when(StartLaunch("slot-0", "key", "s1")).then(LaunchStarted(1, "key", "s1"))
    assert isinstance(after, Starting)
    assert after.card.launches == 1


def test_only_a_cold_slot_is_launched() -> None:
    given_slot(*IDLE).when(StartLaunch("slot-0", "key", "s2")).refused(WrongState, "without a process")
    given_slot().when(StartLaunch("slot-0", "key", "s2")).refused(WrongState, "slot-0 is absent")


def test_a_process_that_answers_holds_an_empty_conversation() -> None:
    after = given_slot(*STARTING).when(RecordLaunched("slot-0", 1, 100, "2.1.330"))
    assert after.then(LaunchSucceeded(1, 100, "2.1.330")) == Idle(
        given_slot(*STARTING).state.card,  # type: ignore[union-attr]  # the slot exists
        Process(1, "key", "s1", "s1"),
    )


@pytest.mark.parametrize("state", [(), (ADDED,), STARTING, IDLE])
def test_an_answer_of_another_launch_changes_nothing(state: tuple[SlotEvent, ...]) -> None:
    given_slot(*state).when(RecordLaunched("slot-0", 7, 100, "2.1.330")).then()
    given_slot(*state).when(RecordLaunchFailed("slot-0", 7, "slot_failed", "", 0)).then()


def test_a_launch_that_fails_leaves_the_slot_cold() -> None:
    failed = LaunchFailed(1, "slot_failed", "no answer", 50)
    after = (
        given_slot(*STARTING)
        .when(RecordLaunchFailed("slot-0", 1, "slot_failed", "no answer", 50))
        .then(failed)
    )
    assert isinstance(after, Cold)
    assert (after.card.restarts, after.card.health.failures) == (1, (50,))


def test_the_third_failure_within_a_minute_fails_the_slot() -> None:
    quarantined = SlotQuarantined("slot_failed", "no answer", 59_999 + 60_000)
    after = (
        given_slot(*IDLE, died(0), LaunchStarted(2, "key", "s2"))
        .and_(LaunchFailed(2, "slot_failed", "", 10), LaunchStarted(3, "key", "s3"))
        .when(RecordLaunchFailed("slot-0", 3, "slot_failed", "no answer", 59_999))
        .then(LaunchFailed(3, "slot_failed", "no answer", 59_999), quarantined)
    )
    assert isinstance(after, Failed)
    assert (after.code, after.problem, after.card.restarts) == ("slot_failed", "no answer", 3)


def test_failures_a_minute_apart_do_not_add_up() -> None:
    after = (
        given_slot(*IDLE, died(0), LaunchStarted(2, "key", "s2"))
        .and_(LaunchFailed(2, "slot_failed", "", 10), LaunchStarted(3, "key", "s3"))
        .when(RecordLaunchFailed("slot-0", 3, "slot_failed", "", PERIOD_MS))
        .then(LaunchFailed(3, "slot_failed", "", PERIOD_MS))
    )
    assert isinstance(after, Cold)
    assert after.card.health.failures == (10, PERIOD_MS)


@pytest.mark.parametrize("before", [IDLE, (*USED, ClearStarted())])
def test_a_process_that_dies_without_work_leaves_the_slot_cold(before: tuple[SlotEvent, ...]) -> None:
    command = RecordProcessEnded("slot-0", False, -9, 2, "killed", 50)
    after = given_slot(*before).when(command).then(ProcessEnded(1, False, -9, 2, "killed", 50))
    assert isinstance(after, Cold)
    assert after.card.restarts == 1


def test_a_process_that_was_meant_to_end_is_no_failure() -> None:
    command = RecordProcessEnded("slot-0", True, 0, 0, "", 50)
    after = given_slot(*IDLE).when(command).then(ProcessEnded(1, True, 0, 0, "", 50))
    assert isinstance(after, Cold)
    assert (after.card.restarts, after.card.health.failures) == (0, ())


@pytest.mark.parametrize("before", [(), (ADDED,), STARTING, (*IDLE, SlotClaimed("task-a.1", "s1", 1, "key"))])
def test_the_end_of_a_process_that_nobody_knows_changes_nothing(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(RecordProcessEnded("slot-0", False, 1, 0, "", 50)).then()


def test_a_process_that_was_meant_to_end_does_not_fail_a_slot_that_had_its_failures() -> None:
    after = (
        given_slot(*IDLE, died(0), LaunchStarted(2, "key", "s2"), LaunchFailed(2, "slot_failed", "", 1))
        .and_(LaunchStarted(3, "key", "s3"), LaunchSucceeded(3, 100, "2.1.330"))
        .when(RecordProcessEnded("slot-0", True, 0, 0, "", 50))
        .then(ProcessEnded(3, True, 0, 0, "", 50))
    )
    assert isinstance(after, Cold)
    assert after.card.health.failures == (0, 1)


def test_a_used_conversation_is_cleared() -> None:
    after = given_slot(*USED).when(StartClear("slot-0")).then(ClearStarted())
    assert isinstance(after, Clearing)


@pytest.mark.parametrize("before", [(), (ADDED,), IDLE])
def test_there_is_nothing_to_clear_without_a_used_conversation(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(StartClear("slot-0")).refused(WrongState, "with a used conversation")


def test_a_cleared_process_keeps_its_use_and_holds_an_empty_conversation() -> None:
    after = given_slot(*USED, ClearStarted()).when(RecordCleared("slot-0", "s2")).then(SessionPrepared("s2"))
    assert isinstance(after, Idle)
    assert after.process == Process(1, "key", "s2", "s2", turns=1, rss_mb=300)


def test_a_late_word_of_a_clear_changes_nothing() -> None:
    given_slot(*IDLE).when(RecordCleared("slot-0", "s2")).then()


def test_an_idle_process_is_stopped_for_a_reason() -> None:
    after = given_slot(*IDLE).when(StartStop("slot-0", "recycle")).then(StopStarted("recycle"))
    assert isinstance(after, Stopping)
    assert (after.launch, after.reason) == (1, "recycle")


@pytest.mark.parametrize("before", [(), STARTING, (*USED, ClearStarted()), (*IDLE, StopStarted("recycle"))])
def test_a_slot_that_is_at_something_is_not_stopped(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(StartStop("slot-0", "drain")).refused(WrongState, "only a free slot")


def test_a_slot_without_a_process_stops_at_once() -> None:
    after = given_slot(ADDED).when(StartStop("slot-0", "shutdown")).then(SlotStopped("shutdown"))
    assert isinstance(after, Stopped)
    assert not after.retired


def test_a_failed_slot_is_not_stopped() -> None:
    given_slot(ADDED, SlotQuarantined("slot_failed", "")).when(StartStop("slot-0", "shutdown")).refused(
        WrongState, "slot-0 is failed"
    )


@pytest.mark.parametrize(
    ("reason", "last"),
    [
        ("recycle", ()),
        ("drain", (SlotStopped("drain"),)),
        ("shutdown", (SlotStopped("shutdown"),)),
        ("retire", (SlotRetired(),)),
    ],
)
def test_what_follows_a_stop_depends_on_its_reason(reason: str, last: tuple[SlotEvent, ...]) -> None:
    ended = ProcessEnded(1, True, 0, 1, "", 50)
    command = RecordProcessEnded("slot-0", False, 0, 1, "", 50)
    after = given_slot(*IDLE, StopStarted(reason)).when(command).then(ended, *last)
    assert isinstance(after, Stopped if last else Cold)
    assert after.card.restarts == 0


@pytest.mark.parametrize("before", [STARTING, IDLE, (*IDLE, SlotClaimed("task-a.1", "s1", 1, "key"))])
def test_whatever_a_slot_does_ends_with_its_owner(before: tuple[SlotEvent, ...]) -> None:
    after = given_slot(*before).when(StopSlot("slot-0", "owner_lost")).then(SlotStopped("owner_lost"))
    assert isinstance(after, Stopped)


@pytest.mark.parametrize(
    "before",
    [
        (),
        (ADDED, SlotStopped("drain")),
        (ADDED, SlotRetired()),
        (ADDED, SlotQuarantined("slot_failed", "")),
    ],
)
def test_a_slot_that_is_out_of_service_needs_no_stop(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(StopSlot("slot-0", "owner_lost")).then()


def test_a_failed_slot_is_revived_with_a_clean_record() -> None:
    before = (*IDLE, died(5), SlotQuarantined("slot_failed", ""))
    after = given_slot(*before).when(ReviveSlot("slot-0")).then(SlotRevived())
    assert isinstance(after, Cold)
    assert after.card.health == WELL


def test_a_stopped_slot_is_revived_with_the_failures_it_had() -> None:
    after = (
        given_slot(*IDLE, died(5), SlotStopped("owner_lost")).when(ReviveSlot("slot-0")).then(SlotRevived())
    )
    assert isinstance(after, Cold)
    assert (after.card.health.failures, after.card.health.in_a_row) == ((5,), 1)


@pytest.mark.parametrize("before", [(), (ADDED,), IDLE, (ADDED, SlotRetired())])
def test_nothing_else_is_revived(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(ReviveSlot("slot-0")).refused(WrongState, "only a stopped or failed slot")


def test_a_retired_slot_never_comes_back() -> None:
    after = given_slot(ADDED, SlotRetired(), SlotStopped("drain"), SlotRevived()).state
    assert isinstance(after, Stopped)
    assert after.retired


def test_what_is_not_given_stays_as_it_was_configured() -> None:
    first = SlotConfigured("Ada", "builder", None, Options(model="opus"))
    second = SlotConfigured("Ada", "reviewer", "Reviews.", Options(model="opus"))
    after = (
        given_slot(ADDED, first)
        .when(ConfigureSlot("slot-0", role="reviewer", description="Reviews."))
        .then(second)
    )
    assert isinstance(after, Cold)
    assert after.card.identity == ("Ada", "reviewer", "Reviews.")
    assert after.card.options == Options(model="opus")


def test_configuring_what_is_so_already_changes_nothing() -> None:
    given_slot(ADDED, SlotConfigured("Ada")).when(
        ConfigureSlot("slot-0", name="Ada", options=Options())
    ).then()


@pytest.mark.parametrize("before", [(), (ADDED, SlotRetired())])
def test_a_slot_that_is_not_there_is_not_configured(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(ConfigureSlot("slot-0", name="Ada")).refused(WrongState, "nothing to configure")
