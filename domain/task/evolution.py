"""What a task is after a fact."""

from __future__ import annotations

from typing import assert_never

from .. import questions
from ..copies import replace
from ..task_events import (
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
from ..values import Text
from .states import (
    SESSION_LOST,
    Absent,
    Cancelled,
    Completed,
    EndedAttempt,
    Failed,
    Job,
    Known,
    LiveAttempt,
    Parked,
    Pending,
    PendingReview,
    Rejection,
    Running,
    Sealed,
    Settling,
    Task,
)


def evolve(state: Task, event: TaskEvent) -> Task:
    """The state after `event`; a fact that makes no sense in `state` leaves it unchanged. Never raises."""
    if isinstance(state, Absent):
        if not isinstance(event, TaskSubmitted):
            return state
        return Pending(Job(event.task_id, event.spec, event.fingerprint, event.at))
    return _evolve_known(state, event)


def _evolve_known(state: Known, event: TaskEvent) -> Task:
    match event:
        case AttemptStarted():
            return _on_started(state, event)
        case SessionOpened(number, session, _, directory):
            if not isinstance(state, Running) or state.live.number != number:
                return state
            return Running(state.job, replace(state.live, session=session, directory=directory))
        case AttemptSucceeded() | AttemptFailed() | AttemptCancelled() | AttemptSealed():
            return _on_ended(state, event)
        case TaskCompleted():
            return Completed(state.job) if isinstance(state, Settling) else state
        case ReviewRequested():
            return PendingReview(state.job) if isinstance(state, Settling) else state
        case TaskApproved():
            return Settling(state.job) if isinstance(state, PendingReview) else state
        case TaskRejected(_, feedback, at):
            return _on_rejected(state, feedback, at)
        case TaskReopened(_, session, _, automatic):
            if not isinstance(state, Sealed):
                return state
            return Pending(replace(state.job, resume=session, reopened=state.job.reopened + automatic))
        case QuestionAsked() | QuestionAnswered() | QuestionExpired():
            if not isinstance(state, Running):
                return state
            asked = questions.evolve(state.live.questions, event)
            return Running(state.job, replace(state.live, questions=asked))
        case TaskFailed(code, message, retryable):
            if not isinstance(state, (Settling, Pending, Parked)):
                return state
            return Failed(state.job, code, message, retryable)
        case TaskCancelled():
            if not isinstance(state, (Settling, Pending, Parked, Sealed, PendingReview)):
                return state
            return Cancelled(state.job)
        case TaskSealed():
            if isinstance(state, Settling) or (
                isinstance(state, (Pending, Parked)) and state.job.resume is not None
            ):
                return Sealed(replace(state.job, resume=None))
            return state
        case TaskParked(reason, until):
            return Parked(state.job, reason, until) if isinstance(state, (Pending, Settling)) else state
        case TaskUnparked():
            return Pending(state.job) if isinstance(state, Parked) else state
        case CancelRequested(at):
            if not isinstance(state, Running):
                return state
            live = state.live
            return Running(state.job, replace(live, cancel=True, asked_at=live.asked_at or at))
        case InterruptRequested(number, code, at):
            if not isinstance(state, Running) or state.live.number != number:
                return state
            live = state.live
            return Running(state.job, replace(live, interrupt=code, asked_at=live.asked_at or at))
        case TaskSubmitted():
            return state
        case _:
            assert_never(event)


def _on_started(state: Known, event: AttemptStarted) -> Task:
    if not isinstance(state, Pending) or event.attempt != state.job.next_attempt:
        return state
    live = LiveAttempt(
        event.attempt, event.slot_id, event.at, event.reserved, event.cap, event.deadline, event.context,
        event.model, event.effort, event.permission_mode, resumed=state.job.resume is not None,
        ahead=event.ahead,
    )  # fmt: skip
    job = state.job if state.job.resume is None else replace(state.job, resume=None)
    return Running(job, live)


def _on_ended(
    state: Known, event: AttemptSucceeded | AttemptFailed | AttemptCancelled | AttemptSealed
) -> Task:
    if not isinstance(state, Running) or state.live.number != event.attempt:
        return state
    live = state.live
    ended = EndedAttempt(
        live.number, live.slot_id, live.session, live.started_at, event.at, event.outcome, live.interrupt
    )  # fmt: skip
    # what failed while it went on with work that was cut off is tried again there, not from the beginning
    goes_on = live.resumed and isinstance(event, AttemptFailed) and event.outcome.code != SESSION_LOST
    resume = live.session if goes_on else None
    return Settling(replace(state.job, attempts=(*state.job.attempts, ended), resume=resume))


def _on_rejected(state: Known, feedback: Text, at: int) -> Task:
    if not isinstance(state, PendingReview):
        return state
    job = state.job
    rejection = Rejection(len(job.attempts), feedback, at)
    return Pending(replace(job, rejections=(*job.rejections, rejection)))
