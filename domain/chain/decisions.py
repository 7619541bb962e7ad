"""What may happen to a chain: the facts that a command brings about, or why it is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
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
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkplaceMade,
    WorkplaceRefused,
    WorkplaceRequested,
)
from ..errors import WrongState
from .commands import (
    CancelChain,
    ChainCommand,
    ExpireChain,
    RecordStepEnded,
    RecordWorkKept,
    RecordWorkplace,
    RequestClosing,
    RequestWorkplace,
    SubmitChain,
)
from .evolution import evolve
from .states import (
    CANCELLED_BY_CALLER,
    Absent,
    Cancelled,
    Chain,
    Closing,
    Done,
    Preparing,
    Running,
    Started,
    Waiting,
    Work,
    step_task_id,
    went_well,
)


def decide(command: ChainCommand, state: Chain) -> tuple[ChainEvent, ...]:
    """The facts that `command` brings about in `state`.

    Raises:
        WrongState: the chain cannot do this now.
    """
    match command:
        case SubmitChain(chain_id, plan, fingerprint, now, reused):
            if not isinstance(state, Absent):
                raise _refusal(chain_id, state, "it was submitted before")
            return _then_advance(state, ChainSubmitted(chain_id, plan, fingerprint, now), *reused)
        case RequestWorkplace(_, owner):
            if isinstance(state, Preparing) and state.asked != owner:
                return (WorkplaceRequested(owner),)
            return ()
        case RecordWorkplace(_, made):
            return _on_workplace(state, made)
        case RecordStepEnded():
            return _on_step_ended(state, command)
        case CancelChain(chain_id, _, why):
            if isinstance(state, (Preparing, Running)):
                return _end(state, EndingBegun("cancelled", why or CANCELLED_BY_CALLER))
            if isinstance(state, Cancelled):
                return ()
            raise _refusal(chain_id, state, "there is nothing left to cancel")
        case ExpireChain():
            if isinstance(state, (Preparing, Running)):
                return _end(state, EndingBegun("timed_out_chain", "The chain ran out of its time."))
            return ()
        case RequestClosing(_, owner):
            if isinstance(state, Closing) and state.asked != owner:
                return (ClosingRequested(owner),)
            return ()
        case RecordWorkKept(_, kept):
            if not isinstance(state, Closing):
                return ()
            return (kept, _verdict(replace(state.work, kept=kept)))
        case _:
            assert_never(command)


def _refusal(chain_id: str, state: Chain, problem: str) -> WrongState:
    return WrongState(subject=chain_id, state=type(state).__name__.lower(), problem=problem)


def _then_advance(state: Chain, *events: ChainEvent) -> tuple[ChainEvent, ...]:
    """`events` and all that follows from them at once."""
    for event in events:
        state = evolve(state, event)
    return (*events, *_advance(state))


def _end(state: Preparing | Running, ending: EndingBegun) -> tuple[ChainEvent, ...]:
    if state.work.ending is not None and state.work.ending.reason == ending.reason:
        return ()
    return _then_advance(state, ending)


def _on_workplace(state: Chain, made: WorkplaceMade | WorkplaceRefused) -> tuple[ChainEvent, ...]:
    if not isinstance(state, Preparing):
        return ()
    if isinstance(made, WorkplaceMade):
        return _then_advance(state, made)
    skipped = tuple(StepSkipped(name) for name, at in state.work.steps.items() if isinstance(at, Waiting))
    ending = state.work.ending
    if ending is not None:
        return (made, *skipped, _verdict(state.work))
    return (made, *skipped, ChainFailed(made.code, made.problem))


def _on_step_ended(state: Chain, command: RecordStepEnded) -> tuple[ChainEvent, ...]:
    if not isinstance(state, Running):
        return ()
    work, at = state.work, state.work.steps.get(command.step)
    if not isinstance(at, Started) or at.run != command.run:
        return ()
    name, run, cost, attempts = command.step, command.run, command.cost, command.attempts
    step = work.step(name)
    match command.status:
        case "completed":
            done = StepCompleted(
                name, run, command.output, command.variables, cost, attempts, command.head
            )  # fmt: skip
            return _then_advance(state, done)
        case "cancelled":
            ended: ChainEvent = StepCancelled(name, run, cost, attempts)
            message = f"The task of step {name} was cancelled."
        case _:
            ended = StepFailed(
                name, run, command.code, command.message, command.output, cost, attempts, command.head
            )  # fmt: skip
            message = f"Step {name} failed: [{command.code}] {command.message}"
            if step.recovery_prompt is not None and run == 1 and work.ending is None:
                return (ended, StepStarted(name, 2, step_task_id(work.chain_id, name, 2)))
    if work.ending is not None or step.on_failure == "continue":
        return _then_advance(state, ended)
    reason = "skip_rest" if step.on_failure == "skip_rest" else "step_failed"
    return _then_advance(state, ended, EndingBegun(reason, message))


def _advance(state: Chain) -> Iterator[ChainEvent]:
    """What the present state lets happen at once: steps that start or are skipped, and the chain's end."""
    assert isinstance(state, (Preparing, Running))
    work = state.work
    waiting = {name: None for name, at in work.steps.items() if isinstance(at, Waiting)}
    if work.ending is not None:
        yield from (StepSkipped(name) for name in waiting)
        if isinstance(state, Preparing):
            if state.asked is None:
                yield _verdict(work)
            return
    elif isinstance(state, Preparing):
        return
    started = list(_startable(work, waiting)) if work.ending is None else []
    yield from (StepStarted(name, 1, step_task_id(work.chain_id, name, 1)) for name in started)
    if started or work.started:
        return
    if work.workplace is not None:
        yield StepsEnded()
    else:
        yield _verdict(work)


def _startable(work: Work, waiting: Collection[str]) -> Iterator[str]:
    """The waiting steps whose needs are done; in a copy of the repository one at a time."""
    alone = work.plan.isolation != "none"
    if alone and work.started:
        return
    for step in work.plan.steps:
        if step.name in waiting and all(isinstance(work.steps[need], Done) for need in step.needs):
            yield step.name
            if alone:
                return


def _verdict(work: Work) -> ChainEvent:
    """How a chain ends whose steps are all over."""
    ending, kept = work.ending, work.kept
    if ending is not None and ending.reason == "cancelled":
        return ChainCancelled()
    if ending is not None and not went_well(work):
        return ChainFailed(ending.reason, ending.message)
    if kept is not None and kept.code is not None:
        return ChainFailed(kept.code, kept.problem)
    return ChainCompleted()
