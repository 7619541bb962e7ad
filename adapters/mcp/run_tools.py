"""Toolset core, first half: tools that have work done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self, cast

from claude_pool.domain.errors import InvalidArgument, PoolError
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from ..requests import TaskRequest
from ..views import View
from .arguments import Arguments, read_arguments
from .fields import Line, Prompt, Wait, refusal
from .schemas import TASK, Schema, arguments_schema, result_schema
from .shortening import shortened
from .task_arguments import SubmitArguments, TaskArguments, task_request
from .tool import Call, Tool

INPUTS = 500
"""A fan-out takes no more at once."""

_WAIT = "Seconds to wait for the end, 600 at most; then the answer shows it still running."


class RunArguments(TaskArguments):
    """One task, and how long to wait for it."""

    wait_seconds: Wait = Field(default=50, description=_WAIT)


async def _run(call: Call, given: RunArguments) -> View:
    request = task_request(given, given.prompt, call.working_dir)
    return await call.application.run(request, call.origin, given.wait_seconds)


async def _submit(call: Call, given: TaskArguments) -> View:
    task_id = await call.application.submit(task_request(given, given.prompt, call.working_dir), call.origin)
    return {"task_id": task_id}


def _unread(inputs: object) -> object:
    """Each input is read by itself, so that a wrong one is refused alone."""
    if not isinstance(inputs, list):
        raise refusal("should be a list of tasks")
    return cast("list[object]", inputs)


def _briefest(model: type[Arguments]) -> Schema:
    schema = arguments_schema(model)
    for each in schema["properties"].values():
        del each["description"]
    return schema


TaskInputs = Annotated[
    list[Any],
    BeforeValidator(_unread),
    Field(min_length=1, max_length=INPUTS),
    WithJsonSchema({"type": "array", "items": _briefest(SubmitArguments), "minItems": 1, "maxItems": INPUTS}),
]


class FanOutArguments(Arguments):
    """Many tasks at once."""

    prompts: list[Prompt] | None = Field(
        default=None,
        min_length=1,
        max_length=INPUTS,
        description="One task each, all with the pool's options.",
    )
    tasks: TaskInputs | None = Field(
        default=None, description="Instead of prompts: tasks with the options of pool_run."
    )
    wait_seconds: Wait = Field(default=50, description="Seconds to wait for all of them, 600 at most.")
    idempotency_key: Line | None = Field(default=None, description="The same key gives the same tasks again.")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.prompts is None) == (self.tasks is None):
            raise refusal("say either prompts or tasks")
        return self


async def _fan_out(call: Call, given: FanOutArguments) -> View:
    inputs: Sequence[Any] = given.tasks or [{"prompt": prompt} for prompt in given.prompts or ()]
    requests = [_input(call, each) for each in inputs]
    answer = await call.application.fan_out(requests, call.origin, given.wait_seconds, given.idempotency_key)
    return {**answer, "results": shortened(answer["results"])}


def _input(call: Call, given: object) -> TaskRequest | PoolError:
    if not isinstance(given, dict):
        return InvalidArgument(argument="tasks", problem="each should be an object with a prompt")
    try:
        task = read_arguments(TaskArguments, cast("dict[str, object]", given), call.highest_mode)
    except PoolError as error:
        return error
    return task_request(task, task.prompt, call.working_dir)


RUN_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_run",
        "core",
        "Run one task in a warm Claude slot and wait for its end: output, cost, tokens and turns. If it "
        "takes longer than wait_seconds it goes on, and you are given its task_id for pool_wait or "
        "pool_result. Costs money. Use pool_submit for work that you need not wait for.",
        RunArguments,
        TASK,
        _run,
        works=True,
    ),
    Tool(
        "pool_submit",
        "core",
        "Accept one task and return its task_id at once; it runs as soon as a slot is free, whether or "
        "not you stay connected. Collect it with pool_wait or pool_result. Costs money.",
        SubmitArguments,
        result_schema("task_id", task_id="string"),
        _submit,
        works=True,
    ),
    Tool(
        "pool_fan_out",
        "core",
        "Run up to 500 tasks side by side, as many at a time as there are slots, and wait for all of "
        "them. results has one view for each input, in order: finished ones, ones still running when the "
        "wait ends, and refused ones with their error; none hides another. Say prompts, or tasks with "
        "options. Costs money.",
        FanOutArguments,
        result_schema("results", results="array", waited_cap="number"),
        _fan_out,
        works=True,
    ),
)
