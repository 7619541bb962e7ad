"""Toolset core, second half: tools that look at tasks and at the pool, end things, and mind the money."""

from __future__ import annotations

from typing import Any, Literal

from claude_pool.domain.errors import InvalidArgument
from pydantic import Field

from ..budgets import KEEP, Limit
from ..config.amounts import microdollars
from ..views import View
from .arguments import Arguments, NoArguments
from .fields import Flag, Ids, Label, Line, Moment, Page, Position, Scope, Timeout, Usd, Wait
from .schemas import TASK, result_schema
from .shortening import shortened, shortened_chains
from .tool import Call, Tool

TaskState = Literal[
    "pending", "parked", "running", "pending_review", "sealed", "completed", "failed", "cancelled"
]


class OneTask(Arguments):
    """Names a task."""

    task_id: str = Field(description="As pool_submit gave it.")


class WaitArguments(Arguments):
    """What to wait for, and from where."""

    task_ids: Ids | None = Field(default=None, description="Only these tasks; default: all.")
    chain_ids: Ids | None = Field(default=None, description="Only these chains; default: all.")
    cursor: Position | None = Field(default=None, description="The cursor of your last pool_wait.")
    wait_seconds: Wait = Field(
        default=50, description="Seconds to wait where there is nothing yet, 600 at most."
    )


class ListArguments(Arguments):
    """Which tasks to list."""

    state: TaskState | None = Field(default=None, description="Only tasks in this state.")
    tag: Label | None = Field(default=None, description="Only tasks with this tag.")
    slot: Label | None = Field(default=None, description="Only tasks that ran last in this slot.")
    limit: Page = Field(default=50, description="Tasks in one answer.")
    cursor: Position | None = Field(default=None, description="The cursor of the page before.")


class MetricsArguments(Arguments):
    """Which tasks to count."""

    since: Moment | None = Field(default=None, description="Submitted at or after; ms since 1970, UTC.")
    until: Moment | None = Field(default=None, description="Submitted at or before; ms since 1970, UTC.")
    model: Line | None = Field(default=None, description="Only tasks of this model.")
    tag: Label | None = Field(default=None, description="Only tasks with this tag.")


class DrainArguments(Arguments):
    """How to drain."""

    mode: Literal["finish", "cancel", "undo"] = Field(
        default="finish", description="Let accepted work end, cancel it, or take a drain back."
    )
    timeout_seconds: Timeout = Field(
        default=50, description="Seconds to wait until nothing is left, 600 at most."
    )


class BudgetArguments(Arguments):
    """What to change about the budget."""

    set_usd: Usd | None = Field(default=None, description="New limit in dollars; the spend stays.")
    soft_usd: Usd | None = Field(default=None, description="New soft limit in dollars.")
    lift: Literal["limit", "soft", "both"] | None = Field(default=None, description="Have none of these.")
    scope: Scope = Field(default="pool", description="What these limit: pool, day, or tag:NAME.")
    reset: Flag = Field(default=False, description="Count all spend anew, from 0.")


async def _result(call: Call, given: OneTask) -> View:
    return await call.application.view(given.task_id)


async def _wait(call: Call, given: WaitArguments) -> View:
    waited = await call.application.wait(given.task_ids, given.cursor, given.wait_seconds, given.chain_ids)
    answer: View = {
        "tasks": shortened(waited.tasks),
        "chains": shortened_chains(waited.chains),
        "cursor": waited.cursor,
    }
    if asked := call.application.soft_limit_questions():
        answer["questions"] = asked
    return answer if waited.waited_cap is None else {**answer, "waited_cap": waited.waited_cap}


async def _cancel(call: Call, given: OneTask) -> View:
    return await call.application.cancel(given.task_id, call.origin)


async def _list(call: Call, given: ListArguments) -> View:
    page = await call.application.list_tasks(given.state, given.tag, given.slot, given.limit, given.cursor)
    return {**page, "tasks": shortened(page["tasks"])}


async def _status(call: Call, _given: NoArguments) -> View:
    return call.application.status()


async def _metrics(call: Call, given: MetricsArguments) -> View:
    return await call.application.metrics(given.since, given.until, given.model, given.tag)


