"""What may happen to a task: the facts that a command brings about, or why it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from .. import provider, questions
from ..errors import WrongState
from ..task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    InterruptRequested,
    ReviewRequested,
    SessionOpened,
    TaskApproved,
    TaskCancelled,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskParked,
    TaskRejected,
    TaskReopened,
    TaskSealed,
    TaskSubmitted,
    TaskUnparked,
)
from ..values import End, Outcome, Text
from .commands import (
    ApproveTask,
    CancelTask,
    FailTask,
    InterruptAttempt,
    ParkTask,
    RecordAttemptEnded,
    RejectTask,
    ReopenTask,
    SealAttempt,
    StartAttempt,
    SubmitTask,
    TaskCommand,
    UnparkTask,
)
from .states import (
    SESSION_LOST,
    Absent,
    Cancelled,
    Job,
    Parked,
    Pending,
    PendingReview,
    Running,
    Sealed,
    Task,
    resumable,
)

BACKOFF_FIRST_MS = 1_000


BACKOFF_CAP_MS = 60_000


_INTERRUPTS = {
    "timed_out_task": "The attempt ran longer than its timeout_seconds.",
    "task_budget_reached": "The attempt reached its budget.",
    "interrupted": "The pool was stopped while the attempt ran.",
    "timed_out_chain": "The chain ran out of its time.",
}


_TO_DO = "Look how far it came, then answer its question or cancel it."


def decide(command: TaskCommand, state: Task) -> tuple[TaskEvent, ...]:
    """The facts that `command` brings about in `state`.

    Raises:
        WrongState: the task cannot do this now.
    """
    match command:
        case SubmitTask(task_id, spec, fingerprint, now):
            if not isinstance(state, Absent):
                raise _refusal(task_id, state, "it was submitted before")
            return (TaskSubmitted(task_id, spec, fingerprint, now),)
        case ParkTask(_, reason, until):
            if isinstance(state, Pending):
                return (TaskParked(reason, until),)
            raise _refusal(command.task_id, state, "only a pending task can be parked")
        case UnparkTask():
            if isinstance(state, Parked):
                return (TaskUnparked(),)
            raise _refusal(command.task_id, state, "it is not parked")
        case StartAttempt():
            return _start(command, state)
        case CancelTask():
            return _cancel(command, state)
        case InterruptAttempt(_, number, code, now):
            if isinstance(state, Running) and state.live.number == number and state.live.interrupt is None:
                return (InterruptRequested(number, code, now),)
            return ()
        case RecordAttemptEnded():
            return _ended(command, state)
        case SealAttempt(_, outcome, now):
            return _seal(command, state, outcome, now)
        case FailTask(_, code, message):
            if isinstance(state, (Pending, Parked)):
                goes_on = code == SESSION_LOST and state.job.resume is not None
                return (TaskSealed(len(state.job.attempts)) if goes_on else TaskFailed(code, message),)
            raise _refusal(command.task_id, state, "only a waiting task can be given up")
        case ApproveTask(task_id, now):
            if isinstance(state, PendingReview):
                return (TaskApproved(now), TaskCompleted())
            raise _refusal(task_id, state, "only a result under review can be approved")
        case RejectTask(task_id, feedback, now):
            if isinstance(state, PendingReview):
                return _reject(state.job, feedback, now)
            raise _refusal(task_id, state, "only a result under review can be rejected")
        case ReopenTask():
            return (_reopened(command, state),)
        case (
            questions.AskQuestion()
            | questions.AnswerQuestion()
            | questions.ExpireQuestion()
            | questions.WithdrawQuestion()
        ):
            live = state.live if isinstance(state, Running) else None
            attempt = live.number if live is not None and not live.ending else None
            return questions.decide(command, attempt, () if live is None else live.questions)
        case _:
            assert_never(command)


def _refusal(task_id: str, state: Task, problem: str) -> WrongState:
    return WrongState(subject=task_id, state=type(state).__name__.lower(), problem=problem)


def _start(command: StartAttempt, state: Task) -> tuple[TaskEvent, ...]:
    if not isinstance(state, Pending):
        raise _refusal(command.task_id, state, "only a pending task can start an attempt")
    number = state.job.next_attempt
    started = AttemptStarted(
        number, command.slot_id, command.now, command.reserved, command.cap, command.deadline,
        command.context, command.model, command.effort, command.permission_mode, command.ahead,
    )  # fmt: skip
    opened = SessionOpened(number, command.session, command.mode, command.working_dir, command.parent)
    return (started, opened)


def _cancel(command: CancelTask, state: Task) -> tuple[TaskEvent, ...]:
    match state:
        case Pending() | Parked() | Sealed() | PendingReview():
            return (TaskCancelled(command.why),)
        case Running(_, live):
            return () if live.cancel else (CancelRequested(command.now, command.why),)
        case Cancelled():
            return ()
        case _:
            raise _refusal(command.task_id, state, "there is nothing left to cancel")


def _ended(command: RecordAttemptEnded, state: Task) -> tuple[TaskEvent, ...]:
    if not isinstance(state, Running) or state.live.number != command.attempt:
        raise _refusal(command.task_id, state, f"attempt {command.attempt} is not live")
    live, outcome, now = state.live, command.outcome, command.now
    if outcome.end is End.SUCCEEDED:
        return (AttemptSucceeded(live.number, outcome, now), _succeeded(state, now))
    if live.cancel:
        return (
            AttemptCancelled(live.number, replace(outcome, code=None, message=None), now),
            TaskCancelled(),
        )
    if live.interrupt == "interrupted":
        return _sealing(live.number, outcome, now)
    if live.resumed and live.interrupt is None and outcome.code == SESSION_LOST:
        return _not_resumed(live.number, outcome, now)
    if live.interrupt is not None:
        outcome = replace(
            outcome, code=live.interrupt, message=_INTERRUPTS.get(live.interrupt), retryable=False
        )
    waits = provider.waits_for(outcome, state.job.outcomes)
    if waits is not None and live.interrupt is None:
        return (AttemptFailed(live.number, outcome, now), TaskParked(waits))
    outcome = replace(outcome, limit=None)
    failed = AttemptFailed(live.number, outcome, now)
    code, message = outcome.code or "no_result", outcome.message or "The attempt was interrupted."
    failures = state.job.failures
    if outcome.retryable and failures < state.job.spec.retries:
        wait = backoff_ms(failures + 1, state.job.spec.backoff_ms)
        return (failed, TaskParked("backoff", now + wait))
    return (failed, TaskFailed(code, message, outcome.retryable))


def _not_resumed(number: int, outcome: Outcome, now: int) -> tuple[TaskEvent, ...]:
    """The conversation that was cut off is gone: what was done in it stays unknown, so somebody decides."""
    found = outcome.message or "The CLI does not know it any more."
    message = f"Its work was cut off, and the conversation cannot be taken up. {found} {_TO_DO}"
    return (AttemptFailed(number, replace(outcome, message=message), now), TaskSealed(number))


def _succeeded(state: Running, now: int) -> TaskEvent:
    if state.job.spec.review is None:
        return TaskCompleted()
    # nobody is asked for a verdict on what is not wanted any more
    return TaskCancelled() if state.live.cancel else ReviewRequested(state.live.number, now)


def _reject(job: Job, feedback: Text, now: int) -> tuple[TaskEvent, ...]:
    number = len(job.rejections) + 1
    rejected = TaskRejected(number, feedback, now)
    if number < (job.spec.review or 0):
        return (rejected,)
    times = "once" if number == 1 else f"{number} times"
    message = f"Its result was rejected {times}, as often as its max_rejections allows."
    return (rejected, TaskFailed("review_rejected", message))


def backoff_ms(failures: int, first: int | None = None) -> int:
    """The wait before the attempt after `failures` (1, 2, …) retryable failures.

    It begins with `first` (ms; None: `BACKOFF_FIRST_MS`) and doubles up to 60 s, or up to `first` if longer.
    """
    first = BACKOFF_FIRST_MS if first is None else first
    return min(first << min(max(failures - 1, 0), 16), max(BACKOFF_CAP_MS, first))


def _reopened(command: ReopenTask, state: Task) -> TaskReopened:
    if not isinstance(state, Sealed):
        raise _refusal(command.task_id, state, "only a sealed task can get another attempt")
    if not command.resume:
        return TaskReopened("rerun", None, command.now, command.automatic)
    if not resumable(state.job):
        problem = "its conversation cannot be resumed; rerun or cancel it"
        raise _refusal(command.task_id, state, problem)
    return TaskReopened("resume", state.job.attempts[-1].session, command.now, command.automatic)


def _seal(command: SealAttempt, state: Task, outcome: Outcome, now: int) -> tuple[TaskEvent, ...]:
    if not isinstance(state, Running):
        raise _refusal(command.task_id, state, "it has no live attempt")
    if state.live.cancel:
        cancelled = replace(outcome, code=None, message=None)
        return (AttemptCancelled(state.live.number, cancelled, now), TaskCancelled())
    return _sealing(state.live.number, outcome, now)


def _sealing(number: int, outcome: Outcome, now: int) -> tuple[TaskEvent, ...]:
    message = f"The pool's owner ended while this ran, so what it did is unknown. {_TO_DO}"
    sealed = replace(outcome, end=End.INTERRUPTED, code="interrupted", message=message, retryable=False)
    return (AttemptSealed(number, sealed, now), TaskSealed(number))
