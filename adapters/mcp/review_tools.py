"""Toolset review: results that count only once somebody approves them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ..views import View
from .fields import LongText
from .pool_tools import OneTask
from .schemas import STATE, result_schema
from .task_arguments import SubmitArguments, task_request
from .tool import Call, Tool

DEFAULT_REJECTIONS = 3


class ReviewArguments(SubmitArguments):
    """One task whose result is reviewed."""

    max_rejections: int = Field(
        default=DEFAULT_REJECTIONS, ge=1, le=20, description="It fails with this rejection."
    )


class RejectArguments(OneTask):
    """Which result is refused, and why."""

    feedback: LongText = Field(description="What is wrong; the next attempt is told.")


async def _submit(call: Call, given: ReviewArguments) -> View:
    request = task_request(given, given.prompt, call.working_dir, given.max_rejections)
    return {"task_id": await call.application.submit(request, call.origin, "submit_with_review")}


async def _approve(call: Call, given: OneTask) -> View:
    return await call.application.approve(given.task_id, call.origin)


async def _reject(call: Call, given: RejectArguments) -> View:
    return await call.application.reject(given.task_id, given.feedback, call.origin)


REVIEW_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_submit_with_review",
        "review",
        "Accept one task whose result counts only once approved; its task_id at once. pool_wait tells when "
        "it is pending_review: then pool_approve_result or pool_reject_result. Costs money.",
        ReviewArguments,
        result_schema("task_id", task_id="string"),
        _submit,
        works=True,
    ),
    Tool(
        "pool_approve_result",
        "review",
        "Accept the result of a task that is pending_review: it is completed. Returns its view.",
        OneTask,
        STATE,
        _approve,
    ),
    Tool(
        "pool_reject_result",
        "review",
        "Refuse the result of a task that is pending_review. It runs again in a fresh conversation whose "
        "prompt shows every rejected result with its feedback, or fails with the last rejection allowed. "
        "Returns its view.",
        RejectArguments,
        STATE,
        _reject,
        works=True,
    ),
)
