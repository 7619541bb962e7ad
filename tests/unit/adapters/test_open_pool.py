"""The pool as a library: what its caller can set."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.wiring import open_pool
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import Options


def test_a_library_caller_can_set_everything_that_a_pool_runs_with(tmp_path: Path) -> None:
    options = Options(
        model="opus", effort="low", max_turns=5, fallback_model="sonnet", system_prompt="Be kind."
    )

    async def settings_of_the_log() -> Any:
        chosen = Settings(max_slots=3, queue_timeout_ms=7_000, options=options)
        environment = {"HOME": str(tmp_path), "PATH": "/nowhere"}
        async with open_pool(
            slots=1, model="haiku", working_dir=str(tmp_path), environ=environment, settings=chosen
        ) as application:
            with pytest.raises(InvalidArgument):
                await application.slots.set_target(4)
            told = await application.replay(None, None, None, 10)
            started = next(each for each in told["events"] if each["name"] == "pool.owner_started")
            return started["data"]["settings"]

    settings = asyncio.run(settings_of_the_log())
    assert (settings["slots"], settings["max_slots"], settings["queue_timeout_ms"]) == (1, 3, 7_000)
    chosen = settings["options"]
    assert (chosen["model"], chosen["effort"], chosen["max_turns"]) == ("haiku", "low", 5)
    assert (chosen["fallback_model"], chosen["system_prompt"]) == ("sonnet", "Be kind.")


def test_prices_that_cannot_be_used_keep_a_library_callers_pool_from_starting(tmp_path: Path) -> None:
    async def start() -> None:
        state = tmp_path / "state"
        async with open_pool(state_dir=str(state), prices=str(tmp_path / "none.toml"), environ={}):
            raise AssertionError

    with pytest.raises(InvalidArgument, match="prices"):
        asyncio.run(start())
    assert not (tmp_path / "state").exists()
