"""The MCP surface as a coordinator meets it: the SDK's own client, in both eras, on a whole pool in memory.

The client checks every result against the tool's output schema.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.toolsets import chosen_toolsets
from claude_pool.adapters.wiring import Running
from claude_pool.domain.values import Outcome
from mcp import Client, MCPError
from mcp_types import TextContent, TextResourceContents

from tests.support.mcp_client import ERAS, connected
from tests.support.scripted_driver import LiveTurn, Script, echo, failed, said
from tests.support.scripted_pool import scripted_pool, server_of

EVERYTHING = Connection(toolsets=chosen_toolsets("all"))

each_era = pytest.mark.parametrize("era", ERAS)


class Coordinator:
    """Calls tools and gives what they answer."""

    def __init__(self, client: Client, running: Running) -> None:
        self.client = client
        self.running = running

    async def view(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        view: dict[str, Any] = result.structured_content
        assert isinstance(result.content[0], TextContent)
        assert json.loads(result.content[0].text) == view
        return view

    async def refusal(self, tool: str, **arguments: Any) -> str:
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        assert isinstance(result.content[0], TextContent)
        return result.content[0].text

    async def read(self, uri: str) -> Any:
        found = (await self.client.read_resource(uri)).contents[0]
        assert isinstance(found, TextResourceContents)
        return json.loads(found.text)


def coordinate(
    era: str, folder: Path, work: Callable[[Coordinator], Awaitable[None]], script: Script = echo, **pool: Any
) -> None:
    async def body() -> None:
        async with (
            scripted_pool(folder, script, **pool) as running,
            connected(server_of(running), era, EVERYTHING) as client,
        ):
            await work(Coordinator(client, running))

    asyncio.run(asyncio.wait_for(body(), 60))


class Gate:
    """A script whose turns wait until they are let through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.began = asyncio.Event()

    async def __call__(self, live: LiveTurn) -> Outcome:
        self.began.set()
        await self.open.wait()
        return said(f"done: {live.prompt}")


async def temper(live: LiveTurn) -> Outcome:
    """Fails what is called bad."""
    return failed("model_refused", "No.") if "bad" in live.prompt else said(live.prompt.upper())


