"""A slot and its work: claimed by one attempt, released by it, and taken out of service when it is free."""

from __future__ import annotations

import pytest
from claude_pool.domain.errors import WrongState
from claude_pool.domain.slot import (
    Busy,
    ClaimSlot,
    Clearing,
    Cold,
    DrainSlot,
    Failed,
    Idle,
    Process,
    RecordLaunched,
    RecordProcessEnded,
    ReleaseSlot,
    Starting,
    Stopped,
    Stopping,
)
from claude_pool.domain.slot_events import (
    ClearStarted,
    LaunchFailed,
    LaunchStarted,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
    SlotAdded,
    SlotClaimed,
    SlotDrainStarted,
    SlotEvent,
    SlotQuarantined,
    SlotReleased,
    SlotRetired,
    SlotStopped,
    StopStarted,
)

from tests.support.domain_decider import given_slot

ADDED = SlotAdded("slot-0")
STARTING: tuple[SlotEvent, ...] = (ADDED, LaunchStarted(1, "key", "s1"))
IDLE: tuple[SlotEvent, ...] = (*STARTING, LaunchSucceeded(1, 100, "2.1.330"))
BUSY: tuple[SlotEvent, ...] = (*IDLE, SlotClaimed("task-a.1", "s1", 1, "key"))
USED: tuple[SlotEvent, ...] = (*BUSY, SlotReleased("task-a.1", True, 5, 300, "s1"))
REPLACING: tuple[SlotEvent, ...] = (*USED, SlotClaimed("task-b.1", "s2", 2, "other", replaces=True))


def release(
    attempt: str = "task-a.1",
    *,
    alive: bool = True,
    faulty: bool = False,
    succeeded: bool = True,
    now: int = 50,
    session: str | None = "s1",
) -> ReleaseSlot:
    """The attempt is over."""
    return ReleaseSlot("slot-0", attempt, alive, faulty, succeeded, 7, 300, "why", now, session)


def test_a_warm_process_is_claimed_as_it_is() -> None:
    claimed = SlotClaimed("task-a.1", "s1", 1, "key")
    after = given_slot(*IDLE).when(ClaimSlot("slot-0", "task-a.1", "s1", "key", False)).then(claimed)
    assert isinstance(after, Busy)
    assert after.process == Process(1, "key", "s1", "s1")


@pytest.mark.parametrize("before", [IDLE, (ADDED, LaunchStarted(1, "k", "s"), LaunchFailed(1, "", "", 0))])
def test_a_claim_may_ask_for_a_new_process(before: tuple[SlotEvent, ...]) -> None:
    claimed = SlotClaimed("task-a.1", "s9", 2, "other", replaces=True)
    after = given_slot(*before).when(ClaimSlot("slot-0", "task-a.1", "s9", "other", True)).then(claimed)
    assert isinstance(after, Busy)
    assert (after.process, after.launch, after.card.launches) == (None, 2, 2)


def test_a_slot_without_a_process_is_claimed_with_a_new_one_only() -> None:
    given_slot(ADDED).when(ClaimSlot("slot-0", "task-a.1", "s9", "key", False)).refused(
        WrongState, "needs a new one"
    )


