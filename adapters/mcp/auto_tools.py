"""Toolset auto: work that the pool splits by itself, and the question how it would."""

from __future__ import annotations

from typing import Any, Literal

from claude_pool.domain.routing import MOST_PARTS, Hints
from claude_pool.domain.values import Options
from pydantic import Field

from ..config.amounts import microdollars, milliseconds
from ..requests import TaskRequest
from ..routing import AutoRequest, RouteRequest
from ..views import View
from .arguments import Arguments
from .fields import Directory, Line, LongText, Model, PermissionMode, Prompt, Rules, Tags, Timeout, Usd, Wait
from .schemas import result_schema
from .shortening import shortened, shortened_chain
from .task_arguments import NOT_PART_OF_THE_TASK, Effort
from .tool import Call, Tool

LARGEST_SPLIT = 100
"""No hint allows more parts."""

_ROUTE: dict[str, str | list[str]] = {
    "route": ["string", "null"],
    "fallback": "boolean",
    "reason": ["string", "null"],
    "router_task_id": ["string", "null"],
    "cost_microdollars": "integer",
}


class RouteArguments(Arguments):
    """Work, and what is allowed of its route."""

    prompt: Prompt = Field(description="The work in full: nothing of your conversation is seen.")
    max_parallel: int | None = Field(
        default=None, ge=1, le=LARGEST_SPLIT, description=f"Most parallel prompts ({MOST_PARTS}); 1: none."
    )
    max_chain_steps: int | None = Field(
        default=None, ge=1, le=LARGEST_SPLIT, description=f"Most steps ({MOST_PARTS}); 1: no chain."
    )
    prefer: Literal["prefer_single", "prefer_parallel", "prefer_chain"] | None = Field(
        default=None, description="That route, or single where it does not fit; never the third."
    )
    domain: LongText | None = Field(default=None, description="What the work is about.")
    decomposition_hints: LongText | None = Field(default=None, description="How it might be split.")
    router_model: Model | None = Field(default=None, description="Model of the router, such as haiku.")
    router_effort: Effort | None = Field(default=None, description="How hard the router thinks.")
    router_max_budget_usd: Usd | None = Field(default=None, description="What the router may cost.")
    tags: Tags = Field(default=[], description="Labels of all its tasks, the router's among them.")
    working_dir: Directory | None = Field(default=None, description="Absolute path of its directory.")
    wait_seconds: Wait = Field(default=50, description="Seconds to wait for the end, 600 at most.")
    idempotency_key: Line | None = Field(default=None, description="The same key gives the same tasks.")


class AutoArguments(RouteArguments):
    """Work to be done however it is routed, and the options of all of it."""

    model: Model | None = Field(default=None, description="Model or alias of the work.")
    effort: Effort | None = Field(default=None, description="How hard the model of the work thinks.")
    permission_mode: PermissionMode | None = Field(default=None, description="As in pool_run.")
    allowed_tools: Rules | None = Field(default=None, description="More tools that need no permission.")
    max_budget_usd: Usd | None = Field(
        default=None, description="What the work may cost, shared by its tasks; the router's is extra."
    )
    timeout_seconds: Timeout | None = Field(default=None, description="Time limit of one attempt.")
    retries: int = Field(default=0, ge=0, le=10, description="Attempts more after a passing error.")
    isolation: Literal["none", "worktree", "clone"] = Field(
        default="none", description="A chain works in a git worktree or clone, on a branch of its own."
    )
    merge: Literal["none", "ff", "merge"] = Field(
        default="none", description="Land that branch when all went well."
    )


async def _route(call: Call, given: RouteArguments) -> View:
    request = _route_request(given, call.working_dir)
    return await call.application.routing.route(request, call.origin, given.wait_seconds)


async def _auto(call: Call, given: AutoArguments) -> View:
    work = TaskRequest(
        prompt=given.prompt,
        options=Options(
            model=given.model,
            effort=given.effort,
            permission_mode=given.permission_mode,
            allowed_tools=tuple(given.allowed_tools or ()),
            max_budget=_money(given.max_budget_usd),
            timeout_ms=None if given.timeout_seconds is None else milliseconds(given.timeout_seconds),
            working_dir=given.working_dir or call.working_dir,
        ),
        tags=tuple(given.tags),
        retries=given.retries,
        arguments=_meaning(given),
    )
    request = AutoRequest(_route_request(given, call.working_dir), work, given.isolation, given.merge)
    answer = await call.application.routing.auto(request, call.origin, given.wait_seconds)
    if "results" in answer:
        return {**answer, "results": shortened(answer["results"])}
    return {**answer, "chain": shortened_chain(answer["chain"])} if "chain" in answer else answer


def _route_request(given: RouteArguments, working_dir: str | None) -> RouteRequest:
    return RouteRequest(
        prompt=given.prompt,
        hints=Hints(
            MOST_PARTS if given.max_parallel is None else given.max_parallel,
            MOST_PARTS if given.max_chain_steps is None else given.max_chain_steps,
            given.prefer,
            given.domain,
            given.decomposition_hints,
        ),
        model=given.router_model,
        effort=given.router_effort,
        max_budget=_money(given.router_max_budget_usd),
        tags=tuple(given.tags),
        working_dir=given.working_dir or working_dir,
        idempotency_key=given.idempotency_key,
        arguments=_meaning(given),
    )


def _meaning(given: RouteArguments) -> dict[str, Any]:
    return given.model_dump(exclude=set(NOT_PART_OF_THE_TASK), exclude_defaults=True)


def _money(usd: float | None) -> int | None:
    return None if usd is None else microdollars(usd)


AUTO_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_auto",
        "auto",
        "Have a router decide whether the work is one task (single), several side by side (parallel) or a "
        "chain, then do it and wait for the end. The answer has the route and task, results or chain, and "
        "what all of it cost, the router included. Hints are enforced: a route that they forbid, or an "
        "answer without one, becomes single (fallback: true, and the reason). If finished is false, go on "
        "with pool_wait and the ids; while route is null nothing but the router was started: call again "
        "with the same arguments and the idempotency_key of the answer. Costs money.",
        AutoArguments,
        result_schema(
            "route", "fallback", "idempotency_key", "finished", **_ROUTE, finished="boolean",
            idempotency_key="string", task="object", results="array", chain="object", waited_cap="number",
        ),
        _auto,
        works=True,
    ),
    Tool(
        "pool_route",
        "auto",
        "Have a router decide how the work would be split, and do none of it: route (single, parallel with "
        "its prompts, or chain with its steps), reason, and what the decision cost. Hints are enforced as "
        "in pool_auto. route is null while the router still works. Costs money.",
        RouteArguments,
        result_schema("route", "fallback", **_ROUTE, prompts="array", steps="array", waited_cap="number"),
        _route,
        works=True,
    ),
)  # fmt: skip
