"""What a task can be, and what is known of it in each state."""

from __future__ import annotations

from dataclasses import dataclass

from .. import provider
from ..questions import Question
from ..values import (
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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
