"""The Task aggregate: one piece of work with one prompt, run in attempts 1, 2, 3 …

Invariant: a task has at most one live attempt, and an outcome is accepted only from that attempt.
See `task_events` for the facts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from . import provider, questions
from .errors import WrongState
from .questions import Question
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
from .values import (
    End,
    LimitKind,
    Outcome,
    SessionMode,
    SessionPolicy,
    TaskSpec,
    Text,
    attempt_id,
    derived_id,
    parse_session,
)

SESSION_LOST = "session_not_found"
"""The code of an attempt whose conversation the CLI does not know."""

BACKOFF_FIRST_MS = 1_000
BACKOFF_CAP_MS = 60_000


@dataclass(frozen=True, slots=True)
class LiveAttempt:
    """An attempt that runs: where, since when, in which conversation, and what was asked of it since.

    `interrupt` is the code of a recorded interruption, `cancel` a recorded wish of a caller, `asked_at` (ms;
    0: not yet) when it was first asked to end by either; `questions` wait for an answer. `resumed`: its
    prompt tells that an earlier attempt was cut off. `ahead` is what it keeps free: below that it asks for
    more money.
    """

    number: int
    slot_id: str
    started_at: int
    reserved: int
    cap: int | None
    deadline: int | None
    context: int | None
    model: str | None
    effort: str | None
    permission_mode: str | None
    session: str = ""
    directory: str = ""
    interrupt: str | None = None
    cancel: bool = False
    questions: tuple[Question, ...] = ()
    resumed: bool = False
    ahead: int = 0
    asked_at: int = 0

    @property
    def ending(self) -> bool:
        """Whether it was asked to end."""
        return self.cancel or self.interrupt is not None


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt that is over: where it ran, from when to when, and what came of it.

    `interrupt` is the code for which it was asked to end, whether or not that is why it ended.
    """

    number: int
    slot_id: str
    session: str
    started_at: int
    ended_at: int
    outcome: Outcome
    interrupt: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A verdict: which attempt's result was refused, and why."""

    attempt: int
    feedback: Text
    at: int


