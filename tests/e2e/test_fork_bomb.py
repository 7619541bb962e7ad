"""A tool that starts processes without end costs its own task only."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import running_api
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import open_pool
from claude_pool.domain.values import Options

from tests.support.owners import processes_under
from tests.support.real_cli import bundled_cli, cli_environment

BOMB = '[[tool: Bash {"command": "for i in $(seq 700); do sleep 300 & done; sleep 300"}]] [[reply: boom]]'


@pytest.mark.real
def test_a_bomb_is_ended_with_its_slot_and_the_neighbour_goes_on(tmp_path: Path) -> None:
    async def show(url: str) -> None:
        (tmp_path / "work").mkdir()
        async with open_pool(
            slots=2,
            model="haiku",
            permission_mode="acceptEdits",
            working_dir=str(tmp_path / "work"),
            claude=str(bundled_cli()),
            environ=cli_environment(tmp_path / "home", url),
        ) as pool:
            beside = await pool.submit(TaskRequest("[[reply: still here]] [[slow: 300ms x 20]]"))
            view = await pool.run(TaskRequest(BOMB, Options(allowed_tools=("Bash",))))
            assert (view["state"], view["error"]["code"]) == ("failed", "slot_failed")
            assert "more than 512 processes" in view["error"]["message"]
            left = [words for words in processes_under(tmp_path).values() if "sleep" in words]
            assert left == []
            await pool.waiting.finished([beside], 30)
            assert (await pool.view(beside))["output"] == "still here"

    with running_api() as api:
        asyncio.run(show(api.url))
