"""The facts of a Task's stream (`task-…`). Names and versions never change once written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .values import Outcome, TaskSpec, Text


@dataclass(frozen=True)
class TaskSubmitted:
    """A task was accepted. `fingerprint` digests the caller's arguments, for idempotency keys."""

    NAME: ClassVar[str] = "task.submitted"
    VERSION: ClassVar[int] = 1
    task_id: str
    spec: TaskSpec
    fingerprint: str
    at: int


@dataclass(frozen=True)
class TaskParked:
    """The task waits for `reason`, until the time `until` or, where that is None, for an answer or event."""

    NAME: ClassVar[str] = "task.parked"
    VERSION: ClassVar[int] = 1
    reason: str
    until: int | None = None


@dataclass(frozen=True)
class TaskUnparked:
    """What the task waited for has come; it waits for a slot again."""

    NAME: ClassVar[str] = "task.unparked"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class AttemptStarted:
    """Attempt number `attempt` has a slot, a conversation and its money.

    `reserved` is what was set aside; `cap` is where it is interrupted for money (None: nowhere);
    `deadline` is when it is interrupted for time; `context` is the version of the shared context
    that its prompt shows (None: it shows none); `ahead` is what it keeps free.
    """

    NAME: ClassVar[str] = "attempt.started"
    VERSION: ClassVar[int] = 1
    attempt: int
    slot_id: str
    at: int
    reserved: int = 0
    cap: int | None = None
    deadline: int | None = None
    context: int | None = None
    model: str | None = None
    effort: str | None = None
    permission_mode: str | None = None
    ahead: int = 0


@dataclass(frozen=True)
class SessionOpened:
    """The attempt runs in conversation `session`; `mode` tells how, `parent` what it continues or forks."""

    NAME: ClassVar[str] = "session.opened"
    VERSION: ClassVar[int] = 1
    attempt: int
    session: str
    mode: str
    working_dir: str
    parent: str | None = None


@dataclass(frozen=True)
class CancelRequested:
    """The task is to end. The attempt is interrupted; its result decides how it ends.

    `why` is empty where a caller asked for it.
    """

    NAME: ClassVar[str] = "task.cancel_requested"
    VERSION: ClassVar[int] = 1
    at: int
    why: str = ""


@dataclass(frozen=True)
class InterruptRequested:
    """The attempt is being interrupted because of `code` (a limit of time or money, or a shutdown)."""

    NAME: ClassVar[str] = "attempt.interrupt_requested"
    VERSION: ClassVar[int] = 1
    attempt: int
    code: str
    at: int


@dataclass(frozen=True)
class AttemptSucceeded:
    """The attempt ended with a result."""

    NAME: ClassVar[str] = "attempt.succeeded"
    VERSION: ClassVar[int] = 1
    attempt: int
    outcome: Outcome
    at: int


@dataclass(frozen=True)
class AttemptFailed:
    """The attempt ended without the result that was asked for; `outcome.code` says why."""

    NAME: ClassVar[str] = "attempt.failed"
    VERSION: ClassVar[int] = 1
    attempt: int
    outcome: Outcome
    at: int


@dataclass(frozen=True)
class AttemptCancelled:
    """The attempt ended because the task was cancelled."""

    NAME: ClassVar[str] = "attempt.cancelled"
    VERSION: ClassVar[int] = 1
    attempt: int
    outcome: Outcome
    at: int


@dataclass(frozen=True)
class AttemptSealed:
    """Its owner lost sight of the attempt: what it did is unknown. `outcome` holds what was seen of it."""

    NAME: ClassVar[str] = "attempt.sealed"
    VERSION: ClassVar[int] = 1
    attempt: int
    outcome: Outcome
    at: int


@dataclass(frozen=True)
class TaskCompleted:
    """The task's last attempt succeeded. Terminal."""

    NAME: ClassVar[str] = "task.completed"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class TaskFailed:
    """The task ended without a result. Terminal."""

    NAME: ClassVar[str] = "task.failed"
    VERSION: ClassVar[int] = 1
    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True)
class TaskCancelled:
    """The task was cancelled. Terminal. `why` is empty where a caller asked for it."""

    NAME: ClassVar[str] = "task.cancelled"
    VERSION: ClassVar[int] = 1
    why: str = ""


@dataclass(frozen=True)
class TaskSealed:
    """The task waits for a decision on an attempt whose outcome is unknown."""

    NAME: ClassVar[str] = "task.sealed"
    VERSION: ClassVar[int] = 1
    attempt: int


@dataclass(frozen=True)
class ReviewRequested:
    """The attempt has a result that counts only once somebody approves it."""

    NAME: ClassVar[str] = "task.review_requested"
    VERSION: ClassVar[int] = 1
    attempt: int
    at: int


@dataclass(frozen=True)
class TaskApproved:
    """Somebody accepted the result under review."""

    NAME: ClassVar[str] = "task.approved"
    VERSION: ClassVar[int] = 1
    at: int


@dataclass(frozen=True)
class TaskRejected:
    """Somebody refused the result under review, for the `number`th time, and said why."""

    NAME: ClassVar[str] = "task.rejected"
    VERSION: ClassVar[int] = 1
    number: int
    feedback: Text
    at: int


@dataclass(frozen=True)
class QuestionAsked:
    """The attempt waits for leave to use `tool` with `input` (JSON text); it is denied at `deadline`."""

    NAME: ClassVar[str] = "question.asked"
    VERSION: ClassVar[int] = 1
    question_id: str
    attempt: int
    tool: str
    input: Text
    text: str
    deadline: int
    at: int


@dataclass(frozen=True)
class QuestionAnswered:
    """Somebody answered `allow`, perhaps with another input, or `deny`, perhaps with a message."""

    NAME: ClassVar[str] = "question.answered"
    VERSION: ClassVar[int] = 1
    question_id: str
    choice: str
    message: str | None
    updated_input: Text | None
    at: int


@dataclass(frozen=True)
class QuestionExpired:
    """Nobody answered by the deadline (`why`: deadline), or no answer was wanted any more (withdrawn)."""

    NAME: ClassVar[str] = "question.expired"
    VERSION: ClassVar[int] = 1
    question_id: str
    why: str
    at: int


@dataclass(frozen=True)
class TaskReopened:
    """A sealed task gets another attempt: `rerun`, or `resume` of `session`.

    Somebody decided so, or (`automatic`) the task's `on_interrupt` did.
    """

    NAME: ClassVar[str] = "task.reopened"
    VERSION: ClassVar[int] = 1
    how: str
    session: str | None
    at: int
    automatic: bool = False


TaskEvent = (
    TaskSubmitted | TaskParked | TaskUnparked | AttemptStarted | SessionOpened | CancelRequested
    | InterruptRequested | AttemptSucceeded | AttemptFailed | AttemptCancelled | AttemptSealed
    | TaskCompleted | TaskFailed | TaskCancelled | TaskSealed | ReviewRequested | TaskApproved | TaskRejected
    | QuestionAsked | QuestionAnswered | QuestionExpired | TaskReopened
)  # fmt: skip

EVENTS: tuple[type[TaskEvent], ...] = (
    TaskSubmitted, TaskParked, TaskUnparked, AttemptStarted, SessionOpened, CancelRequested,
    InterruptRequested, AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed,
    TaskCompleted, TaskFailed, TaskCancelled, TaskSealed, ReviewRequested, TaskApproved, TaskRejected,
    QuestionAsked, QuestionAnswered, QuestionExpired, TaskReopened,
)  # fmt: skip
