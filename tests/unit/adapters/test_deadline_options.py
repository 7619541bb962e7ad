"""Deadlines on their way from an option to the slot that is to keep them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool.adapters.config.model import resolve
from claude_pool.adapters.owner import pool_settings
from claude_pool.adapters.requests import TaskRequest
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.ports import Turn
from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, echo
from tests.support.scripted_pool import scripted_pool

FLAGS: dict[str, object] = {
    "queue_timeout": "90",
    "first_output_timeout": "0.5",
    "silence_timeout": "20",
    "tool_silence_timeout": "1e3",
}


def times(settings: Settings) -> tuple[int | None, ...]:
    """The deadlines of an owner, in milliseconds."""
    return (
        settings.queue_timeout_ms,
        settings.first_output_ms,
        settings.silence_ms,
        settings.tool_silence_ms,
    )


def test_options_in_seconds_are_an_owners_settings_in_milliseconds(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    assert times(pool_settings(resolve(FLAGS, environ, str(tmp_path)))) == (90_000, 500, 20_000, 1_000_000)
    assert times(pool_settings(resolve({}, environ, str(tmp_path)))) == times(Settings())


def test_a_turn_has_the_deadlines_of_its_pool(tmp_path: Path) -> None:
    turns: list[Turn] = []

    async def noting(live: LiveTurn) -> Outcome:
        turns.append(live.turn)
        return await echo(live)

    async def scene() -> None:
        async with scripted_pool(
            tmp_path, noting, first_output_ms=500, silence_ms=20_000, tool_silence_ms=90_000
        ) as running:
            await running.application.run(TaskRequest("x"))

    asyncio.run(scene())
    assert [(t.first_output_ms, t.silence_ms, t.tool_silence_ms) for t in turns] == [(500, 20_000, 90_000)]
