"""Callers and policies take turns: many things to do for the pool itself keep nobody waiting for long."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.queries import events_between
from claude_pool.domain.pool import SetTargetSlots
from claude_pool.domain.pool_events import ContextValueSet
from claude_pool.domain.slot_events import LaunchStarted

from tests.support.scripted_pool import scripted_pool
from tests.support.waiting import until

SLOTS = 12


def test_a_command_comes_in_between_what_the_policies_ask_for(tmp_path: Path) -> None:
    async def positions() -> tuple[int, list[int]]:
        async with scripted_pool(tmp_path, slots=1) as running:
            running.service.submit(SetTargetSlots(SLOTS), CALLER)
            await running.application.context.set("key", "value")
            await until(lambda: running.application.status()["idle_slots"] == SLOTS)
            events = await events_between(running.service, None, 0, None, 1_000)
            set_at = next(r.position for r in events if isinstance(r.event, ContextValueSet))
            return set_at, [r.position for r in events if isinstance(r.event, LaunchStarted)]

    set_at, launches = asyncio.run(positions())
    assert len(launches) == SLOTS and set_at < launches[-1]
