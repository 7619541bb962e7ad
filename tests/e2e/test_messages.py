"""Two slots and the coordinator write to one another, with the real CLI in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import open_pool

from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until

TELL = '[[tool: mcp__pool__slot_send_message {"to": "slot-1", "content": "Port 8080 is taken."}]] [[result]]'
ASK = (
    '[[tool: mcp__pool__slot_report_progress {"text": "at the fork"}]] '
    '[[tool: mcp__pool__slot_ask_coordinator {"question": "Left or right?"}]] [[result]]'
)


def play(folder: Path, act: Callable[[Application, ScriptedApi], Awaitable[None]]) -> None:
    """Have `act` played with a pool of two slots in plan mode."""

    async def show(api: ScriptedApi) -> None:
        (folder / "work").mkdir()
        async with open_pool(
            slots=2,
            model="haiku",
            permission_mode="plan",
            working_dir=str(folder / "work"),
            claude=str(bundled_cli()),
            environ=cli_environment(folder / "home", api.url),
        ) as pool:
            await act(pool, api)

    with running_api() as api:
        asyncio.run(show(api))


@pytest.mark.real
def test_a_slots_message_stands_in_the_next_prompt_of_another(tmp_path: Path) -> None:
    async def act(pool: Application, api: ScriptedApi) -> None:
        sent = await pool.run(TaskRequest(TELL, slot="slot-0"))
        assert sent["state"] == "completed" and '"sent": "msg-' in sent["output"]
        assert sent["permission_denials"] == []
        await pool.run(TaskRequest("What now?", slot="slot-1"))
        prompt = api.calls[-1].prompt
        assert "From slot-0 at " in prompt and "  Port 8080 is taken.\n" in prompt
        assert prompt.rstrip().endswith("What now?")

    play(tmp_path, act)


@pytest.mark.real
def test_a_slots_question_is_answered_while_its_task_runs(tmp_path: Path) -> None:
    async def act(pool: Application, _: ScriptedApi) -> None:
        task_id = await pool.submit(TaskRequest(ASK, slot="slot-0"))
        await until(lambda: pool.status()["waiting_messages"] == 1)
        assert (await pool.view(task_id))["progress"]["report"] == "at the fork"
        asked = await pool.messages.read("coordinator", "coordinator", CALLER)
        (question,) = asked["messages"]
        assert (question["from"], question["kind"], question["content"]) == (
            "slot-0",
            "question",
            "Left or right?",
        )
        await pool.messages.send("coordinator", question["from"], "Left.", CALLER)
        await pool.waiting.finished([task_id], 20)
        view = await pool.view(task_id)
        assert (view["state"], view["output"]) == ("completed", '{"answer": "Left."}')
        assert "progress" not in view

    play(tmp_path, act)
