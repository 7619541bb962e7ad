"""Money that the Rust crate of the same name lost count of, and how it is counted here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, failed, said
from tests.support.scripted_pool import Wire, use_pool

View = dict[str, Any]


async def metered(turn: LiveTurn) -> Outcome:
    """Costs 1000 microdollars, a hundred at a time, and stops where its budget ends."""
    for _ in range(10):
        room = 100 if turn.turn.budget is None else turn.turn.budget - turn.spent
        turn.spend(min(100, room))
        if turn.spent == turn.turn.budget and turn.spent < 1_000:
            await asyncio.Event().wait()
    return said("done", cost=1_000)


def test_however_much_is_accepted_at_once_the_limit_holds(tmp_path: Path) -> None:
    """The limit was looked at only when work was accepted: everything that had been accepted ran."""

    async def what(wire: Wire) -> View:
        work = await wire.view("pool_fan_out", prompts=["p"] * 20, wait_seconds=20)
        return {"results": work["results"], **await wire.view("pool_budget")}

    seen = use_pool(tmp_path, what, metered, slots=4, limit=5_500, task_budget=1_000)
    assert seen["spent_microdollars"] == sum(view["cost_microdollars"] for view in seen["results"]) == 5_000
    codes = [view["error"]["code"] for view in seen["results"] if view["error"]]
    assert codes == ["budget_exceeded"] * 15


def test_an_attempt_ends_where_its_tasks_money_ends_and_says_so(tmp_path: Path) -> None:
    """What went above its own limit was never marked, because the mark was put on a result not yet there."""

    async def what(wire: Wire) -> View:
        return await wire.view("pool_run", prompt="p", max_budget_usd=0.0004)

    view = use_pool(tmp_path, what, metered)
    assert (view["error"]["code"], view["cost_microdollars"]) == ("task_budget_reached", 400)


def test_limits_of_tasks_are_set_aside_before_they_run(tmp_path: Path) -> None:
    """Each task whose own limit fitted what was left was let in, also many at a time."""
    most = 0
    live = 0

    async def script(_: LiveTurn) -> Outcome:
        nonlocal most, live
        live += 1
        most = max(most, live)
        await asyncio.sleep(0)
        live -= 1
        return said("done", cost=100)

    async def what(wire: Wire) -> View:
        tasks = [{"prompt": "p", "max_budget_usd": 0.0008}] * 3
        work = await wire.view("pool_fan_out", tasks=tasks, wait_seconds=20)
        return {"states": [view["state"] for view in work["results"]]}

    assert use_pool(tmp_path, what, script, slots=3, limit=1_000) == {"states": ["completed"] * 3}
    assert most == 1


def test_a_run_that_fails_is_paid_for(tmp_path: Path) -> None:
    """A run that ended in an error cost nothing in the books."""

    async def script(_: LiveTurn) -> Outcome:
        return failed("provider_error", cost=7)

    async def what(wire: Wire) -> View:
        view = await wire.view("pool_run", prompt="p")
        return {"task": view["cost_microdollars"], **await wire.view("pool_budget")}

    seen = use_pool(tmp_path, what, script)
    assert (seen["task"], seen["spent_microdollars"]) == (7, 7)


def test_a_submitted_chain_is_paid_for(tmp_path: Path) -> None:
    """Steps of submitted chains were read from a stream whose field for the cost had another name."""

    async def what(wire: Wire) -> View:
        steps = [{"name": name, "prompt": name} for name in "ab"]
        chain = await wire.view("pool_submit_chain", steps=steps)
        await wire.view("pool_wait", chain_ids=[chain["chain_id"]])
        view = await wire.view("pool_chain_result", chain_id=chain["chain_id"])
        return {"chain": view["cost_microdollars"], **await wire.view("pool_budget")}

    seen = use_pool(tmp_path, what)
    assert (seen["chain"], seen["spent_microdollars"]) == (2_000, 2_000)


def test_every_rejected_result_is_paid_for_and_kept(tmp_path: Path) -> None:
    """A rejection dropped the result and what it had cost."""

    async def what(wire: Wire) -> View:
        task = await wire.view("pool_submit_with_review", prompt="p")
        for feedback in ("no", "still no"):
            await rejected(wire, task["task_id"], feedback)
        view = await resting(wire, task["task_id"])
        return {**view, **await wire.view("pool_budget")}

    seen = use_pool(tmp_path, what)
    assert (seen["attempts"], seen["cost_microdollars"], seen["spent_microdollars"]) == (3, 3_000, 3_000)
    assert [each["feedback"] for each in seen["rejections"]] == ["no", "still no"]


async def resting(wire: Wire, task_id: str) -> View:
    """The view of a task once it waits for a verdict."""
    cursor = 0
    while (view := await wire.view("pool_result", task_id=task_id))["state"] != "pending_review":
        told = await wire.view("pool_wait", task_ids=[task_id], cursor=cursor, wait_seconds=10)
        cursor = told["cursor"]
    return view


async def rejected(wire: Wire, task_id: str, feedback: str) -> None:
    """Reject the task's result once it is there."""
    await resting(wire, task_id)
    await wire.view("pool_reject_result", task_id=task_id, feedback=feedback)
