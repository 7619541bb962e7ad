"""What the pool reports equals what the API served times the price, on the real CLI."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.demo.scripted_api import Call, ScriptedApi, running_api
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import open_pool
from claude_pool.domain.prices import Served, microdollars
from claude_pool.domain.values import Options

from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until

PRICES = price_list()


@dataclass(frozen=True)
class Kind:
    """A kind of task: its prompt, and how it is meant to end."""

    prompt: str
    state: str
    interrupted: bool = False


KINDS = (
    Kind("[[reply: fine]] [[usage: input=1200 output=340]] one", "completed"),
    Kind("[[usage: input=90 output=75 cache_read=4000 cache_write=600]] two", "completed"),
    Kind('[[tool: Bash {"command": "echo hi"}]] [[usage: input=500 output=20]] three', "completed"),
    Kind("[[status: 500]] four", "failed"),
    Kind("[[slow: 20ms x 4000]] [[usage: input=700 output=8000]] five", "cancelled", interrupted=True),
)
ROUNDS = 4


def exact_cost(calls: list[Call]) -> int:
    """What calls cost by the price list, in nanodollars."""
    return sum(PRICES.cost(call.model, served_by(call)) for call in calls)


def served_by(call: Call) -> Served:
    """What one call was served."""
    usage = call.served
    return Served(usage.input, usage.output, usage.cache_read, usage.cache_write, usage.cache_write_1h)


def transcribed(transcripts: Path, task_id: str) -> int:
    """How many pieces of an answer the slot has printed so far."""
    path = transcripts / f"{task_id}.1.jsonl"
    return path.read_bytes().count(b"content_block_delta") if path.exists() else 0


async def run_one(pool: Application, state: Path, kind: Kind, prompt: str) -> dict[str, Any]:
    """Run one task of a kind to its end."""
    request = TaskRequest(prompt, Options(permission_mode="bypassPermissions"))
    if not kind.interrupted:
        return await pool.run(request)
    task_id = await pool.submit(request)
    await until(lambda: transcribed(state / "transcripts", task_id) > 5)
    return await pool.cancel(task_id)


async def run_all(folder: Path, api: ScriptedApi) -> dict[str, dict[str, Any]]:
    """Twenty consecutive fresh tasks in one slot; their views by prompt."""
    views: dict[str, dict[str, Any]] = {}
    (folder / "work").mkdir()
    environment = cli_environment(folder / "home", api.url)
    async with open_pool(
        slots=1,
        model="haiku",
        permission_mode="bypassPermissions",
        state_dir=str(folder / "state"),
        working_dir=str(folder / "work"),
        claude=str(bundled_cli()),
        environ=environment,
    ) as pool:
        for number in range(ROUNDS):
            for kind in KINDS:
                prompt = f"{kind.prompt} {number}"
                views[prompt] = await run_one(pool, folder / "state", kind, prompt)
                assert views[prompt]["state"] == kind.state, views[prompt]
        spent = pool.status()["spent_microdollars"]
    assert spent == sum(view["cost_microdollars"] for view in views.values())
    return views


@pytest.mark.real
def test_twenty_fresh_tasks_cost_what_the_api_served_times_the_price(tmp_path: Path) -> None:
    with running_api() as api:
        views = asyncio.run(run_all(tmp_path, api))

        assert len(views) == 20
        for prompt, view in views.items():
            calls = [call for call in api.calls if prompt in call.prompt]
            served = exact_cost(calls)
            if view["state"] == "cancelled":
                last = calls[-1]
                step = last.served.output * PRICES.rates(last.model).output
                assert view["cost_estimated"]
                assert abs(view["cost_microdollars"] * 1000 - served) <= step + 1000
                assert view["cost_microdollars"] > 0
            else:
                assert view["cost_microdollars"] == microdollars(served)
                assert not view["cost_estimated"]
