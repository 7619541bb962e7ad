"""Routing on the real CLI: a chain that a router decided on, and what a router has in its hands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.routing import AutoRequest, RouteRequest
from claude_pool.adapters.wiring import open_pool
from claude_pool.domain.values import Options

from tests.support.real_cli import bundled_cli, cli_environment

STEPS = [{"name": "find", "prompt": "Find it."}, {"name": "tell", "prompt": "Tell of: {previous_output}"}]
WORK = f"[[reply: {json.dumps(json.dumps({'route': 'chain', 'steps': STEPS, 'reason': 'in turn'}))}]] Do it."


async def done(folder: Path, api: ScriptedApi) -> dict[str, Any]:
    """The work, routed and done, and what the router's questions about itself were answered with."""
    (folder / "work").mkdir()
    async with open_pool(
        slots=1,
        model="sonnet",
        state_dir=str(folder / "state"),
        working_dir=str(folder / "work"),
        claude=str(bundled_cli()),
        environ=cli_environment(folder / "home", api.url),
    ) as pool:
        request = AutoRequest(RouteRequest(WORK, model="haiku"), TaskRequest(WORK, Options(model="sonnet")))
        view = await pool.routing.auto(request, CALLER, 60)
        found: dict[str, Any] = {"view": view}
        for question in ("model", "tools"):
            routed = await pool.routing.route(RouteRequest(f"[[{question}]]", model="haiku"), CALLER, 60)
            found[question] = (await pool.view(routed["router_task_id"]))["output"]
        found["router"] = await pool.view(view["router_task_id"])
        found["spent"] = pool.money.budget_now()["spent_microdollars"]
        return found


@pytest.mark.real
def test_a_router_without_tools_decides_on_a_chain_that_is_then_run(tmp_path: Path) -> None:
    with running_api() as api:
        found = asyncio.run(done(tmp_path, api))
        asked = [call for call in api.calls if "<work>" in call.prompt]

    view = found["view"]
    assert (view["route"], view["fallback"], view["reason"]) == ("chain", False, "in turn")
    assert (view["finished"], view["chain"]["state"]) == (True, "completed")
    assert view["chain"]["final_output"] == "echo: Tell of: echo: Find it."
    assert view["cost_microdollars"] == found["router"]["cost_microdollars"] + sum(
        step["cost_microdollars"] for step in view["chain"]["steps"]
    )
    assert found["router"]["cost_microdollars"] > 0
    assert found["spent"] > view["cost_microdollars"]
    assert "haiku" in found["model"]
    assert not found["tools"]
    assert len(asked) == 3 + 1  # an answer without a word, as that about the tools, is asked for once more
