"""What holds for slots in every log: a forged one breaks just what it was forged to break."""

from __future__ import annotations

import pytest
from claude_pool.domain import workplace_events
from claude_pool.domain.message_events import (
    MessageAccepted,
    MessagesDelivered,
    MessagesRead,
    MessagesReturned,
)
from claude_pool.domain.records import Event
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
    SlotConfigured,
    SlotDrainStarted,
    SlotQuarantined,
    SlotReleased,
    SlotRetired,
    SlotRevived,
    SlotStopped,
    StopStarted,
)
from claude_pool.domain.task_events import (
    TaskCompleted,
)
from claude_pool.domain.values import (
    Text,
)

from tests.support.forged_log import (
    DONE,
    NEXT,
    OPENED,
    OTHER,
    READY,
    RUNS,
    SLOT,
    TASK,
    At,
    claimed,
    codes,
    housed,
    launched,
    pool,
    settled,
    slot,
    started,
    submitted,
    task,
)


def failed_launch(number: int, at: int = 0) -> list[At]:
    return slot(LaunchStarted(number, "k", "s"), LaunchFailed(number, "slot_failed", "", at))


def crash(number: int, at: int = 0) -> list[At]:
    """A process comes up and dies."""
    return slot(
        LaunchStarted(number, "k", "s"),
        LaunchSucceeded(number, 9, "2"),
        ProcessEnded(number, False, -9, 0, "", at),
    )


def kept(head: str = "h", *, removed: bool = True) -> Event:
    return workplace_events.WorkKept("b", "base", head, 1, Text(), removed)


def message(message_id: str = "msg-1") -> Event:
    return MessageAccepted(message_id, "slot-9", Text(), 0)


