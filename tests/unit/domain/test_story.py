"""Each fact of a task's or a slot's story as a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain.chain_events import (
    ChainCompleted,
    ChainFailed,
    ChainSubmitted,
    EndingBegun,
    Fork,
    Plan,
    Step,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    WorkKept,
    WorkplaceMade,
    WorkplaceRefused,
)
from claude_pool.domain.pool_events import FundsReserved, FundsSettled, FundsToppedUp
from claude_pool.domain.records import Actor, Event, Meta, Recorded
from claude_pool.domain.slot_events import (
    EffectAbandoned,
    SlotClaimed,
    SlotMended,
    SlotQuarantined,
    SlotReleased,
    SlotTried,
    StopStarted,
)
from claude_pool.domain.story import Reason, story
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    InterruptRequested,
    SessionOpened,
    TaskCancelled,
    TaskFailed,
    TaskParked,
    TaskSubmitted,
)
from claude_pool.domain.values import End, Limit, LimitKind, Text

from tests.support.domain_story import outcome, spec

ID = "task-aaaaaaaaaaaaaaaa"
STEP = Step("a", spec())
SUCCESS = outcome(turns=2, cost=7)
FAILURE = outcome(End.FAILED, "turn_limit", message="Too many.", turns=2, cost=7)


def said(event: Event) -> str:
    """The sentence for one event."""
    meta = Meta(50, "cmd", "cmd", Actor.POLICY, cause=3)
    (reason,) = story([Recorded(4, ID, 1, event, meta, b"")])
    return reason.text


def test_a_reason_names_its_event_and_its_cause() -> None:
    meta = Meta(50, "cmd", "cmd", Actor.POLICY, cause=3)
    assert story([Recorded(4, ID, 1, CancelRequested(9), meta, b"")]) == (
        Reason(4, 50, "policy", 3, "task.cancel_requested", "a caller asked to cancel it"),
    )


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (ChainSubmitted("c", Plan((STEP,)), "f", 1), "accepted with 1 step"),
        (ChainSubmitted("c", Plan((STEP, STEP), "clone"), "f", 1), "accepted with 2 steps in a clone"),
        (
            ChainSubmitted("chain-b", Plan((), fork=Fork("chain-a", "b")), "f", 0),
            "accepted with 0 steps, chain-a again from b on",
        ),
        (
            StepReused("a", "chain-a", ID, 1, 2, "completed", Text(), ()),
            f"step a is reused, completed as attempt 2 of {ID} in chain-a left it",
        ),
        (StepStarted("a", 1, ID), f"step a is {ID} now"),
        (StepStarted("a", 2, ID), f"step a is {ID} now, its recovery"),
        (StepCompleted("a", 1, Text(), (), 7, 1), "step a completed, cost $0.000007"),
        (
            StepFailed("a", 1, "turn_limit", "Too many.", Text(), 7, 1),
            "step a failed, cost $0.000007 (turn_limit: Too many.)",
        ),
        (StepCancelled("a", 1, 7, 1), "step a was cancelled"),
        (StepSkipped("a"), "step a was skipped"),
        (EndingBegun("cancelled", "Enough."), "nothing more starts: cancelled (Enough.)"),
        (EndingBegun("skip_rest"), "nothing more starts: skip_rest"),
        (WorkplaceMade("/w", "/w", "/r", "b", "0123456789abcdef"), "works in /w on b, from 0123456789ab"),
        (
            WorkplaceRefused("isolation_failed", "No."),
            "no copy of the repository could be made: isolation_failed: No.",
        ),
        (WorkKept("b", "0123456789abcdef", 2, Text()), "2 files changed, kept on b at 0123456789ab"),
        (
            WorkKept("b", "0123456789abcdef", 2, Text(), "main"),
            "2 files changed, kept on b at 0123456789ab, merged into main",
        ),
        (
            WorkKept("b", "0123456789abcdef", 2, Text(), None, "merge_conflict", "Both."),
            "2 files changed, kept on b at 0123456789ab (merge_conflict: Both.)",
        ),
        (ChainFailed("step_failed", "No."), "failed: step_failed: No."),
        (ChainCompleted(), "completed"),
        (TaskSubmitted(ID, spec(priority=2), "f", 1), "accepted with priority 2"),
        (TaskSubmitted(ID, spec(slot="builder"), "f", 1), "accepted with priority 0 for builder"),
        (
            TaskSubmitted(ID, replace(spec(), forked="task-a"), "f", 1),
            "accepted with priority 0, in a copy of the conversation of task-a",
        ),
        (TaskParked("budget"), "waits for budget"),
        (TaskParked("backoff", 90), "waits for backoff until 90"),
        (AttemptStarted(1, "slot-0", 9), "attempt 1 started in slot-0, $0.000000 reserved"),
        (
            AttemptStarted(1, "slot-0", 9, 30, 40),
            "attempt 1 started in slot-0, $0.000030 reserved, interrupted at $0.000040",
        ),
        (SessionOpened(1, "s1", "fresh", "/project"), "attempt 1 runs in fresh session s1 in /project"),
        (InterruptRequested(1, "timed_out_task", 9), "attempt 1 is interrupted: timed_out_task"),
        (AttemptSucceeded(1, SUCCESS, 9), "attempt 1 ended after 2 turns, cost $0.000007"),
        (
            AttemptFailed(1, FAILURE, 9),
            "attempt 1 ended after 2 turns, cost $0.000007 (turn_limit: Too many.)",
        ),
        (
            AttemptFailed(1, replace(FAILURE, limit=Limit(LimitKind.RATE)), 9),
            "attempt 1 ended after 2 turns, cost $0.000007 (turn_limit: Too many.), "
            "a limit of the provider: rate",
        ),
        (
            AttemptFailed(1, replace(FAILURE, limit=Limit(LimitKind.USAGE, 90)), 9),
            "attempt 1 ended after 2 turns, cost $0.000007 (turn_limit: Too many.), "
            "a limit of the provider: usage until 90",
        ),
        (AttemptCancelled(1, SUCCESS, 9), "attempt 1 ended after 2 turns, cost $0.000007"),
        (AttemptSealed(1, SUCCESS, 9), "attempt 1 ended after 2 turns, cost $0.000007"),
        (CancelRequested(9, "Its coordinator went away."), "Its coordinator went away."),
        (TaskCancelled("Its coordinator went away."), "cancelled: Its coordinator went away."),
        (TaskCancelled(), "cancelled"),
        (TaskFailed("turn_limit", "Too many."), "failed: turn_limit: Too many."),
        (SlotClaimed(f"{ID}.1", "s1", 2, "key"), f"claimed for {ID}.1 in session s1, by process 2"),
        (
            SlotClaimed(f"{ID}.1", "s1", 3, "key", replaces=True),
            f"claimed for {ID}.1 in session s1, by a new process (number 3)",
        ),
        (SlotReleased(f"{ID}.1", True, 7, 300, "s1"), f"released by {ID}.1"),
        (FundsReserved(f"{ID}.1", 30), f"$0.000030 reserved for {ID}.1"),
        (FundsToppedUp(f"{ID}.1", 9), f"$0.000009 more reserved for {ID}.1"),
        (FundsSettled(f"{ID}.1", 7), f"{ID}.1 settled at $0.000007"),
        (FundsSettled(f"{ID}.1", 7, estimated=True), f"{ID}.1 settled at $0.000007 (estimated)"),
        (
            SlotQuarantined("slot_failed", "It died.", 90),
            "out of service, to be tried again from 90 on: slot_failed: It died.",
        ),
        (SlotQuarantined("slot_failed", "It died."), "out of service: slot_failed: It died."),
        (SlotTried(), "on trial: the next failure puts it out of service again"),
        (SlotMended(), "a process came through an attempt: earlier failures are over"),
        (StopStarted("recycle"), "stop started"),
        (EffectAbandoned(3, "clear", 5), "the clear did not answer in time: process 3 is killed"),
    ],
)
def test_a_fact_reads_as_a_sentence(event: Event, sentence: str) -> None:
    assert said(event) == sentence
