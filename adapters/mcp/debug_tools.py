"""Toolset debug: what happened, event by event."""

from __future__ import annotations

from typing import Any, Self

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.values import kind_of
from pydantic import Field, model_validator

from ..views import View
from .arguments import Arguments
from .fields import Page, Position, refusal
from .schemas import result_schema
from .tool import Call, Tool


class WhyArguments(Arguments):
    """Names what to explain."""

    id: str = Field(description="A task, chain or slot.")


class ReplayArguments(Arguments):
    """Which part of the log."""

    after: Position | None = Field(
        default=None, description="Events after this position; default: from the first."
    )
    until: Position | None = Field(
        default=None, description="Events up to this position; default: to the last."
    )
    task: str | None = Field(default=None, description="Only this task's events.")
    chain: str | None = Field(default=None, description="Only this chain's events.")
    slot: str | None = Field(default=None, description="Only this slot's events.")
    limit: Page = Field(default=50, description="Events in one answer.")

    @model_validator(mode="after")
    def _one_stream(self) -> Self:
        if sum(each is not None for each in (self.task, self.chain, self.slot)) > 1:
            raise refusal("say one of task, chain and slot")
        return self


async def _why(call: Call, given: WhyArguments) -> View:
    return await call.application.why(given.id)


async def _replay(call: Call, given: ReplayArguments) -> View:
    for argument in ("task", "chain", "slot"):
        subject: str | None = getattr(given, argument)
        if subject is not None and kind_of(subject) != argument:
            raise InvalidArgument(argument=argument, problem=f"that is no id of a {argument}")
    subject = given.task or given.chain or given.slot
    return await call.application.replay(given.after, given.until, subject, given.limit)


DEBUG_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_why",
        "debug",
        "Tell why a task, chain or slot is as it is: its facts in order, each with the position of the event "
        "that holds it, its time, and who caused it.",
        WhyArguments,
        result_schema("id", "state", "story", id="string", state="string", story="array"),
        _why,
        reads=True,
    ),
    Tool(
        "pool_replay",
        "debug",
        "Read the event log, the pool's whole truth, in order. next is the position to give as after for "
        "the following page, null at the end.",
        ReplayArguments,
        result_schema("events", events="array", next=["integer", "null"]),
        _replay,
        reads=True,
    ),
)
