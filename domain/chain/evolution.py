"""What a chain is after a fact."""

from __future__ import annotations

from typing import assert_never

from ..chain_events import (
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
    StepReused,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkKept,
    WorkplaceMade,
    WorkplaceRefused,
    WorkplaceRequested,
)
from ..copies import replace
from ..values import Text
from .states import (
    Absent,
    Cancelled,
    Chain,
    Closing,
    Completed,
    Done,
    Failed,
    Known,
    Preparing,
    Running,
    Skipped,
    Started,
    StepState,
    Waiting,
    Work,
)

StepEvent = StepReused | StepStarted | StepCompleted | StepFailed | StepCancelled | StepSkipped


def evolve(state: Chain, event: ChainEvent) -> Chain:
    """The state after `event`; a fact that makes no sense in `state` leaves it unchanged. Never raises."""
    if isinstance(state, Absent):
        if not isinstance(event, ChainSubmitted):
            return state
        steps: dict[str, StepState] = {step.name: Waiting() for step in event.plan.steps}
        work = Work(event.chain_id, event.plan, event.fingerprint, event.at, steps)
        return Running(work) if event.plan.isolation == "none" else Preparing(work)
    return _evolve_known(state, event)


def _evolve_known(state: Known, event: ChainEvent) -> Chain:
    if isinstance(state, (Completed, Failed, Cancelled)):
        return state
    work = state.work
    match event:
        case WorkplaceRequested(owner):
            return Preparing(work, owner) if isinstance(state, Preparing) else state
        case WorkplaceMade():
            return Running(replace(work, workplace=event)) if isinstance(state, Preparing) else state
        case StepReused() | StepStarted() | StepCompleted() | StepFailed() | StepCancelled() | StepSkipped():
            return _with_step(state, event)
        case EndingBegun():
            return state if isinstance(state, Closing) else replace(state, work=replace(work, ending=event))
        case StepsEnded():
            return Closing(work) if isinstance(state, Running) else state
        case ClosingRequested(owner):
            return Closing(work, owner) if isinstance(state, Closing) else state
        case WorkKept():
            return replace(state, work=replace(work, kept=event)) if isinstance(state, Closing) else state
        case ChainCompleted():
            return Completed(work)
        case ChainFailed(code, message):
            return Failed(work, code, message)
        case ChainCancelled():
            return Cancelled(work)
        case ChainSubmitted() | WorkplaceRefused():
            return state
        case _:
            assert_never(event)


def _with_step(state: Preparing | Running | Closing, event: StepEvent) -> Known:
    if isinstance(event, StepStarted) and not isinstance(state, Running):
        return state
    after = _evolve_step(state.work.steps.get(event.step), event)
    if after is None:
        return state
    return replace(state, work=replace(state.work, steps={**state.work.steps, event.step: after}))


def _evolve_step(at: StepState | None, event: StepEvent) -> StepState | None:
    """The step after `event`, or None where it makes no sense there."""
    if isinstance(event, StepStarted):
        match at:
            case Waiting() if event.run == 1:
                return Started(1, event.task_id)
            case Done(status="failed", run=1) if event.run == 2:
                problem = f"[{at.code}] {at.message}"
                size = len(problem.encode("utf-8", "replace"))
                return Started(2, event.task_id, at.cost, at.attempts, Text(problem, size=size))
            case _:
                return None
    if isinstance(event, StepSkipped):
        return Skipped() if isinstance(at, Waiting) else None
    if isinstance(event, StepReused):
        return _as_it_was(event) if isinstance(at, Waiting) else None
    if not isinstance(at, Started) or at.run != event.run:
        return None
    cost, attempts = at.cost + event.cost, at.attempts + event.attempts
    match event:
        case StepCompleted(_, run, output, variables, head=head):
            return Done("completed", run, at.task_id, output, variables, cost, attempts, head=head)
        case StepFailed(_, run, code, message, output, head=head):
            return Done("failed", run, at.task_id, output, (), cost, attempts, code, message, head)
        case StepCancelled(_, run):
            return Done("cancelled", run, at.task_id, Text(), (), cost, attempts)
        case _:
            assert_never(event)


def _as_it_was(event: StepReused) -> Done:
    return Done(
        event.status, event.run, event.task_id, event.output, event.variables, 0, 0, event.code,
        event.message, event.head, event.chain_id, event.session,
    )  # fmt: skip
