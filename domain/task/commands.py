"""What a task can be told, and what adapters report of its attempts."""

from __future__ import annotations

from dataclasses import dataclass

from .. import questions
from ..values import Outcome, TaskSpec, Text


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
