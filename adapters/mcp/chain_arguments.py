"""The arguments that describe a chain, and the request that they become."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast

from claude_pool.domain.errors import InvalidArgument
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from ..config.amounts import microdollars, milliseconds
from ..requests import ChainRequest, StepRequest, TaskRequest
from .arguments import Arguments
from .fields import Label, Line, LongText, Prompt, Tags, Timeout, Usd, refusal
from .review_tools import DEFAULT_REJECTIONS
from .schemas import Schema, arguments_schema
from .skill_arguments import SkillValues, Values, as_texts, with_skill
from .task_arguments import TaskOptions, meaning, task_request
from .tool import Call

MAX_STEPS = 1_000

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
Path = Annotated[str, Field(max_length=500)]


def _rejections(value: object) -> object:
    """`true` is a review with the usual number of rejections."""
    return (DEFAULT_REJECTIONS if value else None) if isinstance(value, bool) else value


Rejections = Annotated[Annotated[int, Field(ge=1, le=20)] | None, BeforeValidator(_rejections)]


class StepArguments(TaskOptions):
    """One step of a chain: a task that waits for others."""

    name: Label = Field(description="Unique in the chain.")
    prompt: Prompt | None = Field(default=None)
    skill: Label | None = Field(default=None)
    arguments: SkillValues = Field(default_factory=Values)
    type: Literal["prompt", "skill"] | None = Field(default=None)
    value: Prompt | None = Field(default=None)
    needs: list[Label] | None = Field(default=None, max_length=MAX_STEPS)
    recovery_prompt: LongText | None = Field(default=None)
    on_failure: Literal["stop", "continue", "skip_rest"] = Field(default="stop")
    backoff: Timeout | None = Field(default=None)
    output_vars: dict[Variable, Path] = Field(default={}, max_length=50)
    review: Rejections = Field(default=None)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.idempotency_key is not None:
            raise refusal("a step takes no idempotency_key; give it to the chain")
        if (self.type is None) != (self.value is None):
            raise refusal("type and value go together")
        if [self.prompt, self.skill, self.value].count(None) != 2:
            raise refusal("say the step's prompt, or a skill")
        if self.arguments and self.skill_name is None:
            raise refusal("arguments belong to a skill")
        return self

    @property
    def template(self) -> str:
        """The step's prompt, where it has no skill."""
        return self.prompt or self.value or ""

    @property
    def skill_name(self) -> str | None:
        """The step's skill."""
        return self.value if self.type == "skill" else self.skill


def _steps_schema() -> Schema:
    """The steps, in short: a task's options go by name and type alone; pool_run describes them."""
    schema = arguments_schema(StepArguments)
    properties = cast("dict[str, Schema]", schema["properties"])
    for hidden in ("idempotency_key", "type", "value"):
        del properties[hidden]
    for each in properties.values():
        each.pop("description", None)
    return {"type": "array", "items": schema}


Steps = Annotated[
    list[StepArguments], Field(min_length=1, max_length=MAX_STEPS), WithJsonSchema(_steps_schema())
]


class ChainOptions(Arguments):
    """What holds for a chain as a whole."""

    isolation: Literal["none", "worktree", "clone"] = Field(
        default="none", description="Work in a git worktree or clone of its own, on a branch of its own."
    )
    merge: Literal["none", "ff", "merge"] = Field(
        default="none", description="Land that branch when all went well."
    )
    tags: Tags = Field(default=[], description="Labels of all its tasks.")
    max_budget_usd: Usd | None = Field(default=None, description="What all steps together may cost.")
    timeout_seconds: Timeout | None = Field(default=None, description="Time limit of the whole chain.")
    idempotency_key: Line | None = Field(default=None, description="The same key gives the same chain.")


class ChainArguments(ChainOptions):
    """A chain."""

    steps: Steps = Field(
        description="Tasks that wait for their needs (default: the step before; [] for none). Prompts may "
        "hold {previous_output}, {steps.NAME.output} and {steps.NAME.VAR}; output_vars names JSON paths in "
        "the output. recovery_prompt ({error}) runs once after a failure; then on_failure decides. Other "
        "fields: as in pool_run."
    )


class SubmitChainArguments(ChainArguments):
    """A chain, told of in short."""

    steps: Annotated[Steps, WithJsonSchema({"type": "array", "items": {"type": "object"}})] = Field(
        description="As in pool_chain."
    )


async def chain_request(given: ChainArguments, call: Call) -> ChainRequest:
    """What the application is asked for; skills are rendered as they are now.

    Raises:
        InvalidArgument, NotFound: a step's skill is none, or does not take its arguments.
    """
    working_dir = call.working_dir
    at = working_dir if given.isolation == "none" else None
    return ChainRequest(
        steps=tuple([await _step(step, number, at, call) for number, step in enumerate(given.steps)]),
        isolation=given.isolation,
        merge=given.merge,
        tags=tuple(given.tags),
        max_budget=None if given.max_budget_usd is None else microdollars(given.max_budget_usd),
        timeout_ms=None if given.timeout_seconds is None else milliseconds(given.timeout_seconds),
        working_dir=working_dir,
        idempotency_key=given.idempotency_key,
        arguments=_meaning(given),
    )


def _meaning(given: ChainArguments) -> dict[str, Any]:
    kept = {"steps", "idempotency_key", "wait_seconds"}
    rest = given.model_dump(exclude=kept, exclude_defaults=True)
    return {**rest, "steps": [meaning(step) for step in given.steps]}


async def _step(step: StepArguments, number: int, working_dir: str | None, call: Call) -> StepRequest:
    return StepRequest(
        name=step.name,
        task=await _task(step, number, working_dir, call),
        needs=None if step.needs is None else tuple(step.needs),
        recovery_prompt=step.recovery_prompt,
        on_failure=step.on_failure,
        backoff_ms=None if step.backoff is None else milliseconds(step.backoff),
        output_vars=tuple(step.output_vars.items()),
    )


async def _task(step: StepArguments, number: int, working_dir: str | None, call: Call) -> TaskRequest:
    if step.skill_name is None:
        return task_request(step, step.template, working_dir, step.review)
    follows = number > 0 if step.needs is None else bool(step.needs)
    try:
        rendered = await call.application.library.render(step.skill_name, as_texts(step.arguments), follows)
    except InvalidArgument as error:
        where = f"steps.{number}.{error.facts['argument']}"
        raise InvalidArgument(argument=where, problem=error.facts["problem"]) from None
    return with_skill(task_request(step, rendered.prompt, working_dir, step.review), rendered)