async def _drain(call: Call, given: DrainArguments) -> View:
    return await call.application.drain(given.mode, given.timeout_seconds, call.origin)


async def _resume(call: Call, _given: NoArguments) -> View:
    return await call.application.resume(call.origin)


async def _budget(call: Call, given: BudgetArguments) -> View:
    limit = _limit("set_usd", given.set_usd, given.lift in ("limit", "both"))
    soft = _limit("soft_usd", given.soft_usd, given.lift in ("soft", "both"))
    budget = await call.application.money.budget(limit, given.reset, call.origin, soft, given.scope)
    return {**budget, "forecast": await call.application.money.forecast()}


def _limit(argument: str, usd: float | None, lift: bool) -> Limit:
    if lift and usd is not None:
        raise InvalidArgument(argument=argument, problem="is set and lifted in one call")
    if lift:
        return None
    return KEEP if usd is None else microdollars(usd)


STATUS = result_schema(
    "total_slots", "slots", "position", total_slots="integer", slots="array", position="integer"
)

POOL_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_result",
        "core",
        "Show one task as it is now: state, output, structured_output, error, cost, tokens, turns, progress "
        "while it runs, and the reason why it waits if it does not. Does not wait. A long output is cut; "
        "output_ref names the resource with all of it.",
        OneTask,
        TASK,
        _result,
        reads=True,
    ),
    Tool(
        "pool_wait",
        "core",
        "Wait until any of many tasks or chains has ended or needs someone (pending_review: a verdict; "
        "sealed: a decision; running: its questions), and return those since the cursor, with the next "
        "cursor. Returns at once if there are some already. Call it again with that cursor for the rest: "
        "nothing is told twice and nothing is missed.",
        WaitArguments,
        result_schema("tasks", "cursor", tasks="array", chains="array", cursor="integer"),
        _wait,
        reads=True,
    ),
    Tool(
        "pool_cancel",
        "core",
        "Cancel a task that has not ended: a waiting one at once, a running one by interrupting its slot,"
        " within 10 seconds. What it has cost so far is settled. Returns its view.",
        OneTask,
        TASK,
        _cancel,
        destroys=True,
        repeats=True,
    ),
    Tool(
        "pool_list_tasks",
        "core",
        "List tasks of all times, the latest first, by state, tag or slot. cursor leads to the next page "
        "and is null on the last one.",
        ListArguments,
        result_schema("tasks", tasks="array", cursor=["integer", "null"]),
        _list,
        reads=True,
    ),
    Tool(
        "pool_status",
        "core",
        "Show the pool now: slots and what each one does, tasks by state, money spent, reserved and "
        "allowed, and whether it drains or is paused and why.",
        NoArguments,
        STATUS,
        _status,
        reads=True,
    ),
    Tool(
        "pool_session_metrics",
        "core",
        "Count the tasks submitted in a period, and sum up their attempts: cost, tokens, turns, times, with "
        "P50 and P95, in all and by model.",
        MetricsArguments,
        result_schema("total_tasks", total_tasks="integer", cost_microdollars="integer"),
        _metrics,
        reads=True,
    ),
    Tool(
        "pool_drain",
        "core",
        "Accept no new work and wait until the accepted work has ended (finish) or been cancelled "
        "(cancel); the slots then stop. It goes on after the timeout; undo lifts it.",
        DrainArguments,
        result_schema("draining", "drained", draining="boolean", drained="boolean", waited_cap="number"),
        _drain,
        destroys=True,
        repeats=True,
    ),
    Tool(
        "pool_resume",
        "core",
        "Lift a pause, and take failed slots back into service. Do it once the reason is gone, such as a "
        "usage limit or a missing login; pool_status says it. Returns the status.",
        NoArguments,
        STATUS,
        _resume,
        repeats=True,
    ),
    Tool(
        "pool_budget",
        "core",
        "Show what the pool, today and tags have spent, reserved and may spend, and a forecast of the queue; "
        "before that, change limits or count the spend anew if asked to. A limit stops new work; a soft one "
        "parks it and asks.",
        BudgetArguments,
        result_schema(
            "spent_microdollars", spent_microdollars="integer", limit_microdollars=["integer", "null"]
        ),
        _budget,
        destroys=True,
    ),
)
