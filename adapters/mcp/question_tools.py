"""Toolset review, second half: questions that slots and sealed tasks have, and their answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from claude_pool.domain.errors import InvalidArgument
from pydantic import AfterValidator, Field

from ..config.amounts import microdollars
from ..questions import json_object
from ..views import View
from .arguments import Arguments
from .canonical import canonical_json
from .fields import Line, LongText, Usd
from .schemas import result_schema
from .tool import Call, Tool

UPDATED_INPUT_BYTES = 1_000_000


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    canonical_json(value, UPDATED_INPUT_BYTES)
    return value


class ListQuestionsArguments(Arguments):
    """Which questions to list."""

    task_id: Line | None = Field(default=None, description="Only this task's.")
    kind: Literal["permission", "sealed", "soft_limit"] | None = Field(
        default=None, description="Only of this kind."
    )


class AnswerArguments(Arguments):
    """An answer."""

    question_id: Line = Field(description="As pool_list_questions shows it.")
    choice: Line = Field(description="One of the question's choices.")
    message: LongText | None = Field(default=None, description="With deny: what the model is told.")
    updated_input: Annotated[dict[str, Any], AfterValidator(_bounded)] | None = Field(
        default=None, description="With allow: the tool's input instead of the one shown."
    )
    amount_usd: Usd | None = Field(
        default=None, description="With continue: dollars more; default: all up to the limit."
    )


async def _list(call: Call, given: ListQuestionsArguments) -> View:
    return await call.application.list_questions(given.task_id, given.kind)


async def _answer(call: Call, given: AnswerArguments) -> View:
    if given.amount_usd is not None and given.choice != "continue":
        raise InvalidArgument(argument="amount_usd", problem="goes with continue")
    changed = None if given.updated_input is None else json_object(given.updated_input)
    amount = None if given.amount_usd is None else microdollars(given.amount_usd)
    return await call.application.answer_question(
        given.question_id, given.choice, given.message, changed, call.origin, amount
    )


QUESTION_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_list_questions",
        "review",
        "List what waits for an answer, with its choices: permission (a slot wants to use a tool and is "
        "denied at the deadline), sealed (a task with an unknown outcome), soft_limit (money).",
        ListQuestionsArguments,
        result_schema("questions", questions="array"),
        _list,
        reads=True,
    ),
    Tool(
        "pool_answer_question",
        "review",
        "Answer one question. permission: allow (perhaps with another input) or deny. sealed: resume the "
        "interrupted conversation, rerun the task, or cancel it; returns the task's view. soft_limit: "
        "continue, or stop all new work there.",
        AnswerArguments,
        result_schema("task_id", "state", task_id=["string", "null"], state="string"),
        _answer,
        destroys=True,
        works=True,
    ),
)
