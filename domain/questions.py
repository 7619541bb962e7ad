"""The questions of a live attempt: a tool use waits for somebody's leave, at most until a deadline.

A question belongs to one attempt and is closed once: answered, expired (its deadline came, or its asker
wants no answer any more), or ended with its attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from .errors import WrongState
from .task_events import QuestionAnswered, QuestionAsked, QuestionExpired
from .values import Text

ALLOW = "allow"
DENY = "deny"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: leave to use `tool` with `input` (JSON), `text` in few words; denied at `deadline`."""

    question_id: str
    tool: str
    input: Text
    text: str
    deadline: int
    asked_at: int


@dataclass(frozen=True, slots=True)
class AskQuestion:
    """The attempt wants to use a tool and needs leave."""

    task_id: str
    attempt: int
    question: Question


@dataclass(frozen=True, slots=True)
class AnswerQuestion:
    """Somebody says `allow` (perhaps with another input) or `deny` (`message` tells the model why)."""

    task_id: str
    question_id: str
    choice: str
    message: str | None
    updated_input: Text | None
    now: int


@dataclass(frozen=True, slots=True)
class ExpireQuestion:
    """Nobody answered in time."""

    task_id: str
    question_id: str
    now: int


@dataclass(frozen=True, slots=True)
class WithdrawQuestion:
    """Its asker wants no answer any more; what is closed already stays as it is."""

    task_id: str
    question_id: str
    now: int


QuestionCommand = AskQuestion | AnswerQuestion | ExpireQuestion | WithdrawQuestion
QuestionEvent = QuestionAsked | QuestionAnswered | QuestionExpired


def decide(
    command: QuestionCommand, attempt: int | None, asked: tuple[Question, ...]
) -> tuple[QuestionEvent, ...]:
    """The facts that `command` brings about while `asked` are open.

    `attempt` is the number of the live attempt; None: there is none, or it is being ended.

    Raises:
        WrongState: the attempt may not ask, or the question is not open.
    """
    match command:
        case AskQuestion(task_id, number, question):
            if attempt != number:
                raise WrongState(
                    subject=f"{task_id}.{number}", state="ending", problem="it is not given leave any more"
                )
            q = question
            return (QuestionAsked(q.question_id, number, q.tool, q.input, q.text, q.deadline, q.asked_at),)
        case AnswerQuestion(_, question_id, choice, message, updated_input, now):
            if attempt is None or not _open(asked, question_id):
                raise WrongState(
                    subject=question_id, state="closed", problem="it waits for no answer any more"
                )
            return (QuestionAnswered(question_id, choice, message, updated_input, now),)
        case ExpireQuestion(_, question_id, now):
            late = any(q.question_id == question_id and q.deadline <= now for q in asked)
            return (QuestionExpired(question_id, "deadline", now),) if late else ()
        case WithdrawQuestion(_, question_id, now):
            return (QuestionExpired(question_id, "withdrawn", now),) if _open(asked, question_id) else ()
        case _:
            assert_never(command)


def _open(asked: tuple[Question, ...], question_id: str) -> bool:
    return any(question.question_id == question_id for question in asked)


def evolve(asked: tuple[Question, ...], event: QuestionEvent) -> tuple[Question, ...]:
    """The open questions after `event`. Never raises."""
    others = tuple(question for question in asked if question.question_id != event.question_id)
    if isinstance(event, QuestionAsked):
        asks = Question(event.question_id, event.tool, event.input, event.text, event.deadline, event.at)
        return (*others, asks)
    return others
