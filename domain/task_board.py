"""The task board: a task as its callers see it, in any state, and why it waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from . import task
from .provider import HOLDS
from .questions import ALLOW, DENY, Question
from .reasons import waiting_for, waiting_until
from .values import Denial, Part, Text, Tokens
from .world import World


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong: a code of the closed list, a sentence, and whether trying again may help."""

    code: str
    message: str
    retryable: bool


PERMISSION_CHOICES = (ALLOW, DENY)
"""The answers to a permission question."""


def question_text(question: Question) -> str:
    """What is asked, in one sentence."""
    return f"May it use {question.text}"


def sealed_choices(job: task.Job) -> tuple[str, ...]:
    """What can be decided on a task whose last attempt was cut off."""
    return ("resume", "rerun", "cancel") if task.resumable(job) else ("rerun", "cancel")


@dataclass(frozen=True, slots=True)
class Refused:
    """A result that was rejected: of which attempt, what it said, why not, and when."""

    attempt: int
    output: Text
    feedback: Text
    at: int


@dataclass(frozen=True, slots=True)
class TaskCard:
    """A task's view. Costs, tokens, turns and times cover all its attempts; the output is the last one's."""

    task_id: str
    state: str
    success: bool | None
    output: Text | None
    structured_output: Text | None
    error: Problem | None
    cost: int
    cost_estimated: bool
    unpriced: bool
    tokens: Tokens
    turns: int
    elapsed_ms: int
    waited_ms: int
    model: str | None
    slot_id: str | None
    session_id: str | None
    attempts: int
    tags: tuple[str, ...]
    denials: tuple[Denial, ...]
    reason: str | None
    prompt: Text
    rejections: tuple[Refused, ...] = ()
    skill: str | None = None
    part: Part | None = None
    questions: tuple[Question, ...] = ()
    max_rejections: int | None = None
    until: int | None = None


def state_name(state: task.Known) -> str:
    """The public word for a task's state."""
    match state:
        case task.Pending():
            return "pending"
        case task.Parked():
            return "parked"
        case task.Running() | task.Settling():
            return "running"
        case task.Sealed():
            return "sealed"
        case task.PendingReview():
            return "pending_review"
        case task.Completed():
            return "completed"
        case task.Failed():
            return "failed"
        case task.Cancelled():
            return "cancelled"
        case _:
            assert_never(state)


def task_card(state: task.Known, now: int, world: World) -> TaskCard:
    """The view of a task at `now` (ms); `world` tells why it waits."""
    job = state.job
    last = job.attempts[-1] if job.attempts else None
    outcome = last.outcome if last is not None else None
    live = state.live if isinstance(state, task.Running) else None
    began = [a.started_at for a in job.attempts] + ([live.started_at] if live is not None else [])
    spans = [a.ended_at - a.started_at for a in job.attempts]
    spans += [now - live.started_at] if live is not None else []
    success = {"completed": True, "failed": False, "cancelled": False}.get(state_name(state))
    tokens = Tokens()
    for attempt in job.attempts:
        tokens += attempt.outcome.tokens
    terminal = isinstance(state, (task.Completed, task.Failed, task.Cancelled))
    waited_until = min(began, default=job.submitted_at if terminal else now)
    return TaskCard(
        task_id=job.task_id,
        state=state_name(state),
        success=success,
        output=outcome.output if outcome is not None else None,
        structured_output=outcome.structured_output if outcome is not None else None,
        error=_problem(state),
        cost=job.cost,
        cost_estimated=any(a.outcome.estimated for a in job.attempts),
        unpriced=any(a.outcome.unpriced for a in job.attempts),
        tokens=tokens,
        turns=sum(a.outcome.turns for a in job.attempts),
        elapsed_ms=sum(max(0, span) for span in spans),
        waited_ms=max(0, waited_until - job.submitted_at),
        model=_model(live, outcome.model if outcome is not None else None, state),
        slot_id=live.slot_id if live is not None else (last.slot_id if last is not None else None),
        session_id=live.session if live is not None else (last.session if last is not None else None),
        attempts=len(job.attempts) + (live is not None),
        tags=job.spec.tags,
        denials=tuple(denial for a in job.attempts for denial in a.outcome.denials),
        reason=waiting_for(world, state),
        prompt=job.spec.prompt,
        rejections=refused_results(job),
        skill=job.spec.skill,
        part=job.spec.part,
        questions=live.questions if live is not None else (),
        max_rejections=job.spec.review,
        until=waiting_until(world, state),
    )


def refused_results(job: task.Job) -> tuple[Refused, ...]:
    """The results that were rejected, in order."""
    outcomes = [job.attempts[r.attempt - 1].outcome for r in job.rejections]
    return tuple(
        Refused(r.attempt, o.output if o.output.size else o.structured_output or Text(), r.feedback, r.at)
        for r, o in zip(job.rejections, outcomes, strict=True)
    )


def _model(live: task.LiveAttempt | None, reported: str | None, state: task.Known) -> str | None:
    if live is not None:
        return live.model
    return reported or state.job.spec.options.model


def _problem(state: task.Known) -> Problem | None:
    match state:
        case task.Failed(_, code, message, retryable):
            return Problem(code, message, retryable)
        case task.Sealed(job):
            outcome = job.attempts[-1].outcome
            return Problem("interrupted", outcome.message or "Its outcome is unknown.", False)
        case task.Parked(job, reason) if reason in HOLDS and job.attempts:
            outcome = job.attempts[-1].outcome
            return Problem(outcome.code or reason, outcome.message or "", True)
        case _:
            return None