@each_era
def test_a_task_runs_to_its_end_and_its_view_has_all_fields(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        view = await me.view("pool_run", prompt="hello", tags=["a"])
        assert (view["state"], view["success"], view["output"]) == ("completed", True, "echo: hello")
        assert (view["cost_microdollars"], view["cost_usd"]) == (1_000, 0.001)
        fields = """task_id state success output error cost_usd cost_microdollars cost_estimated tokens turns
            elapsed_ms waited_ms model slot_id session_id attempts tags permission_denials reason"""
        assert set(view) >= set(fields.split())
        assert (await me.view("pool_result", task_id=view["task_id"])) == view

    coordinate(era, tmp_path, work)


@each_era
def test_a_submitted_task_is_collected_by_a_wait(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        task_id = (await me.view("pool_submit", prompt="hello"))["task_id"]
        waited = await me.view("pool_wait", task_ids=[task_id])
        assert [(t["task_id"], t["output"]) for t in waited["tasks"]] == [(task_id, "echo: hello")]
        assert (waited["chains"], "waited_cap" in waited) == ([], False)

    coordinate(era, tmp_path, work)


def test_waits_with_a_cursor_tell_everything_once(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        expected = {(await me.view("pool_submit", prompt=f"p{n}"))["task_id"] for n in range(12)}
        told: list[str] = []
        cursor: dict[str, int] = {}
        while len(told) < len(expected):
            waited = await me.view("pool_wait", **cursor)
            told += [t["task_id"] for t in waited["tasks"]]
            cursor = {"cursor": waited["cursor"]}
        assert sorted(told) == sorted(expected)
        assert (await me.view("pool_wait", wait_seconds=0, **cursor))["tasks"] == []

    coordinate("legacy", tmp_path, work)


def test_a_wait_of_no_seconds_tells_what_there_is(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        view = await me.view("pool_run", prompt="x")
        waited = await me.view("pool_wait", wait_seconds=0)
        assert [t["task_id"] for t in waited["tasks"]] == [view["task_id"]]

    coordinate("legacy", tmp_path, work)


def test_a_wait_shorter_than_the_work_shows_it_running(tmp_path: Path) -> None:
    gate = Gate()

    async def work(me: Coordinator) -> None:
        view = await me.view("pool_run", prompt="x", wait_seconds=0.05)
        assert (view["success"], "waited_cap" in view) == (None, False)
        assert view["state"] in ("pending", "running")
        gate.open.set()
        assert (await me.view("pool_wait"))["tasks"][0]["output"] == "done: x"

    coordinate("legacy", tmp_path, work, gate)


@each_era
def test_a_fan_out_answers_every_input_in_order_and_hides_none(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        tasks: list[object] = [
            {"prompt": "one"},
            {"prompt": ""},
            {"prompt": "bad"},
            "no object",
            {"prompt": "x", "retries": 99, "nonsense": 1},
            {"prompt": "x", "slot": "slot-99"},
            {"prompt": "two"},
        ]
        results = (await me.view("pool_fan_out", tasks=tasks))["results"]
        told = [(r["state"], r["error"] and r["error"]["code"], r.get("output")) for r in results]
        assert told == [
            ("completed", None, "ONE"),
            ("refused", "invalid_argument", None),
            ("failed", "model_refused", ""),
            ("refused", "invalid_argument", None),
            ("refused", "invalid_argument", None),
            ("refused", "not_found", None),
            ("completed", None, "TWO"),
        ]
        assert (
            "retries: " in results[4]["error"]["message"] and "nonsense: " in results[4]["error"]["message"]
        )

    coordinate(era, tmp_path, work, temper)


def test_a_fan_out_of_prompts_uses_all_slots(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        results = (await me.view("pool_fan_out", prompts=[f"p{n}" for n in range(9)]))["results"]
        assert [r["output"] for r in results] == [f"P{n}" for n in range(9)]
        assert {r["slot_id"] for r in results} == {"slot-0", "slot-1", "slot-2"}

    coordinate("legacy", tmp_path, work, temper, slots=3)


def test_a_fan_out_with_the_same_key_gives_the_same_tasks_and_with_others_a_conflict(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        async def ids(*prompts: str) -> list[Any]:
            answer = await me.view("pool_fan_out", prompts=prompts, idempotency_key="k")
            return [r["task_id"] for r in answer["results"]]

        first = await ids("a", "a", "b")
        assert len(set(first)) == 3
        assert await ids("a", "a", "b") == first
        for others in (["a", "x", "b"], ["a", "a"], ["a", "a", "b", "c"]):
            text = await me.refusal("pool_fan_out", prompts=others, idempotency_key="k")
            assert text.startswith("[idempotency_conflict] ")
        assert (await me.view("pool_status"))["completed_tasks"] == 3

    coordinate("legacy", tmp_path, work)


def test_outputs_of_many_tasks_are_cut_so_that_clients_show_the_answer(tmp_path: Path) -> None:
    async def long_winded(live: LiveTurn) -> Outcome:
        return said(live.prompt * 9_000)

    async def work(me: Coordinator) -> None:
        results = (await me.view("pool_fan_out", prompts=list("abcdefgh")))["results"]
        assert sum(len(r["output"]) for r in results) < 45_000
        assert all(r["output_ref"] == f"pool://results/{r['task_id']}" for r in results)
        assert (await me.read(results[2]["output_ref"]))["output"] == "c" * 9_000

    coordinate("legacy", tmp_path, work, long_winded)


def test_the_same_key_gives_the_same_task(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        first = await me.view("pool_submit", prompt="x", idempotency_key="k")
        assert await me.view("pool_submit", prompt="x", idempotency_key="k", retries=0) == first
        text = await me.refusal("pool_submit", prompt="y", idempotency_key="k")
        assert text.startswith("[idempotency_conflict] ") and first["task_id"] in text

    coordinate("legacy", tmp_path, work)


@each_era
def test_a_running_task_is_cancelled(era: str, tmp_path: Path) -> None:
    gate = Gate()

    async def work(me: Coordinator) -> None:
        task_id = (await me.view("pool_submit", prompt="x"))["task_id"]
        await asyncio.wait_for(gate.began.wait(), 10)
        view = await me.view("pool_cancel", task_id=task_id)
        assert (view["state"], view["success"], view["error"]) == ("cancelled", False, None)

    coordinate(era, tmp_path, work, gate)


def test_what_has_ended_cannot_be_cancelled(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        view = await me.view("pool_run", prompt="x")
        text = await me.refusal("pool_cancel", task_id=view["task_id"])
        assert text.startswith(f"[wrong_state] {view['task_id']} is completed")

    coordinate("legacy", tmp_path, work)


def test_structured_output_is_an_object_and_its_schema_reaches_the_slot(tmp_path: Path) -> None:
    async def structured(live: LiveTurn) -> Outcome:
        return said("ok", structured=json.dumps({"schema": json.loads(live.launch.json_schema or "null")}))

    async def work(me: Coordinator) -> None:
        view = await me.view("pool_run", prompt="x", json_schema={"type": "object"})
        assert view["structured_output"] == {"schema": {"type": "object"}}

    coordinate("legacy", tmp_path, work, structured)


@each_era
def test_lists_page_through_whole_views_latest_first(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        made = [(await me.view("pool_run", prompt=f"p{n}", tags=["t"]))["task_id"] for n in range(5)]
        await me.view("pool_run", prompt="bad")
        first = await me.view("pool_list_tasks", tag="t", limit=3)
        second = await me.view("pool_list_tasks", tag="t", limit=3, cursor=first["cursor"])
        listed = first["tasks"] + second["tasks"]
        assert [t["task_id"] for t in listed] == made[::-1]
        assert [t["output"] for t in listed] == ["P4", "P3", "P2", "P1", "P0"]
        assert second["cursor"] is None
        assert [t["error"]["code"] for t in (await me.view("pool_list_tasks", state="failed"))["tasks"]] == [
            "model_refused"
        ]

    coordinate(era, tmp_path, work, temper)


@each_era
def test_the_status_counts_and_the_metrics_sum_up(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        await me.view("pool_fan_out", prompts=["a", "b", "bad"])
        status = await me.view("pool_status")
        assert (status["completed_tasks"], status["failed_tasks"], status["total_slots"]) == (2, 1, 2)
        assert (status["spent_microdollars"], status["paused"]) == (2_000, None)
        assert {s["slot_id"] for s in status["slots"]} == {"slot-0", "slot-1"}
        metrics = await me.view("pool_session_metrics", since=0)
        assert (metrics["total_tasks"], metrics["cost_microdollars"]) == (3, 2_000)
        assert (await me.view("pool_session_metrics", until=0))["total_tasks"] == 0

    coordinate(era, tmp_path, work, temper)


def test_the_budget_is_shown_raised_and_reset(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        assert (await me.refusal("pool_run", prompt="x", max_budget_usd=2)).startswith("[budget_exceeded] ")
        assert (await me.view("pool_budget", set_usd=2.5))["limit_microdollars"] == 2_500_000
        await me.view("pool_run", prompt="x", max_budget_usd=2)
        assert (await me.view("pool_budget"))["spent_microdollars"] == 1_000
        assert (await me.view("pool_budget", reset=True))["spent_microdollars"] == 0
        assert (await me.read("pool://budget"))["limit_usd"] == 2.5

    coordinate("legacy", tmp_path, work, limit=1_000_000)


@each_era
def test_a_drain_ends_what_runs_refuses_what_is_new_and_is_undone(era: str, tmp_path: Path) -> None:
    gate = Gate()

    async def work(me: Coordinator) -> None:
        task_id = (await me.view("pool_submit", prompt="x"))["task_id"]
        await asyncio.wait_for(gate.began.wait(), 10)
        assert (await me.view("pool_drain", timeout_seconds=0.05))["drained"] is False
        assert (await me.refusal("pool_submit", prompt="y")).startswith("[draining] ")
        assert (await me.view("pool_drain", mode="cancel"))["drained"] is True
        assert (await me.view("pool_result", task_id=task_id))["state"] == "cancelled"
        assert (await me.view("pool_drain", mode="undo"))["draining"] is False
        gate.open.set()
        assert (await me.view("pool_run", prompt="z"))["output"] == "done: z"

    coordinate(era, tmp_path, work, gate)


@each_era
def test_shared_values_are_set_shown_and_removed(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        await me.view("context_set", key="stack", value="Python")
        assert (await me.view("context_get", key="stack"))["value"] == "Python"
        assert (await me.view("context_list"))["values"] == {"stack": "Python"}
        assert "stack: Python" in (await me.view("pool_run", prompt="x"))["output"]
        assert await me.read("pool://context") == {"stack": "Python"}
        await me.view("context_delete", key="stack")
        assert (await me.refusal("context_delete", key="stack")).startswith("[not_found] ")
        assert (await me.refusal("context_set", key="a", value="x" * 32_769)).startswith(
            "[invalid_argument] value: "
        )

    coordinate(era, tmp_path, work)


@each_era
def test_a_slot_is_configured_found_and_used_by_its_role(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        await me.view("pool_run", prompt="wait for slots")
        await me.view("pool_configure_slot", slot_id="slot-1", name="Ada", role="reviewer", model="opus")
        found = (await me.view("pool_find_slots", role="reviewer"))["slots"]
        assert [(s["slot_id"], s["name"], s["model"]) for s in found] == [("slot-1", "Ada", "opus")]
        views = [await me.view("pool_run", prompt=f"p{n}", slot="reviewer") for n in range(3)]
        assert {v["slot_id"] for v in views} == {"slot-1"}
        assert (await me.read("pool://slots/slot-1"))["role"] == "reviewer"
        assert (await me.view("pool_find_slots", name="Ada", state="failed"))["slots"] == []
        assert (await me.view("pool_claim", slot_id="slot-1"))["claimed"] is False

    coordinate(era, tmp_path, work)


@each_era
def test_the_number_of_slots_goes_up_and_down_within_bounds(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        async def total() -> int:
            await me.view("pool_run", prompt="let it settle")
            count: int = (await me.view("pool_status"))["total_slots"]
            return count

        assert await total() == 2
        await me.view("pool_scale_up", count=2)
        assert await total() == 4
        assert (await me.refusal("pool_scale_up", count=1)).startswith("[invalid_argument] target: 5 slots")
        await me.view("pool_scale_down", count=1)
        await me.view("pool_set_target_slots", target=2)
        assert await total() == 2

    coordinate(era, tmp_path, work, max_slots=4)


@each_era
def test_every_event_can_be_replayed_and_explained(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        task_id = (await me.view("pool_run", prompt="x"))["task_id"]
        await me.view("pool_drain")
        events: list[Any] = []
        page: dict[str, Any] = {"next": 0}
        while page["next"] is not None:
            page = await me.view("pool_replay", after=page["next"], limit=7)
            events += page["events"]
        assert [e["position"] for e in events] == list(range(1, len(events) + 1))
        of_task = (await me.view("pool_replay", task=task_id))["events"]
        assert of_task[0]["name"] == "task.submitted"
        assert {e["stream"] for e in of_task} == {task_id}
        last = events[-1]["position"]
        assert (await me.view("pool_replay", until=3, after=1))["events"] == events[1:3]
        assert await me.read(f"pool://events/{last}") == events[-1]
        story = (await me.view("pool_why", id=task_id))["story"]
        assert [s["position"] for s in story] == [e["position"] for e in of_task]
        assert (await me.refusal("pool_replay", task=task_id, slot="slot-0")).startswith(
            "[invalid_argument] "
        )
        assert (await me.refusal("pool_replay", slot="slot-77")).startswith("[not_found] ")

    coordinate(era, tmp_path, work)


@each_era
def test_resources_are_listed_and_read(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        view = await me.view("pool_run", prompt="x")
        listed = {str(r.uri) for r in (await me.client.list_resources()).resources}
        assert listed == {"pool://status", "pool://slots", "pool://budget", "pool://context"}
        templates = (await me.client.list_resource_templates()).resource_templates
        assert {t.uri_template for t in templates} == {
            "pool://slots/{id}",
            "pool://results/{task_id}",
            "pool://chains/{chain_id}",
            "pool://chains/{chain_id}/diff",
            "pool://events/{position}",
            "pool://transcripts/{task_id}",
        }
        assert (await me.read("pool://status"))["completed_tasks"] == 1
        assert len((await me.read("pool://slots"))["slots"]) == 2
        assert await me.read(f"pool://results/{view['task_id']}") == view
        chain = await me.view("pool_chain", steps=[{"name": "a", "prompt": "x"}])
        assert await me.read(f"pool://chains/{chain['chain_id']}") == chain

    coordinate(era, tmp_path, work)


def test_the_transcript_of_a_task_is_read_by_its_id(tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        task_id = (await me.view("pool_run", prompt="x"))["task_id"]
        with pytest.raises(MCPError, match=r"^\[not_found\] There is no transcript of task-"):
            await me.read(f"pool://transcripts/{task_id}")
        (tmp_path / f"{task_id}.1.jsonl").write_bytes(b'{"type":"result"}\n')
        assert await me.read(f"pool://transcripts/{task_id}") == {"type": "result"}

    coordinate("legacy", tmp_path, work)


@each_era
@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("pool://nothing", r"^\[not_found\] There is no resource pool://nothing"),
        ("pool://results/..%2F..%2Fetc", r"^\[invalid_argument\] task_id: "),
        ("pool://results/../../etc", r"^\[not_found\] There is no resource "),
        ("pool://results/task-aaaaaaaaaaaaaaaa", r"^\[not_found\] There is no task "),
        ("pool://transcripts/..", r"^\[invalid_argument\] task_id: "),
        ("pool://slots/slot-99", r"^\[not_found\] There is no slot "),
        ("pool://slots/slot-0/..", r"^\[not_found\] There is no resource "),
        ("pool://events/0", r"^\[invalid_argument\] position: "),
        ("pool://events/999999", r"^\[not_found\] There is no event "),
        ("file:///etc/passwd", r"^\[not_found\] There is no resource "),
    ],
)
def test_a_resource_that_is_not_there_is_an_error_with_a_code(
    era: str, tmp_path: Path, uri: str, message: str
) -> None:
    async def work(me: Coordinator) -> None:
        with pytest.raises(MCPError, match=message):
            await me.client.read_resource(uri)

    coordinate(era, tmp_path, work)


@pytest.mark.parametrize(("era", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_both_eras_of_the_protocol_are_spoken(era: str, version: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        assert me.client.protocol_version == version

    coordinate(era, tmp_path, work)


@each_era
def test_coordinators_are_told_how_to_use_the_pool(era: str, tmp_path: Path) -> None:
    async def work(me: Coordinator) -> None:
        said_so = me.client.instructions
        assert said_so is not None and "pool_wait" in said_so and "costs money" in said_so

    coordinate(era, tmp_path, work)
