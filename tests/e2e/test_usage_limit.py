"""A subscription whose use is up, as the real CLI tells of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.store.opening import memory_store
from claude_pool.adapters.wiring import running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain.pool_events import ProviderLimited, Settings
from claude_pool.domain.provider import Pause
from claude_pool.domain.values import LimitKind

from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until


async def held_until(folder: Path, api: ScriptedApi, resets: int) -> tuple[Pause, ProviderLimited]:
    """One task of a pool with a login meets the limit; what the pool makes of it."""
    environ = cli_environment(folder / "home", api.url)
    del environ["ANTHROPIC_API_KEY"]
    environ["CLAUDE_CODE_OAUTH_TOKEN"] = "sk-ant-oat01-dummy"
    workshop = Workshop(str(bundled_cli()), environ, folder / "r")
    settings = Settings(slots=1, working_dir=str(folder))
    async with running_pool(memory_store(folder), workshop, settings, None, False) as running:
        await running.application.submit(TaskRequest(f"[[status: 429 resets={resets}]]"))
        await until(lambda: running.world.open_pool().paused is not None, 60)
        at = running.world.open_pool()
        assert at.paused is not None and at.provider.limited is not None
        assert running.world.parked and not running.world.failed
        return at.paused, at.provider.limited


@pytest.mark.real
def test_a_used_up_subscription_holds_the_pool_until_its_reset(tmp_path: Path) -> None:
    resets = int(time.time()) + 1_800
    with running_api() as api:
        pause, limited = asyncio.run(held_until(tmp_path, api, resets))

    assert len(api.calls) == 1
    assert (limited.kind, pause.reason) == (LimitKind.USAGE, "provider_limit")
    assert limited.until is not None and abs(limited.until - resets * 1000) < 100
    assert pause.until is not None and 0 <= pause.until - limited.until <= 1_500
