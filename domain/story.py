"""Why a task is as it is: its facts, each with the position of the event that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .chain_events import (
    ChainFailed,
    ChainSubmitted,
    EndingBegun,
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
from .pool_events import FundsReserved, FundsSettled, FundsToppedUp
from .records import Recorded
from .slot_events import EffectAbandoned, SlotClaimed, SlotMended, SlotQuarantined, SlotReleased, SlotTried
from .task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    InterruptRequested,
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    ReviewRequested,
    SessionOpened,
    TaskCancelled,
    TaskFailed,
    TaskParked,
    TaskRejected,
    TaskReopened,
    TaskSubmitted,
)
from .values import counted, dollars


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact of the story: where it stands in the log, when, who caused it, and what it says."""

    position: int
    at: int
    actor: str
    cause: int | None
    event: str
    text: str


def story(events: Sequence[Recorded]) -> tuple[Reason, ...]:
    """The events of one task, chain or slot, as sentences in order."""
    return tuple(
        Reason(
            e.position, e.meta.recorded_at, e.meta.actor.value, e.meta.cause, e.event.NAME, sentence(e.event)
        )
        for e in events
    )


def sentence(event: object) -> str:
    """What one event says, in a few words."""
    match event:
        case TaskSubmitted(_, spec):
            copied = f", in a copy of the conversation of {spec.forked}" if spec.forked else ""
            where = f" for {spec.slot}" if spec.slot else ""
            return f"accepted with priority {spec.priority}{where}{copied}"
        case TaskParked(reason, until):
            return f"waits for {reason}" + (f" until {until}" if until is not None else "")
        case AttemptStarted(number, slot_id, _, reserved, cap):
            limit = f", interrupted at {dollars(cap)}" if cap is not None else ""
            return f"attempt {number} started in {slot_id}, {dollars(reserved)} reserved{limit}"
        case SessionOpened(number, session, mode, where):
            return f"attempt {number} runs in {mode} session {session} in {where}"
        case CancelRequested(_, why):
            return why or "a caller asked to cancel it"
        case TaskCancelled(why) if why:
            return f"cancelled: {why}"
        case InterruptRequested(number, code):
            return f"attempt {number} is interrupted: {code}"
        case (
            AttemptSucceeded(number, outcome)
            | AttemptFailed(number, outcome)
            | AttemptCancelled(number, outcome)
            | AttemptSealed(number, outcome)
        ):
            why = f" ({outcome.code}: {outcome.message})" if outcome.code else ""
            if outcome.limit is not None:
                why += f", a limit of the provider: {outcome.limit.kind}"
                why += f" until {outcome.limit.until}" if outcome.limit.until is not None else ""
            ran = f"ended after {counted(outcome.turns, 'turn')}"
            return f"attempt {number} {ran}, cost {dollars(outcome.cost)}{why}"
        case ReviewRequested(number):
            return f"the result of attempt {number} waits for a verdict"
        case TaskRejected(number, feedback):
            return f"rejection {number}: {feedback.inline or feedback.head}"
        case QuestionAsked(_, number, _, _, text, deadline):
            return f"attempt {number} asks for leave until {deadline}: {text}"
        case QuestionAnswered(question_id, choice, message):
            return f"{question_id} answered: {choice}" + (f" ({message})" if message else "")
        case QuestionExpired(question_id, why):
            return f"{question_id} closed without an answer: {why}"
        case TaskReopened(how, _, _, automatic):
            return f"{'its on_interrupt' if automatic else 'somebody'} decided: {how}"
        case TaskFailed(code, message):
            return f"failed: {code}: {message}"
        case SlotClaimed(attempt, session, launch, _, replaces):
            how = f"by a new process (number {launch})" if replaces else f"by process {launch}"
            return f"claimed for {attempt} in session {session}, {how}"
        case SlotReleased(attempt):
            return f"released by {attempt}"
        case SlotQuarantined(code, problem, until):
            again = f", to be tried again from {until} on" if until is not None else ""
            return f"out of service{again}: {code}: {problem}"
        case EffectAbandoned(launch, effect):
            return f"the {effect} did not answer in time: process {launch} is killed"
        case SlotTried():
            return "on trial: the next failure puts it out of service again"
        case SlotMended():
            return "a process came through an attempt: earlier failures are over"
        case FundsReserved(attempt, amount):
            return f"{dollars(amount)} reserved for {attempt}"
        case FundsToppedUp(attempt, amount):
            return f"{dollars(amount)} more reserved for {attempt}"
        case FundsSettled(attempt, cost, estimated):
            return f"{attempt} settled at {dollars(cost)}" + (" (estimated)" if estimated else "")
        case _:
            return _of_chains(event)


def _of_chains(event: object) -> str:
    match event:
        case ChainSubmitted(_, plan):
            how = f" in a {plan.isolation}" if plan.isolation != "none" else ""
            again = f", {plan.fork.chain_id} again from {plan.fork.step} on" if plan.fork is not None else ""
            return f"accepted with {counted(len(plan.steps), 'step')}{how}{again}"
        case StepReused(step, chain_id, task_id, _, number, status):
            return f"step {step} is reused, {status} as attempt {number} of {task_id} in {chain_id} left it"
        case StepStarted(step, run, task_id):
            return f"step {step} is {task_id} now" + (", its recovery" if run > 1 else "")
        case StepCompleted(step, _, _, _, cost):
            return f"step {step} completed, cost {dollars(cost)}"
        case StepFailed(step, _, code, message, _, cost):
            return f"step {step} failed, cost {dollars(cost)} ({code}: {message})"
        case StepCancelled(step):
            return f"step {step} was cancelled"
        case StepSkipped(step):
            return f"step {step} was skipped"
        case EndingBegun(reason, message):
            return f"nothing more starts: {reason}" + (f" ({message})" if message else "")
        case WorkplaceMade(path, _, _, branch, base):
            return f"works in {path} on {branch}, from {base[:12]}"
        case WorkplaceRefused(code, problem):
            return f"no copy of the repository could be made: {code}: {problem}"
        case ChainFailed(code, problem):
            return f"failed: {code}: {problem}"
        case WorkKept(branch, head, files, _, merged, code, problem):
            landed = f", merged into {merged}" if merged else f" ({code}: {problem})" if code else ""
            return f"{files} files changed, kept on {branch} at {head[:12]}{landed}"
        case _:
            name: str = getattr(type(event), "NAME", type(event).__name__)
            return name.rpartition(".")[2].replace("_", " ")
