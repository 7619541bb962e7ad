"""Attempts without a limit of their own, on the real CLI: topped up while money is free, else stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import open_pool
from claude_pool.domain.values import Options

from tests.support.real_cli import bundled_cli, cli_environment

BUDGET = 200_000
CALL = 90_000 // 10 + 10_000 // 2
"""Microdollars of one call: 0.1 and 0.5 microdollars a token."""


PAID = 6
AFFORDED = BUDGET // CALL - PAID
"""So many calls, after the paid ones, does the budget cover whole."""


def calls(quick: int, slow: int = 0) -> str:
    """A task of so many calls to the model, of which the last ones take it long."""
    usage = "[[usage: input=90000 output=10000]] "
    tool = '[[tool: Bash {"command": "true"}]] '
    return (usage + tool) * (quick - 1) + ("[[delay: 5s]] " + usage + tool) * slow + usage + "[[reply: done]]"


async def run_both(folder: Path, api: ScriptedApi) -> tuple[dict[str, Any], dict[str, Any], Application]:
    """One task that the budget covers, and one that it does not; their views, and the log."""
    (folder / "work").mkdir()
    async with open_pool(
        slots=1,
        model="haiku",
        permission_mode="bypassPermissions",
        budget_usd=BUDGET / 1_000_000,
        state_dir=str(folder / "state"),
        working_dir=str(folder / "work"),
        claude=str(bundled_cli()),
        environ=cli_environment(folder / "home", api.url),
    ) as pool:
        options = Options(permission_mode="bypassPermissions")
        paid = await pool.run(TaskRequest(calls(PAID), options))
        # one call goes beyond the budget, and the next one leaves even a busy machine the time to stop it
        stopped = await pool.run(TaskRequest(calls(AFFORDED + 2, 25), options))
        events = (await pool.replay(None, None, None, 1_000))["events"]
        topped = {e["data"]["attempt"] for e in events if e["name"] == "funds.topped_up"}
        assert topped == {f"{view['task_id']}.1" for view in (paid, stopped)}
        return paid, stopped, pool


@pytest.mark.real
def test_an_attempt_is_topped_up_while_money_is_free_and_stopped_where_none_is(tmp_path: Path) -> None:
    with running_api() as api:
        paid, stopped, pool = asyncio.run(run_both(tmp_path, api))
    assert (paid["state"], paid["output"], paid["cost_microdollars"]) == ("completed", "done", PAID * CALL)
    assert (stopped["state"], stopped["error"]["code"]) == ("failed", "task_budget_reached")
    assert stopped["session_id"]
    budget = pool.money.budget_now()
    assert budget["reserved_microdollars"] == 0
    spent = paid["cost_microdollars"] + stopped["cost_microdollars"]
    assert budget["spent_microdollars"] == spent
    assert BUDGET <= spent <= BUDGET + 2 * CALL, "over by more than the call in flight and the one before it"
