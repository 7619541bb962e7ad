"""The verbs of routing: ask the router, then have the work done the way it was decided.

The router is an ordinary task of the pool: its cost is in the budget, in the log and in every sum. It
runs without tools and with instructions of its own, hence in a process of its own kind: that costs a
launch (under a second) where no slot holds such a process, and saves what the usual instructions and
tools would cost in tokens. Above all, whatever the work says to the router, there is nothing to use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, assert_never

from claude_pool.domain.errors import InvalidArgument, PoolError, WrongState
from claude_pool.domain.router_prompt import INSTRUCTIONS, router_prompt
from claude_pool.domain.routing import (
    Chain,
    Decision,
    Hints,
    Parallel,
    Single,
    decided_at_once,
    fallen_back,
    kind,
    settle,
)
from claude_pool.domain.values import ROUTER_TAG, Options

from .chains import Chains
from .claude.neutralise import without_mentions
from .json_objects import objects_in
from .origins import Origin
from .requests import PROMPT_BYTES, ChainRequest, StepRequest, TaskRequest
from .system import System
from .views import View, usd
from .waiting import capped
from .waits import Waits

ROUTER_TIMEOUT_MS = 120_000

_NO_MCP = ("mcp__*",)
# Plan mode would have the CLI replace a small model by a larger one; without tools there is nothing to plan.
_MODE = "default"
_OPEN_STATES = ("pending", "parked", "running", "sealed", "pending_review")


class Verbs(Protocol):
    """What routing needs of the application."""

    async def submit(self, request: TaskRequest, origin: Origin = ..., tool: str = ...) -> str:
        """See `Application.submit`."""
        ...

    async def fan_out(
        self,
        requests: Sequence[TaskRequest | PoolError],
        origin: Origin = ...,
        wait_seconds: float = ...,
        key: str | None = ...,
    ) -> View:
        """See `Application.fan_out`."""
        ...

    async def view(self, task_id: str) -> View:
        """See `Application.view`."""
        ...

    async def output(self, task_id: str) -> str:
        """See `Application.output`."""
        ...


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Work to be routed. `model`, `effort` and `max_budget` (microdollars) are the router's.

    `tags` are put on the router's task too. `arguments` is everything given, for idempotency keys.
    """

    prompt: str
    hints: Hints = Hints()
    model: str | None = None
    effort: str | None = None
    max_budget: int | None = None
    tags: tuple[str, ...] = ()
    working_dir: str | None = None
    idempotency_key: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class AutoRequest:
    """Work to be routed and done. `work` says how: its prompt is that of `route`.

    A budget in `work` is for all of the work together. `isolation` and `merge` are a chain's.
    """

    route: RouteRequest
    work: TaskRequest
    isolation: str = "none"
    merge: str = "none"


@dataclass(frozen=True, slots=True)
class _Routed:
    decision: Decision | None
    task_id: str | None
    cost: int
    cap: float | None = None


class Routing:
    """The verbs of routing. Errors are `PoolError`s."""

    def __init__(self, verbs: Verbs, chains: Chains, waits: Waits, system: System) -> None:
        """Routes become tasks through `verbs` and chains through `chains`."""
        self._verbs = verbs
        self._chains = chains
        self._waits = waits
        self._system = system

    async def route(self, request: RouteRequest, origin: Origin, wait_seconds: float) -> View:
        """Decide how the work would be split, and do none of it.

        `route` is null while the router still works.

        Raises:
            InvalidArgument, BudgetExceeded, Draining, IdempotencyConflict: the router's task was refused.
            WrongState: it was cancelled.
        """
        capped(wait_seconds)
        routed = await self._routed(request, origin, "route", wait_seconds)
        return _shown(routed) | _parts(routed.decision)

    async def auto(self, request: AutoRequest, origin: Origin, wait_seconds: float) -> View:
        """Decide how the work is split, have it done that way, and wait for its end.

        The view holds the route and one of `task`, `results` and `chain`. `finished` is false where the
        wait was shorter: while `route` is null, nothing but the router was started, and the same call
        with the `idempotency_key` of the view goes on.

        Raises:
            InvalidArgument, NotFound, BudgetExceeded, Draining, IdempotencyConflict: the router's task or
            the work was refused. WrongState: the router's task was cancelled.
        """
        if request.merge != "none" and request.isolation == "none":
            problem = "there is a branch to merge only with isolation worktree or clone"
            raise InvalidArgument(argument="merge", problem=problem)
        clock = asyncio.get_running_loop().time
        seconds, cap = capped(wait_seconds)
        end = clock() + seconds
        key = request.route.idempotency_key or self._system.new_id("call")
        together = replace(origin, correlation=origin.correlation or self._system.new_id("call"))
        routed = await self._routed(replace(request.route, idempotency_key=key), together, "auto", seconds)
        view = _shown(routed) | {"idempotency_key": key, "finished": False}
        if routed.decision is not None:
            work = await self._work(
                request, routed.decision, f"{key}\0work", together, max(0.0, end - clock())
            )
            cost = routed.cost + sum(each["cost_microdollars"] for each in _ends(work))
            ended = not any(each["state"] in _OPEN_STATES for each in _ends(work))
            view |= work | _money(cost) | {"finished": ended}
        return view if cap is None or view["finished"] else {**view, "waited_cap": cap}

    async def _routed(self, request: RouteRequest, origin: Origin, tool: str, wait_seconds: float) -> _Routed:
        _check(request.prompt)
        at_once = decided_at_once(request.hints, request.prompt)
        if at_once is not None:
            return _Routed(at_once, None, 0)
        task_id = await self._verbs.submit(_router_task(request), origin, tool)
        cap = await self._waits.finished([task_id], wait_seconds)
        view = await self._verbs.view(task_id)
        cost = int(view["cost_microdollars"])
        match view["state"]:
            case "completed":
                answer = await self._verbs.output(task_id)
                return _Routed(settle(objects_in(answer), request.hints), task_id, cost)
            case "failed":
                error: View = view["error"]
                why = f"the router's task failed: [{error['code']}] {error['message']}"
                return _Routed(fallen_back(why), task_id, cost)
            case "cancelled":
                problem = "it was to decide how the work is split, so none of that was started"
                raise WrongState(subject=task_id, state="cancelled", problem=problem)
            case _:
                return _Routed(None, task_id, cost, cap)

    async def _work(
        self, request: AutoRequest, decision: Decision, key: str, origin: Origin, seconds: float
    ) -> View:
        work = replace(request.work, idempotency_key=key)
        match decision.route:
            case Single():
                task_id = await self._verbs.submit(work, origin, "auto")
                await self._waits.finished([task_id], seconds)
                return {"task": await self._verbs.view(task_id)}
            case Parallel(prompts):
                shared = _shared(work, len(prompts))
                tasks = [replace(shared, prompt=prompt, arguments={"prompt": prompt}) for prompt in prompts]
                answer = await self._verbs.fan_out(tasks, origin, seconds, f"auto\0{key}")
                return {"results": answer["results"]}
            case Chain():
                chain_id = await self._chains.submit(_chain(request, decision.route, key), origin, "auto")
                await self._chains.finished([chain_id], seconds)
                return {"chain": await self._chains.view(chain_id)}
            case _ as never:
                assert_never(never)


