"""A fact that makes no sense in a state leaves it unchanged."""

from __future__ import annotations

import pytest
from claude_pool.domain import chain, slot, task
from claude_pool.domain.chain_events import (
    ChainCancelled,
    ChainCompleted,
    ChainEvent,
    ChainFailed,
    ChainSubmitted,
    ClosingRequested,
    EndingBegun,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkplaceRefused,
    WorkplaceRequested,
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
    SlotEvent,
    SlotQuarantined,
    SlotReleased,
    SlotRevived,
    SlotStopped,
    StopStarted,
)
from claude_pool.domain.task_events import (
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    InterruptRequested,
    SessionOpened,
    TaskCancelled,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskParked,
    TaskSealed,
    TaskSubmitted,
    TaskUnparked,
)
from claude_pool.domain.values import Text

from tests.support.domain_chains import CHAIN, KEPT, MADE, plan, step
from tests.support.domain_decider import given_chain, given_slot, given_task
from tests.support.domain_story import outcome, spec

ID = "task-aaaaaaaaaaaaaaaa"
COLD: tuple[SlotEvent, ...] = (SlotAdded("slot-0"),)
STARTING: tuple[SlotEvent, ...] = (*COLD, LaunchStarted(1, "key", "s1"))
IDLE: tuple[SlotEvent, ...] = (*STARTING, LaunchSucceeded(1, 100, ""))
BUSY: tuple[SlotEvent, ...] = (*IDLE, SlotClaimed("task-a.1", "s1", 1, "key"))
FAILED: tuple[SlotEvent, ...] = (*COLD, SlotQuarantined("slot_failed", ""))
PENDING: tuple[TaskEvent, ...] = (TaskSubmitted(ID, spec(), "f", 5),)
RUNNING: tuple[TaskEvent, ...] = (*PENDING, AttemptStarted(1, "slot-0", 10))


@pytest.mark.parametrize(
    ("before", "fact"),
    [
        (COLD, SlotAdded("slot-0")),
        (IDLE, SlotAdded("slot-0")),
        ((), ClearStarted()),
        (BUSY, ClearStarted()),
        (IDLE, LaunchStarted(2, "key", "s2")),
        (IDLE, SessionPrepared("s2")),
        (COLD, LaunchSucceeded(1, 100, "")),
        (IDLE, ProcessReplaced(2, 100, "")),
        (IDLE, LaunchFailed(1, "slot_failed", "", 5)),
        (BUSY, ProcessEnded(1, False, 1, 0, "", 5)),
        (COLD, StopStarted("recycle")),
        (IDLE, SlotQuarantined("slot_failed", "")),
        (IDLE, SlotRevived()),
        (FAILED, SlotStopped("shutdown")),
        (BUSY, SlotClaimed("task-b.1", "s1", 1, "key")),
        (IDLE, SlotReleased("task-a.1", True, 0, 0, "s1")),
        (BUSY, SlotReleased("task-b.1", True, 0, 0, "s1")),
    ],
)
def test_a_slot_stays_as_it_is(before: tuple[SlotEvent, ...], fact: SlotEvent) -> None:
    state = given_slot(*before).state
    assert slot.evolve(state, fact) == state


@pytest.mark.parametrize(
    ("before", "fact"),
    [
        (PENDING, TaskSubmitted(ID, spec(priority=3), "g", 6)),
        (RUNNING, TaskSubmitted(ID, spec(priority=3), "g", 6)),
        ((), TaskCancelled()),
        (PENDING, AttemptStarted(2, "slot-0", 10)),
        (RUNNING, AttemptStarted(1, "slot-1", 10)),
        (PENDING, SessionOpened(1, "s1", "fresh", "/")),
        (RUNNING, SessionOpened(2, "s1", "fresh", "/")),
        (PENDING, AttemptSucceeded(1, outcome(), 20)),
        (RUNNING, AttemptSucceeded(2, outcome(), 20)),
        (RUNNING, TaskCompleted()),
        (RUNNING, TaskFailed("turn_limit", "")),
        (RUNNING, TaskCancelled()),
        (PENDING, TaskSealed(1)),
        (RUNNING, TaskParked("budget")),
        (PENDING, TaskUnparked()),
        (PENDING, CancelRequested(9)),
        (PENDING, InterruptRequested(1, "interrupted", 9)),
        (RUNNING, InterruptRequested(2, "interrupted", 9)),
    ],
)
def test_a_task_stays_as_it_is(before: tuple[TaskEvent, ...], fact: TaskEvent) -> None:
    state = given_task(*before).state
    assert task.evolve(state, fact) == state


FAILED_STEP = StepFailed("a", 1, "turn_limit", "", Text(), 1, 1)
COPY = ChainSubmitted(CHAIN, plan(step("a"), isolation="worktree"), "f", 5)
ORDER = ChainSubmitted(CHAIN, plan(step("a"), step("b", "a")), "f", 5)
STEPPING: tuple[ChainEvent, ...] = (ORDER, StepStarted("a", 1, "task-a"))
RETRYING: tuple[ChainEvent, ...] = (*STEPPING, FAILED_STEP, StepStarted("a", 2, "task-b"))
CLOSING: tuple[ChainEvent, ...] = (COPY, MADE, StepsEnded())
OVER: tuple[ChainEvent, ...] = (ORDER, ChainCompleted())


@pytest.mark.parametrize(
    ("before", "fact"),
    [
        ((), ChainCancelled()),
        (STEPPING, ORDER),
        (STEPPING, WorkplaceRequested("o")),
        (STEPPING, MADE),
        ((COPY,), WorkplaceRefused("isolation_failed", "")),
        ((COPY,), StepStarted("a", 1, "task-a")),
        (STEPPING, StepStarted("a", 1, "task-b")),
        (STEPPING, StepStarted("b", 2, "task-b")),
        (STEPPING, StepStarted("z", 1, "task-b")),
        (RETRYING, StepStarted("a", 2, "task-c")),
        ((*RETRYING, FAILED_STEP), StepStarted("a", 3, "task-c")),
        ((*STEPPING, StepCancelled("a", 1, 0, 1)), StepStarted("a", 2, "task-b")),
        (STEPPING, StepCompleted("b", 1, Text(), (), 0, 1)),
        (STEPPING, StepCompleted("z", 1, Text(), (), 0, 1)),
        (STEPPING, StepCancelled("a", 2, 0, 1)),
        (RETRYING, FAILED_STEP),
        (STEPPING, StepSkipped("a")),
        (STEPPING, StepSkipped("z")),
        (STEPPING, ClosingRequested("o")),
        (STEPPING, KEPT),
        (CLOSING, EndingBegun("cancelled")),
        (CLOSING, WorkplaceRequested("o")),
        (CLOSING, StepsEnded()),
        (OVER, EndingBegun("cancelled")),
        (OVER, StepStarted("a", 1, "task-a")),
        (OVER, ChainFailed("step_failed", "")),
        (OVER, ChainCancelled()),
    ],
)
def test_a_chain_stays_as_it_is(before: tuple[ChainEvent, ...], fact: ChainEvent) -> None:
    state = given_chain(*before).state
    assert chain.evolve(state, fact) == state