@pytest.mark.parametrize(
    "before",
    [(), STARTING, BUSY, (*USED, ClearStarted()), (ADDED, SlotStopped("drain")), (ADDED, SlotDrainStarted())],
)
def test_a_slot_that_is_not_free_is_not_claimed(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(ClaimSlot("slot-0", "task-b.1", "s1", "key", True)).refused(
        WrongState, "only an idle slot"
    )


def test_the_process_that_a_claim_asked_for_answers() -> None:
    replaced = ProcessReplaced(2, 200, "2.1.330")
    after = given_slot(*REPLACING).when(RecordLaunched("slot-0", 2, 200, "2.1.330")).then(replaced)
    assert isinstance(after, Busy)
    assert after.process == Process(2, "other", "s2", None)


def test_it_answers_once() -> None:
    given_slot(*REPLACING, ProcessReplaced(2, 200, "2.1.330")).when(
        RecordLaunched("slot-0", 2, 200, "2.1.330")
    ).then()


def test_an_attempt_leaves_its_process_idle_with_its_conversation() -> None:
    after = given_slot(*BUSY).when(release()).then(SlotReleased("task-a.1", True, 7, 300, "s1"))
    assert isinstance(after, Idle)
    assert after.process == Process(1, "key", "s1", None, turns=1, rss_mb=300)
    assert (after.card.tasks_completed, after.card.cost, after.card.conversation) == (1, 7, "s1")


def test_an_attempt_that_did_not_succeed_is_not_counted() -> None:
    after = (
        given_slot(*BUSY).when(release(succeeded=False)).then(SlotReleased("task-a.1", False, 7, 300, "s1"))
    )
    assert isinstance(after, Idle)
    assert after.card.tasks_completed == 0


def test_the_conversation_that_the_attempt_reports_is_the_one_that_counts() -> None:
    after = given_slot(*BUSY).when(release(session="s8")).then(SlotReleased("task-a.1", True, 7, 300, "s8"))
    assert isinstance(after, Idle)
    assert (after.process.holds, after.card.conversation) == ("s8", "s8")


def test_without_a_report_it_is_the_one_of_the_claim() -> None:
    given_slot(*BUSY).when(release(session=None)).then(SlotReleased("task-a.1", True, 7, 300, "s1"))


def test_turns_add_up_over_the_life_of_a_process() -> None:
    again = (SessionPrepared("s2"), SlotClaimed("task-b.1", "s2", 1, "key"))
    after = given_slot(*USED, ClearStarted(), *again, SlotReleased("task-b.1", True, 0, 310, "s2")).state
    assert isinstance(after, Idle)
    assert after.process == Process(1, "key", "s2", None, turns=2, rss_mb=310)


def test_a_new_process_has_no_turns_yet() -> None:
    after = given_slot(
        *REPLACING, ProcessReplaced(2, 1, ""), SlotReleased("task-b.1", True, 0, 1, "s2")
    ).state
    assert isinstance(after, Idle)
    assert after.process.turns == 1


def test_a_process_that_died_with_its_attempt_leaves_the_slot_cold() -> None:
    released, ended = (
        SlotReleased("task-a.1", False, 7, 300, "s1"),
        ProcessEnded(1, False, None, 0, "why", 50),
    )
    command = release(alive=False, faulty=True, succeeded=False)
    after = given_slot(*BUSY).when(command).then(released, ended)
    assert isinstance(after, Cold)
    assert after.card.health.failures == (50,)


def test_a_process_that_we_ended_is_no_failure() -> None:
    released, ended = SlotReleased("task-a.1", False, 7, 300, "s1"), ProcessEnded(1, True, None, 0, "why", 50)
    after = given_slot(*BUSY).when(release(alive=False, succeeded=False)).then(released, ended)
    assert isinstance(after, Cold)
    assert after.card.health.failures == ()


def test_a_process_that_dies_with_its_attempt_too_often_fails_the_slot() -> None:
    once = given_slot(*IDLE, ProcessEnded(1, False, -9, 0, "killed", 0), LaunchStarted(2, "key", "s2"))
    twice = once.and_(LaunchFailed(2, "slot_failed", "", 1), LaunchStarted(3, "key", "s1"))
    busy = twice.and_(LaunchSucceeded(3, 1, ""), SlotClaimed("task-a.1", "s1", 3, "key"))
    after = busy.when(release(alive=False, faulty=True)).then(
        SlotReleased("task-a.1", True, 7, 300, "s1"),
        ProcessEnded(3, False, None, 0, "why", 50),
        SlotQuarantined("slot_failed", "why", 60_050),
    )
    assert isinstance(after, Failed)


@pytest.mark.parametrize("before", [(), IDLE, REPLACING])
def test_only_the_attempt_that_has_the_slot_releases_it(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(release()).refused(WrongState, "it does not run task-a.1")


@pytest.mark.parametrize("before", [STARTING, BUSY, (*USED, ClearStarted()), (*IDLE, StopStarted("recycle"))])
def test_a_slot_that_is_at_something_leaves_when_it_is_free(before: tuple[SlotEvent, ...]) -> None:
    after = given_slot(*before).when(DrainSlot("slot-0")).then(SlotDrainStarted())
    assert isinstance(after, (Starting, Busy, Clearing, Stopping))
    assert after.card.draining


def test_an_idle_slot_leaves_at_once() -> None:
    after = given_slot(*IDLE).when(DrainSlot("slot-0")).then(StopStarted("retire"))
    assert isinstance(after, Stopping)


@pytest.mark.parametrize(
    "before", [(ADDED,), (ADDED, SlotQuarantined("slot_failed", "")), (ADDED, SlotStopped("drain"))]
)
def test_a_slot_without_a_process_has_left_at_once(before: tuple[SlotEvent, ...]) -> None:
    after = given_slot(*before).when(DrainSlot("slot-0")).then(SlotRetired())
    assert isinstance(after, Stopped)
    assert after.retired


@pytest.mark.parametrize(
    "before",
    [(), (*BUSY, SlotDrainStarted()), (*IDLE, StopStarted("retire")), (ADDED, SlotRetired())],
)
def test_a_slot_that_is_leaving_or_gone_cannot_leave_again(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(DrainSlot("slot-0")).refused(WrongState, "it is leaving already")


def test_a_leaving_slot_whose_process_dies_with_its_attempt_has_left() -> None:
    after = (
        given_slot(*BUSY, SlotDrainStarted())
        .when(release(alive=False))
        .then(
            SlotReleased("task-a.1", True, 7, 300, "s1"),
            ProcessEnded(1, True, None, 0, "why", 50),
            SlotRetired(),
        )
    )
    assert isinstance(after, Stopped)
    assert after.retired


def test_a_leaving_slot_that_was_being_recycled_has_left_with_its_process() -> None:
    after = (
        given_slot(*IDLE, StopStarted("recycle"), SlotDrainStarted())
        .when(RecordProcessEnded("slot-0", True, 0, 0, "", 50))
        .then(ProcessEnded(1, True, 0, 0, "", 50), SlotRetired())
    )
    assert isinstance(after, Stopped)
