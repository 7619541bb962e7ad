"""What the pool reports equals what the API served times the price, on the real CLI."""

from __future__ import annotations

import asyncio
import os
import signal
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

View = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of task: its prompt, how it is meant to end, and what happens to it.

    `stopped` says by whom: cancelled, or its CLI killed; `cut` that an answer broke off.
    """

    prompt: str
    state: str = "completed"
    stopped: str = ""
    cut: bool = False
    error: str | None = None
    model: str = "haiku"
    retries: int = 0
    limit: int | None = None


KINDS = (
    Kind("[[reply: fine]] [[usage: input=1200 output=340]] one"),
    Kind("[[usage: input=90 output=75 cache_read=4000 cache_write=600]] two"),
    Kind('[[tool: Bash {"command": "echo hi"}]] [[usage: input=500 output=20]] three'),
    Kind("[[status: 500]] four", "failed"),
    Kind("[[slow: 20ms x 4000]] [[usage: input=700 output=8000]] five", "cancelled", "cancel", cut=True),
)
ROUNDS = 4

_WORDS = "[[reply: alpha beta gamma delta epsilon zeta eta theta]] [[usage: input=7000 output=16]]"
ODD_KINDS = (
    Kind(f"{_WORDS} [[slow: 20ms x 8]] [[cut after: 4]] [[times: 1]] six", cut=True),
    Kind(f"{_WORDS} [[slow: 20ms x 8]] [[error after: 4]] [[times: 1]] seven", cut=True),
    Kind(f"{_WORDS} [[status: 500]] [[times: 1]] eight", retries=1),
    Kind(f"{_WORDS} nine", model="claude-next-9"),
    Kind(f"{_WORDS} [[slow: 1s x 60]] ten", "failed", "kill", cut=True, error="slot_failed"),
    Kind("[[hang]] eleven", "failed", "kill", cut=True, error="slot_failed"),
    Kind(
        f'{_WORDS} [[tool: Bash {{"command": "true"}}]] {_WORDS} [[slow: 1s x 60]] twelve',
        "failed", cut=True, error="task_budget_reached", limit=1_000,
    ),
    Kind(f"{_WORDS} thirteen"),
)  # fmt: skip


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


def begun(transcripts: Path, task_id: str) -> bool:
    """Whether the slot waits for the first answer, or has the beginning of one."""
    path = transcripts / f"{task_id}.1.jsonl"
    return path.exists() and b'"requesting"' in path.read_bytes()


async def run_one(pool: Application, folder: Path, api: ScriptedApi, kind: Kind, prompt: str) -> View:
    """Run one task of a kind to its end."""
    options = Options(permission_mode="bypassPermissions", model=kind.model, max_budget=kind.limit)
    request = TaskRequest(prompt, options, retries=kind.retries)
    if not kind.stopped:
        return await pool.run(request)
    task_id, transcripts = await pool.submit(request), folder / "state" / "transcripts"
    if "[[hang]]" in prompt:
        await until(lambda: begun(transcripts, task_id) and api.calls[-1].prompt == prompt)
    else:
        await until(lambda: transcribed(transcripts, task_id) > (5 if kind.stopped == "cancel" else 0))
    if kind.stopped == "cancel":
        return await pool.cancel(task_id)
    events = (await pool.replay(None, None, None, 1_000))["events"]
    os.kill([event["data"]["pid"] for event in events if "pid" in event["data"]][-1], signal.SIGKILL)
    await pool.wait([task_id], None, 20)
    return await pool.view(task_id)


async def run_all(folder: Path, api: ScriptedApi, kinds: tuple[Kind, ...], rounds: int) -> dict[str, View]:
    """Consecutive fresh tasks in one slot; their views by prompt."""
    views: dict[str, View] = {}
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
        for number in range(rounds):
            for kind in kinds:
                prompt = f"{kind.prompt} {number}"
                view = views[prompt] = await run_one(pool, folder, api, kind, prompt)
                assert view["state"] == kind.state, view
                assert kind.error is None or view["error"]["code"] == kind.error, view
        spent = pool.status()["spent_microdollars"]
    assert spent == sum(view["cost_microdollars"] for view in views.values())
    return views


@pytest.mark.real
def test_twenty_fresh_tasks_cost_what_the_api_served_times_the_price(tmp_path: Path) -> None:
    with running_api() as api:
        views = asyncio.run(run_all(tmp_path, api, KINDS, ROUNDS))

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


@pytest.mark.real
def test_tasks_that_end_oddly_cost_what_the_api_served_within_a_metering_step(tmp_path: Path) -> None:
    """Where an answer broke off, what the CLI had not handed on yet of its output cannot be known."""
    with running_api() as api:
        views = asyncio.run(run_all(tmp_path, api, ODD_KINDS, 1))
        calls = list(api.calls)
    charged = served = steps = 0
    for kind, (prompt, view) in zip(ODD_KINDS, views.items(), strict=True):
        mine = [call for call in calls if prompt in call.prompt or call.model == view["model"] == kind.model]
        cost, exact = view["cost_microdollars"], microdollars(exact_cost(mine))
        unsure = [call for call in mine if call.end != "complete"]
        step = microdollars(sum(call.served.output * PRICES.rates(call.model).output for call in unsure))
        if "[[hang]]" in prompt:
            step = PRICES.least_call("haiku", len(prompt))  # what it read, had it been asked
        assert cost > 0
        assert cost == exact if not kind.cut else abs(cost - exact) <= step + 1, (kind, view, mine)
        assert view["cost_estimated"] or not kind.cut
        assert view.get("unpriced", False) == (kind.model != "haiku")
        if kind.error == "task_budget_reached":
            assert view["output"].startswith("alpha") and view["session_id"]
        charged, served, steps = charged + cost, served + exact, steps + step + 1
    assert abs(charged - served) <= steps
    assert served == pytest.approx(exact_cost(calls) / 1000, abs=len(views)), "nobody else was served"