def _check(prompt: str) -> None:
    if not prompt.strip():
        raise InvalidArgument(argument="prompt", problem="a prompt cannot be empty")
    size = len(prompt.encode("utf-8", "replace"))
    if size > PROMPT_BYTES:
        problem = f"{size} bytes are more than the {PROMPT_BYTES} that a task can carry"
        raise InvalidArgument(argument="prompt", problem=problem)


def _router_task(request: RouteRequest) -> TaskRequest:
    options = Options(
        model=request.model,
        effort=request.effort,
        system_prompt=INSTRUCTIONS,
        permission_mode=_MODE,
        disallowed_tools=_NO_MCP,
        tools=(),
        max_budget=request.max_budget,
        timeout_ms=ROUTER_TIMEOUT_MS,
        working_dir=request.working_dir,
    )
    return TaskRequest(
        prompt=router_prompt(without_mentions(request.prompt), _without_files(request.hints)),
        options=options,
        session="fresh",
        tags=tuple(dict.fromkeys((ROUTER_TAG, *request.tags))),
        retries=1,
        on_interrupt="rerun",
        idempotency_key=request.idempotency_key and f"{request.idempotency_key}\0router",
        arguments={**request.arguments, "prompt": request.prompt},
    )


def _without_files(hints: Hints) -> Hints:
    told = (hints.domain, hints.decomposition_hints)
    domain, parts = (text if text is None else without_mentions(text) for text in told)
    return replace(hints, domain=domain, decomposition_hints=parts)


def _shared(work: TaskRequest, parts: int) -> TaskRequest:
    """The work with an equal part of its budget."""
    budget = work.options.max_budget
    if budget is None:
        return work
    return replace(work, options=replace(work.options, max_budget=max(1, budget // parts)))


def _chain(request: AutoRequest, route: Chain, key: str) -> ChainRequest:
    work = request.work
    directory = work.options.working_dir
    options = replace(
        work.options, max_budget=None, working_dir=directory if request.isolation == "none" else None
    )
    return ChainRequest(
        steps=tuple(
            StepRequest(step.name, TaskRequest(step.prompt, options, retries=work.retries))
            for step in route.steps
        ),
        isolation=request.isolation,
        merge=request.merge,
        tags=work.tags,
        max_budget=work.options.max_budget,
        working_dir=directory,
        idempotency_key=key,
    )


def _ends(work: View) -> list[View]:
    """The views in what `_work` returned."""
    return work["results"] if "results" in work else list(work.values())


def _shown(routed: _Routed) -> View:
    decision = routed.decision
    shown: View = {
        "route": None if decision is None else kind(decision.route),
        "fallback": decision is not None and decision.fallback,
        "reason": "the router still works" if decision is None else decision.reason,
        "router_task_id": routed.task_id,
        **_money(routed.cost),
    }
    return shown if routed.cap is None else {**shown, "waited_cap": routed.cap}


def _parts(decision: Decision | None) -> View:
    match decision and decision.route:
        case Parallel(prompts):
            return {"prompts": list(prompts)}
        case Chain(steps):
            return {"steps": [{"name": step.name, "prompt": step.prompt} for step in steps]}
        case _:
            return {}


def _money(microdollars: int) -> View:
    return {"cost_usd": usd(microdollars), "cost_microdollars": microdollars}
