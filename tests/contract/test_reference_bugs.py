"""Faults that the Rust crate of the same name is known for, and what holds here in their place.

Those that another test shows already are listed with it in `docs/parity.toml`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, failed, said
from tests.support.scripted_pool import Wire, at_once, use_pool

View = dict[str, Any]


class Gate:
    """A script whose turns say that they began, and end when they are let through."""

    def __init__(self) -> None:
        """Closed; nothing has begun."""
        self.began: asyncio.Queue[LiveTurn] = asyncio.Queue()
        self.open = asyncio.Event()
        self.prompts: list[str] = []

    async def __call__(self, turn: LiveTurn) -> Outcome:
        """One turn."""
        self.prompts.append(turn.prompt)
        self.began.put_nowait(turn)
        await self.open.wait()
        return said(f"did {turn.prompt}")

    async def next(self) -> LiveTurn:
        """The next turn that begins."""
        return await asyncio.wait_for(self.began.get(), 20)


async def submit(wire: Wire, prompt: str, **options: Any) -> str:
    """The id of a new task."""
    view = await wire.view("pool_submit", prompt=prompt, **options)
    task_id: str = view["task_id"]
    return task_id


async def ended(wire: Wire, count: int) -> list[View]:
    """The views of so many tasks, once they have ended."""
    views: list[View] = []
    cursor = 0
    while len(views) < count:
        told = await wire.view("pool_wait", cursor=cursor, wait_seconds=10)
        views, cursor = views + told["tasks"], told["cursor"]
    return views


def test_what_is_claimed_by_hand_and_by_the_pool_at_once_runs_once(tmp_path: Path) -> None:
    """Claiming by hand started a task beside the waiter that the task already had: it ran and cost twice."""
    prompts: list[str] = []
    live: dict[str, int] = {}

    async def script(turn: LiveTurn) -> Outcome:
        prompts.append(turn.prompt)
        live[turn.slot_id] = live.get(turn.slot_id, 0) + 1
        assert live[turn.slot_id] == 1, "two tasks in one slot"
        await asyncio.sleep(0)
        live[turn.slot_id] -= 1
        return said("done")

    async def what(wire: Wire) -> View:
        calls: list[tuple[str, View]] = []
        for number in range(12):
            calls.append(("pool_submit", {"prompt": str(number)}))
            calls += [("pool_claim", {"slot_id": slot}) for slot in ("slot-0", "slot-1")]
        await at_once(wire, *calls)
        return {"tasks": await ended(wire, 12), **await wire.view("pool_budget")}

    seen = use_pool(tmp_path, what, script)
    assert sorted(prompts, key=int) == [str(number) for number in range(12)]
    assert {(view["state"], view["attempts"]) for view in seen["tasks"]} == {("completed", 1)}
    assert seen["spent_microdollars"] == 12_000


def test_a_claim_by_hand_passes_no_review_by(tmp_path: Path) -> None:
    """A task that was claimed by hand was completed although it should have been reviewed."""

    async def what(wire: Wire) -> View:
        submitted = ("pool_submit_with_review", {"prompt": "p"})
        claims = [("pool_claim", {"slot_id": slot}) for slot in ("slot-0", "slot-1")]
        await at_once(wire, submitted, *claims)
        return {"tasks": await ended(wire, 1)}

    assert [view["state"] for view in use_pool(tmp_path, what)["tasks"]] == ["pending_review"]


def test_a_task_that_was_cancelled_while_it_waited_never_runs(tmp_path: Path) -> None:
    """Cancelling a waiting task wrote a flag that its start overwrote: it ran all the same."""
    gate = Gate()

    async def what(wire: Wire) -> View:
        await submit(wire, "first")
        await gate.next()
        second = await submit(wire, "second")
        await submit(wire, "third")
        cancelled = await wire.view("pool_cancel", task_id=second)
        gate.open.set()
        await ended(wire, 3)
        return {
            "then": cancelled["state"],
            "at last": (await wire.view("pool_result", task_id=second))["state"],
        }

    assert use_pool(tmp_path, what, gate, slots=1) == {"then": "cancelled", "at last": "cancelled"}
    assert gate.prompts == ["first", "third"]


def test_a_task_that_was_cancelled_while_it_ran_stays_cancelled(tmp_path: Path) -> None:
    """Cancelling a running task neither ended its process nor survived the write of its result."""
    gate = Gate()

    async def what(wire: Wire) -> View:
        task_id = await submit(wire, "first")
        await gate.next()
        await wire.view("pool_cancel", task_id=task_id)
        await ended(wire, 1)
        gate.open.set()
        after = await wire.view("pool_run", prompt="second")
        assert after["state"] == "completed"
        return await wire.view("pool_result", task_id=task_id)

    view = use_pool(tmp_path, what, gate, slots=1)
    assert (view["state"], view["success"], view["output"]) == ("cancelled", False, "")


def test_a_run_that_fails_is_over_says_why_and_holds_up_no_drain(tmp_path: Path) -> None:
    """A failed run stayed running for ever, without its error, and a drain then never returned."""

    async def script(_: LiveTurn) -> Outcome:
        return failed("provider_error", "The provider is down.")

    async def what(wire: Wire) -> View:
        view = await wire.view("pool_run", prompt="p")
        status = await wire.view("pool_status")
        drain = await wire.view("pool_drain")
        return {"error": view["error"], "status": status, "drain": drain}

    seen = use_pool(tmp_path, what, script)
    assert (seen["error"]["code"], seen["error"]["message"]) == ("provider_error", "The provider is down.")
    assert (seen["status"]["running_tasks"], seen["status"]["failed_tasks"]) == (0, 1)
    assert (seen["drain"]["drained"], seen["drain"]["completed_tasks"]) == (True, 0)
    assert seen["drain"]["spent_microdollars"] == seen["status"]["spent_microdollars"]


def test_what_is_over_is_found_by_the_slot_that_it_ran_in(tmp_path: Path) -> None:
    """The last write of a submitted task came from an old copy: it had lost its slot and its times."""

    async def what(wire: Wire) -> View:
        task_id = await submit(wire, "p", slot="slot-1")
        await ended(wire, 1)
        listed = await wire.view("pool_list_tasks", slot="slot-1")
        return {"task_id": task_id, "listed": listed["tasks"]}

    seen = use_pool(tmp_path, what)
    (found,) = seen["listed"]
    assert (found["task_id"], found["slot_id"]) == (seen["task_id"], "slot-1")
    assert found["elapsed_ms"] is not None and found["waited_ms"] is not None


def test_a_chain_that_was_cancelled_in_its_last_step_is_cancelled(tmp_path: Path) -> None:
    """A cancel during the last step was lost, and an earlier one was reported as a failure."""
    gate = Gate()

    async def what(wire: Wire) -> View:
        chain = await wire.view("pool_submit_chain", steps=[{"name": "a", "prompt": "p"}])
        await gate.next()
        await wire.view("pool_cancel_chain", chain_id=chain["chain_id"])
        told = await wire.view("pool_wait", chain_ids=[chain["chain_id"]], wait_seconds=10)
        return {"told": told["chains"], **await wire.view("pool_chain_result", chain_id=chain["chain_id"])}

    view = use_pool(tmp_path, what, gate)
    assert (view["state"], view["error"]) == ("cancelled", None)
    assert [each["state"] for each in view["told"]] == ["cancelled"]
    assert [step["state"] for step in view["steps"]] == ["cancelled"]


def test_a_drain_lets_a_chain_of_several_steps_end(tmp_path: Path) -> None:
    """A graceful drain refused the next step of every running chain, and used up its retries."""
    gate = Gate()

    async def what(wire: Wire) -> View:
        steps = [{"name": name, "prompt": name} for name in "abc"]
        chain = await wire.view("pool_submit_chain", steps=steps)
        await gate.next()
        begun = await wire.view("pool_drain", timeout_seconds=0.01)
        gate.open.set()
        drained = await wire.view("pool_drain")
        view = await wire.view("pool_chain_result", chain_id=chain["chain_id"])
        return {**view, "begun": begun["drained"], "drained": drained["drained"]}

    view = use_pool(tmp_path, what, gate)
    assert (view["begun"], view["drained"], view["state"]) == (False, True, "completed")
    assert [(step["state"], step["attempts"]) for step in view["steps"]] == [("completed", 1)] * 3


def test_configuring_a_slot_at_work_leaves_its_work_alone(tmp_path: Path) -> None:
    """Naming a slot wrote back an old copy of it: busy became idle, its session and cost were lost."""
    gate = Gate()

    async def what(wire: Wire) -> View:
        first = await submit(wire, "first")
        turn = await gate.next()
        configured = await wire.view("pool_configure_slot", slot_id="slot-0", name="ann")
        await submit(wire, "second")
        waiting = (await wire.view("pool_status"))["pending_tasks"]
        gate.open.set()
        await ended(wire, 2)
        slot = (await wire.view("pool_find_slots", name="ann"))["slots"][0]
        assert (configured["state"], configured["task_id"]) == ("busy", first)
        assert configured["session_id"] == turn.turn.session
        return {"waiting": waiting, "tasks": slot["tasks_completed"], "cost": slot["cost_microdollars"]}

    assert use_pool(tmp_path, what, gate, slots=1) == {"waiting": 1, "tasks": 2, "cost": 2_000}


def test_an_answer_that_is_an_error_completes_nothing(tmp_path: Path) -> None:
    """A run whose answer said that it had failed was stored, and counted for its slot, as completed."""

    async def script(_: LiveTurn) -> Outcome:
        return failed("turn_limit", cost=5)

    async def what(wire: Wire) -> View:
        view = await wire.view("pool_run", prompt="p")
        return {"view": view, "status": await wire.view("pool_status")}

    seen = use_pool(tmp_path, what, script, slots=1)
    assert (seen["view"]["state"], seen["view"]["success"]) == ("failed", False)
    assert (seen["status"]["completed_tasks"], seen["status"]["failed_tasks"]) == (0, 1)
    assert seen["status"]["slots"][0]["tasks_completed"] == 0


async def status_with(wire: Wire, slots: int) -> View:
    """The status once so many slots are in service."""
    async with asyncio.timeout(20):
        while (status := await wire.view("pool_status"))["total_slots"] != slots:
            pass
    return status


def test_a_slot_that_leaves_while_it_works_ends_its_task_and_pays_for_it(tmp_path: Path) -> None:
    """Scaling down deleted busy slots under their processes, and what those cost was never counted."""
    gate = Gate()

    async def what(wire: Wire) -> View:
        for prompt in ("first", "second"):
            await submit(wire, prompt)
            await gate.next()
        await wire.view("pool_scale_down", count=1)
        gate.open.set()
        views = await ended(wire, 2)
        status = await status_with(wire, 1)
        states = {view["state"] for view in views}
        return {"states": states, "slots": status["total_slots"], "spent": status["spent_microdollars"]}

    assert use_pool(tmp_path, what, gate) == {"states": {"completed"}, "slots": 1, "spent": 2_000}


def test_slots_that_are_added_at_once_have_ids_of_their_own(tmp_path: Path) -> None:
    """Two calls that added slots at the same time could give out the same id."""

    async def what(wire: Wire) -> View:
        await at_once(wire, *[("pool_scale_up", {"count": 2})] * 5)
        return await status_with(wire, 11)

    status = use_pool(tmp_path, what, slots=1)
    assert [slot["slot_id"] for slot in status["slots"]] == [f"slot-{number}" for number in range(11)]


def test_tasks_that_are_submitted_at_once_have_ids_of_their_own(tmp_path: Path) -> None:
    """Ids were times: two tasks within one tick of the clock replaced one another."""
    gate = Gate()

    async def what(wire: Wire) -> View:
        calls = [("pool_submit", {"prompt": "the same"})] * 100
        results = await at_once(wire, *calls)
        status = await wire.view("pool_status")
        await wire.view("pool_drain", mode="cancel")
        ids = {result["structuredContent"]["task_id"] for result in results}
        return {"ids": len(ids), "tasks": status["pending_tasks"] + status["running_tasks"]}

    assert use_pool(tmp_path, what, gate) == {"ids": 100, "tasks": 100}


def test_metrics_count_each_step_of_a_chain_once_and_nothing_for_the_chain(tmp_path: Path) -> None:
    """A chain counted beside its own steps, and averages divided everybody's money by the completed."""

    async def script(turn: LiveTurn) -> Outcome:
        return failed("provider_error", cost=300) if "fail" in turn.prompt else said("done", cost=100)

    async def what(wire: Wire) -> View:
        steps = [{"name": "a", "prompt": "one"}, {"name": "b", "prompt": "fail"}]
        await wire.view("pool_chain", steps=steps)
        return await wire.view("pool_session_metrics")

    metrics = use_pool(tmp_path, what, script)
    assert (metrics["total_tasks"], metrics["completed_tasks"], metrics["failed_tasks"]) == (2, 1, 1)
    assert (metrics["cost_microdollars"], metrics["avg_cost_microdollars"]) == (400, 200)


def test_a_steps_schema_reaches_its_slot(tmp_path: Path) -> None:
    """Steps of a submitted chain lost their schema on the way."""
    schemas: list[str | None] = []

    async def script(turn: LiveTurn) -> Outcome:
        schemas.append(turn.launch.json_schema)
        return said("", structured='{"n": 1}')

    async def what(wire: Wire) -> View:
        step = {"name": "a", "prompt": "p", "json_schema": {"type": "object"}}
        chain = await wire.view("pool_submit_chain", steps=[step])
        await wire.view("pool_wait", chain_ids=[chain["chain_id"]])
        view = await wire.view("pool_chain_result", chain_id=chain["chain_id"])
        return await wire.view("pool_result", task_id=view["steps"][0]["task_id"])

    assert use_pool(tmp_path, what, script)["structured_output"] == {"n": 1}
    assert schemas == ['{"type":"object"}']