@dataclass(frozen=True, slots=True)
class Job:
    """What stays with a task through its states: its order, its ended attempts, and what was refused.

    `resume` is the conversation of an attempt that was cut off, which the next one is to go on with.
    `reopened` counts how often the task's `on_interrupt` gave it another attempt.
    """

    task_id: str
    spec: TaskSpec
    fingerprint: str
    submitted_at: int
    attempts: tuple[EndedAttempt, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    resume: str | None = None
    reopened: int = 0

    @property
    def failures(self) -> int:
        """How many attempts since the last rejection (or the start) failed in a way that may pass.

        One that the provider would not serve is not among them.
        """
        judged = self.rejections[-1].attempt if self.rejections else 0
        outcomes = (attempt.outcome for attempt in self.attempts if attempt.number > judged)
        return sum(outcome.retryable and outcome.limit is None for outcome in outcomes)

    @property
    def overloads(self) -> int:
        """How many of its attempts in a row, the last ones, met an overloaded provider."""
        return provider.in_a_row(LimitKind.OVERLOADED, self.outcomes)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What came of the ended attempts, in order."""
        return tuple(attempt.outcome for attempt in self.attempts)

    @property
    def cost(self) -> int:
        """What all ended attempts cost together, in microdollars."""
        return sum(attempt.outcome.cost for attempt in self.attempts)

    @property
    def next_attempt(self) -> int:
        """The number that the next attempt will have."""
        return len(self.attempts) + 1


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such task. `SubmitTask` ends it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Waits for a slot. The claim policy ends it; a crash leaves it as it is."""

    job: Job


@dataclass(frozen=True, slots=True)
class Parked:
    """Waits for `reason` until `until`, or for an event. A policy or an answer ends it; a crash does not."""

    job: Job
    reason: str
    until: int | None


@dataclass(frozen=True, slots=True)
class Running:
    """One live attempt. Its recorded outcome ends it; a crash of the owner seals it."""

    job: Job
    live: LiveAttempt


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the last attempt did is unknown, or it could not take up one of which that is so.

    A decision (resume, rerun, cancel) ends it, of a person or of `on_interrupt`; a crash does not.
    """

    job: Job


@dataclass(frozen=True, slots=True)
class PendingReview:
    """The last attempt has a result. A verdict or a cancel ends it; a crash leaves it as it is."""

    job: Job


@dataclass(frozen=True, slots=True)
class Completed:
    """Terminal: the last attempt succeeded."""

    job: Job


@dataclass(frozen=True, slots=True)
class Failed:
    """Terminal: no result, and why."""

    job: Job
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Terminal: a caller did not want it any more."""

    job: Job


@dataclass(frozen=True, slots=True)
class Settling:
    """Between an attempt's end, or a verdict, and what it means for the task: only inside one append."""

    job: Job


Task = (
    Absent | Pending | Parked | Running | Settling | Sealed | PendingReview | Completed | Failed | Cancelled
)
Known = Pending | Parked | Running | Settling | Sealed | PendingReview | Completed | Failed | Cancelled
Terminal = Completed | Failed | Cancelled

ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class SubmitTask:
    """Accept a task under the id `task_id`."""

    task_id: str
    spec: TaskSpec
    fingerprint: str
    now: int


@dataclass(frozen=True, slots=True)
class ParkTask:
    """Let a pending task wait for `reason`."""

    task_id: str
    reason: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class UnparkTask:
    """Let a parked task wait for a slot again."""

    task_id: str


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Give the task its next attempt, in `slot_id` and `session`."""

    task_id: str
    slot_id: str
    session: str
    mode: str
    parent: str | None
    working_dir: str
    reserved: int
    cap: int | None
    deadline: int | None
    context: int | None
    model: str | None
    effort: str | None
    permission_mode: str | None
    now: int
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class CancelTask:
    """The task is to end: because of `why`, or (empty) because a caller wants it."""

    task_id: str
    now: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class InterruptAttempt:
    """End the live attempt because of `code`; a second interruption changes nothing."""

    task_id: str
    attempt: int
    code: str
    now: int


@dataclass(frozen=True, slots=True)
class RecordAttemptEnded:
    """The attempt ended with `outcome`."""

    task_id: str
    attempt: int
    outcome: Outcome
    now: int


@dataclass(frozen=True, slots=True)
class SealAttempt:
    """The owner lost sight of the live attempt; `outcome` is what was seen of it."""

    task_id: str
    outcome: Outcome
    now: int


@dataclass(frozen=True, slots=True)
class FailTask:
    """End a waiting task that cannot run any more.

    One that was to go on in a conversation that is out of reach is sealed again: somebody decides.
    """

    task_id: str
    code: str
    message: str
    now: int


@dataclass(frozen=True, slots=True)
class ApproveTask:
    """Accept the result under review."""

    task_id: str
    now: int


@dataclass(frozen=True, slots=True)
class RejectTask:
    """Refuse the result under review: the task runs again, or fails with its last allowed rejection."""

    task_id: str
    feedback: Text
    now: int


@dataclass(frozen=True, slots=True)
class ReopenTask:
    """Give a sealed task another attempt: in its interrupted conversation (`resume`) or as ordered.

    `automatic`: nobody was asked; the task's `on_interrupt` says so.
    """

    task_id: str
    resume: bool
    now: int
    automatic: bool = False


TaskCommand = (
    SubmitTask | ParkTask | UnparkTask | StartAttempt | CancelTask | InterruptAttempt
    | RecordAttemptEnded | SealAttempt | FailTask | ApproveTask | RejectTask | ReopenTask
    | questions.QuestionCommand
)  # fmt: skip

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
    return Running(replace(state.job, resume=None), live)


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


def resumable(job: Job) -> bool:
    """Whether the conversation of the last attempt can be taken up: something of it was seen, and it was
    not taken up before."""
    last = job.attempts[-1]
    seen = last.outcome.transcript.length > 0
    return seen and sum(attempt.session == last.session for attempt in job.attempts) == 1


def sealed_question(job: Job) -> str:
    """The id of what is asked about a sealed task: the same as long as it is sealed."""
    return derived_id("question", attempt_id(job.task_id, len(job.attempts)), "sealed")


def live_attempt_id(state: Running) -> str:
    """The id of a running task's attempt: `task-….1`."""
    return attempt_id(state.job.task_id, state.live.number)


def session_policy(job: Job, default: SessionPolicy) -> SessionPolicy:
    """The conversation a task asks for, or the pool's `default`; after a rejection always a fresh one.

    An attempt that goes on where an earlier one was cut off takes over that one's conversation.
    """
    if job.resume is not None:
        return SessionPolicy(SessionMode.RESUME, job.resume)
    if job.rejections:
        return SessionPolicy()
    return default if job.spec.session is None else parse_session(job.spec.session) or default
