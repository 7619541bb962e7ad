"""Deadlines of a pool on the real CLI."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.demo.scripted_api import ScriptedApi
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import open_pool
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import Options

from tests.support.real_cli import bundled_cli, cli_environment


async def _ran(pool: Application, prompt: str, timeout_ms: int | None = None) -> tuple[str | None, bool]:
    """Run a task: the code of its error, and whether the same slot might do better another time."""
    view: dict[str, Any] = await pool.run(TaskRequest(prompt, Options(timeout_ms=timeout_ms)))
    error: dict[str, Any] = view["error"] or {}
    return error.get("code"), bool(error.get("retryable"))


@pytest.mark.real
def test_each_deadline_of_an_attempt_ends_it_with_its_own_code(tmp_path: Path) -> None:
    async def scene() -> list[tuple[str | None, bool]]:
        async with ScriptedApi() as api:
            environment = cli_environment(tmp_path / "home", api.url)
            async with open_pool(
                slots=1,
                model="haiku",
                working_dir=str(tmp_path),
                claude=str(bundled_cli()),
                environ=environment,
                settings=Settings(silence_ms=1_500),
            ) as pool:
                late = await _ran(pool, "[[reply: a b c d]] [[slow: 500ms x 60]]", timeout_ms=400)
                after = await _ran(pool, "[[reply: the same process goes on]]")
                silent = await _ran(pool, "[[stall after: 1]] [[reply: a b c d]]")
                return [late, after, silent]

    assert asyncio.run(scene()) == [("timed_out_task", False), (None, False), ("timed_out_silence", True)]
