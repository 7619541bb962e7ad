"""A key that is refused stops the pool at the first sign, and another one lets everything run."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from claude_pool.adapters.config.credentials import account
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api
from claude_pool.adapters.origins import Origin
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.store.opening import memory_store
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain import pool, slot
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Actor

from tests.support.commands import a_shell
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until

SLOTS, TASKS = 8, 9


async def refused_then_served(folder: Path, api: ScriptedApi) -> float:
    """Eight real processes meet a wrong key at once; seconds from the first call that was refused until the
    pool was paused for it."""
    environ = {**cli_environment(folder / "home", api.url), "ANTHROPIC_API_KEY": "sk-ant-wrong"}
    settings = Settings(slots=SLOTS, working_dir=str(folder))
    workshop = Workshop(str(bundled_cli()), environ, folder / "r")
    async with running_pool(memory_store(folder), workshop, settings, None, False) as running:
        await until(lambda: _idle(running) == SLOTS, 60)
        requests = [TaskRequest(f"[[delay: 300ms]] [[reply: {n}]]") for n in range(TASKS)]
        given = asyncio.create_task(running.application.fan_out(requests, wait_seconds=0))
        await until(lambda: running.world.open_pool().paused is not None, 30)
        took = time.time() - api.calls[0].at
        await given
        await until(lambda: not running.world.running, 30)
        paused = running.world.open_pool().paused
        assert paused is not None and (paused.reason, paused.until) == ("not_logged_in", None)
        assert len(api.calls) == SLOTS
        assert (len(running.world.parked), len(running.world.pending)) == (SLOTS, TASKS - SLOTS)

        environ["ANTHROPIC_API_KEY"] = "sk-ant-right"
        changed = pool.ChangeAccount(account(environ, running.world.open_pool().pool_id))
        await running.service.handle(changed, Origin(Actor.SHELL))
        await until(lambda: running.world.completed == TASKS, 60)
        assert (running.world.failed, len(api.calls)) == (0, SLOTS + TASKS)
        return took


def _idle(running: Running) -> int:
    return sum(isinstance(at, slot.Idle) for at in running.world.slots.values())


@pytest.mark.real
def test_a_wrong_key_costs_one_call_a_slot_and_another_one_lets_all_tasks_run(tmp_path: Path) -> None:
    with running_api() as api:
        api.key = "sk-ant-right"
        took = asyncio.run(refused_then_served(tmp_path, api))

    assert took <= 5


def test_resume_hands_the_pool_the_key_of_its_caller(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        key = shell.environment.pop("ANTHROPIC_API_KEY")
        assert shell.raw("run", "[[reply: a]]").returncode == 7
        waiting = shell.run("submit", "[[reply: b]]").strip()
        assert shell.json("task", waiting)["reason"] == "not_logged_in"

        shell.environment["ANTHROPIC_API_KEY"] = key
        shell.run("resume")
        shell.run("wait")

        status = shell.json("status")
        assert (status["completed_tasks"], status["failed_tasks"]) == (2, 0)