KEEPING = workplace_events.WorkKeepStarted
TIRED = [*slot(SlotAdded(SLOT)), *crash(1), *crash(2)]
GONE = ("msg-1",)


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        # the states of a slot
        (slot(ClearStarted()), ["unknown_slot"]),
        (slot(SlotAdded(SLOT), SlotAdded(SLOT)), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), ClearStarted()), ["wrong_slot_move"]),
        ([*launched(), *slot(SessionPrepared("s"))], ["wrong_slot_move"]),
        ([*launched(), *slot(ClearStarted(), SessionPrepared("s"), StopStarted("x"))], []),
        (slot(SlotAdded(SLOT), SlotRetired(), SlotConfigured()), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), SlotRevived()), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), LaunchFailed(1, "x", "", 0)), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), LaunchSucceeded(1, 9, "2")), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), ProcessEnded(1, True, 0, 0, "", 0)), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), SlotDrainStarted()), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), SlotReleased("a.1", True, 0, 0, "")), ["wrong_slot_move"]),
        ([*launched(), *slot(LaunchStarted(2, "k", "s"))], ["wrong_slot_move"]),
        # processes
        (slot(SlotAdded(SLOT), LaunchStarted(2, "k", "s")), ["wrong_launch_number"]),
        (
            slot(SlotAdded(SLOT), LaunchStarted(1, "k", "s"), LaunchSucceeded(2, 9, "2")),
            ["not_the_live_process"],
        ),
        ([*launched(), *slot(ProcessEnded(2, True, 0, 0, "", 0))], ["not_the_live_process"]),
        ([*READY, *claimed(launch=2), *started()], ["not_the_live_process"]),
        (
            [
                *READY,
                *slot(SlotClaimed(f"{TASK}.1", "s", 2, "k", True), ProcessReplaced(2, 9, "2")),
                *started(),
            ],
            [],
        ),
        (
            [*READY, *slot(SlotClaimed(f"{TASK}.1", "s", 1, "k", True)), *started()],
            ["wrong_launch_number"],
        ),
        ([*TIRED, *crash(3), *slot(SlotQuarantined("slot_failed", ""))], []),
        ([*TIRED, *failed_launch(3), *slot(LaunchStarted(4, "k", "s"))], ["restarts_too_often"]),
        ([*TIRED, *crash(3, 60_000), *slot(LaunchStarted(4, "k", "s"))], []),
        (
            [*TIRED, *crash(3), *slot(SlotQuarantined("x", ""), SlotRevived(), LaunchStarted(4, "k", "s"))],
            [],
        ),
        # attempts
        (
            [*RUNS, *submitted(OTHER), *claimed(1, OTHER), *started(1, OTHER, SLOT, "s2")],
            ["one_task_a_slot", "attempt_without_claim"],
        ),
        ([*RUNS, *launched(NEXT), *claimed(slot_id=NEXT)], ["one_slot_a_task", "claim_without_attempt"]),
        (
            [*READY, *slot(SlotDrainStarted(), slot_id=SLOT), *claimed(), *started()],
            ["wrong_slot_move"],
        ),
        (
            [*READY[:-3], *slot(LaunchStarted(1, "k", "s")), *claimed()],
            ["wrong_slot_move"],
        ),
        ([*OPENED, *slot(SlotAdded(SLOT), SlotStopped("x")), *claimed()], ["out_of_service"]),
        ([*RUNS, *slot(SlotDrainStarted()), *task(DONE, TaskCompleted()), *settled()], []),
        (
            [*RUNS, *slot(SlotDrainStarted()), *task(DONE, TaskCompleted()), *settled(), *claimed(2)],
            ["out_of_service"],
        ),
        (claimed(), ["unknown_slot"]),
        ([*READY, *started()], ["attempt_without_claim"]),
        (
            [*READY, *launched(NEXT), *claimed(), *started(slot_id=NEXT)],
            ["attempt_without_claim", "claim_without_attempt"],
        ),
        ([*READY, *claimed()], ["claim_without_attempt"]),
        ([*RUNS, *task(DONE, TaskCompleted()), *settled()[:1]], ["not_released"]),
        ([*RUNS, *slot(SlotReleased(f"{TASK}.1", True, 0, 0, ""))], ["slot_differs", "wrong_release"]),
        (
            [*RUNS, *task(DONE, TaskCompleted()), *settled()[:1], *slot(SlotReleased("b.1", True, 0, 0, ""))],
            ["wrong_release", "not_released"],
        ),
        ([*RUNS, *task(DONE, TaskCompleted()), *settled()[:1], *slot(SlotStopped("owner_lost"))], []),
        ([*RUNS, *slot(SlotStopped("owner_lost"))], ["wrong_release"]),
        ([*launched(), *slot(SlotStopped("owner_lost"))], []),
        (slot(SlotStopped("owner_lost")), ["unknown_slot"]),
        # directories
        ([*housed(), *slot(KEEPING(True), kept())], []),
        ([*housed(), *slot(KEEPING(False), kept())], ["work_removed"]),
        ([*housed(), *slot(KEEPING(True), kept(""))], ["work_removed"]),
        ([*housed(), *slot(KEEPING(False), kept(removed=False))], []),
        ([*housed(), *housed(NEXT)], ["shared_directory"]),
        ([*housed(), *housed(NEXT, "/trees/1")], []),
        (slot(SlotAdded(SLOT), workplace_events.WorkplaceMade(None)), ["wrong_slot_move"]),  # type: ignore[arg-type]
        ([*launched(), *slot(KEEPING())], ["wrong_slot_move"]),
        (slot(kept()), ["unknown_slot"]),
        # messages
        (slot(message(), MessagesDelivered(GONE, "a.1"), MessagesReturned(GONE, "a.1")), []),
        (pool(message(), MessagesRead(GONE, "coordinator", 0)), []),
        (slot(message(), message()), ["message_twice"]),
        (slot(MessagesRead(GONE, "coordinator", 0)), ["message_twice"]),
        (slot(message(), *[MessagesDelivered(GONE, "a.1")] * 2), ["message_twice"]),
        (slot(message(), MessagesReturned(GONE, "a.1")), ["message_twice"]),
    ],
)
def test_what_holds_for_slots(facts: list[At], wanted: list[str]) -> None:
    assert codes(*facts) == wanted
