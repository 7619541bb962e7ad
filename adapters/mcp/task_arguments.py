"""The arguments that describe one task, and the request that they become."""

from __future__ import annotations

from typing import Any, Literal

from claude_pool.domain.values import Options
from pydantic import ConfigDict, Field

from ..config.amounts import microdollars, milliseconds
from ..requests import TaskRequest
from .arguments import Arguments
from .canonical import canonical_json
from .fields import (
    JSON_BYTES,
    Directory,
    Label,
    Line,
    LongText,
    Model,
    Models,
    PermissionMode,
    Prompt,
    Rules,
    Schema,
    Servers,
    Session,
    Tags,
    Timeout,
    Usd,
)

Effort = Literal["low", "medium", "high", "xhigh", "max"]

NOT_PART_OF_THE_TASK = frozenset({"idempotency_key", "wait_seconds"})
"""Arguments that may differ between two calls that mean the same task."""


class TaskOptions(Arguments):
    """Everything that may be chosen for a task, except its prompt. What is not given is inherited."""

    model: Model | None = Field(default=None, description="Model or alias, such as haiku.")
    effort: Effort | None = Field(default=None, description="How hard the model thinks.")
    system_prompt: LongText | None = Field(default=None, description="Replaces the CLI's own system prompt.")
    permission_mode: PermissionMode | None = Field(
        default=None,
        description="What it may do unasked: plan, default, dontAsk, acceptEdits, auto; bypassPermissions if "
        "the pool does.",
    )
    allowed_tools: Rules | None = Field(
        default=None, description="More tools that need no permission: Read, Bash(git log:*)."
    )
    disallowed_tools: Rules | None = Field(default=None, description="Tools that it does not get.")
    tools: Rules | None = Field(default=None, description="Its only built-in tools; [] for none.")
    mcp_servers: Servers | None = Field(
        default=None, description="More MCP servers by name, as in .mcp.json."
    )
    json_schema: Schema | None = Field(default=None, description="JSON Schema of structured_output.")
    max_turns: int | None = Field(default=None, ge=1, le=10_000, description="Model turns at most.")
    fallback_model: Models | None = Field(default=None, description="Used while the model is overloaded.")
    max_budget_usd: Usd | None = Field(default=None, description="What all attempts together may cost.")
    timeout_seconds: Timeout | None = Field(default=None, description="Time limit of one attempt.")
    retries: int = Field(default=0, ge=0, le=10, description="Attempts more after a passing error.")
    on_interrupt: Literal["resume", "rerun", "ask"] = Field(
        default="resume", description="If the pool dies while it runs."
    )
    session: Session | None = Field(
        default=None,
        description="fresh, slot (go on with the slot's), resume:<session_id>, fork:<session_id>.",
    )
    slot: Label | None = Field(default=None, description="Id of its slot, or role of its slots.")
    priority: int = Field(default=0, ge=-1_000, le=1_000, description="Higher runs earlier.")
    tags: Tags = Field(default=[], description="Labels to find it by.")
    working_dir: Directory | None = Field(default=None, description="Absolute path of its directory.")
    idempotency_key: Line | None = Field(default=None, description="The same key gives the same task.")


_TOLD_AGAIN = ("type", "items", "additionalProperties", "minimum", "exclusiveMinimum")


def explained_in_pool_run(schema: dict[str, Any]) -> None:
    """Shorten what a schema tells of a task's options: every client has them from `pool_run` already."""
    for name in TaskOptions.model_fields:
        told: dict[str, Any] = schema["properties"][name]
        kind: dict[str, Any] = told["anyOf"][0] if "anyOf" in told else told
        again = {key: kind[key] for key in _TOLD_AGAIN if key in kind}
        schema["properties"][name] = {**again, "description": "See pool_run."}


class TaskArguments(TaskOptions):
    """One task."""

    prompt: Prompt = Field(description="The work in full: it sees nothing of your conversation.")


class SubmitArguments(TaskArguments):
    """One task, told of in short."""

    model_config = ConfigDict(json_schema_extra=explained_in_pool_run)


def task_request(
    task: TaskOptions, prompt: str, working_dir: str | None = None, review: int | None = None
) -> TaskRequest:
    """What the application is asked for. `prompt` is the task's, wherever it comes from.

    `working_dir` is where it runs unless it says; `review` is how often its result may be rejected.
    """
    return TaskRequest(
        prompt=prompt,
        options=_options(task, working_dir),
        session=task.session,
        slot=task.slot,
        priority=task.priority,
        tags=tuple(task.tags),
        retries=task.retries,
        on_interrupt=task.on_interrupt,
        review=review,
        idempotency_key=task.idempotency_key,
        arguments=meaning(task),
    )


def meaning(task: TaskOptions) -> dict[str, Any]:
    """The arguments that make the task what it is; those left out and those left at their default alike."""
    return task.model_dump(exclude=set(NOT_PART_OF_THE_TASK), exclude_defaults=True)


def _options(task: TaskOptions, working_dir: str | None) -> Options:
    servers = sorted((task.mcp_servers or {}).items())
    return Options(
        model=task.model,
        effort=task.effort,
        system_prompt=task.system_prompt,
        permission_mode=task.permission_mode,
        allowed_tools=tuple(task.allowed_tools or ()),
        disallowed_tools=tuple(task.disallowed_tools or ()),
        tools=None if task.tools is None else tuple(task.tools),
        mcp_servers=tuple((name, canonical_json(server, JSON_BYTES)) for name, server in servers),
        json_schema=None if task.json_schema is None else canonical_json(task.json_schema, JSON_BYTES),
        max_turns=task.max_turns,
        fallback_model=task.fallback_model,
        max_budget=None if task.max_budget_usd is None else microdollars(task.max_budget_usd),
        timeout_ms=None if task.timeout_seconds is None else milliseconds(task.timeout_seconds),
        working_dir=task.working_dir or working_dir,
    )
