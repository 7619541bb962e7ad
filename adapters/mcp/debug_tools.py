"""Toolset debug: what happened, event by event, and what happens from one of its steps on."""

from __future__ import annotations

from typing import Any, Self

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.values import kind_of
from pydantic import Field, model_validator

from ..forks import ForkRequest
from ..views import View
from .arguments import Arguments
from .fields import Label, Line, Model, Page, Position, Prompt, refusal
from .schemas import result_schema
from .tool import Call, Tool


class WhyArguments(Arguments):
    """Names what to explain."""

    id: str = Field(description="A task, chain or slot; pool; budget, day:YYYY-MM-DD or tag:NAME.")


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


class ForkArguments(Arguments):
    """What is taken up again, and what shall differ."""

    id: str = Field(description="A chain or task.")
    step: Label | None = Field(default=None, description="Of a chain: the first step that runs again.")
    prompt: Prompt | None = Field(
        default=None, description="Replaces the prompt of that step, or of the task."
    )
    model: Model | None = Field(default=None, description="Replaces its model.")
    idempotency_key: Line | None = Field(default=None, description="The same key gives the same fork.")


async def _fork(call: Call, given: ForkArguments) -> View:
    request = ForkRequest(given.id, given.step, given.prompt, given.model, given.idempotency_key)
    return await call.application.forks.fork(request, call.highest_mode, call.origin)


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
        "Tell why a task waits, runs, failed or cost what it did, and the same of a chain, a slot, the pool "
        "and its money. because holds the reasons, the deciding one first, each with a word for programs and "
        "the position of its event; do says what helps; story holds the facts in order, with time, cause and "
        "actor; tree what led to what.",
        WhyArguments,
        result_schema("id", "state", "story", id="string", state="string", story="array", because="array"),
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
    Tool(
        "pool_fork",
        "debug",
        "Take up a chain again from one of its steps, as a new chain: what is over before it counts as done "
        "and costs nothing, the rest runs anew, in a worktree or clone from the commit that was recorded. Or "
        "take up a task: a new task in a copy of its conversation. Returns the new chain_id or task_id at "
        "once. Costs money.",
        ForkArguments,
        result_schema(
            "source", source="string", chain_id="string", task_id="string", reused="array", again="array"
        ),
        _fork,
        works=True,
    ),
)
