"""Many clients at one pool: every call is answered, every task runs once, and no client waits for long."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.scripted_pool import Wire, scripted_pool, server_of, wired
from tests.support.waiting import until

CLIENTS, TASKS, SLOTS = 20, 200, 4
MOST_SECONDS = 5.0
"""An order of magnitude above what a call takes here; `tools/bench/load.py` measures."""


def test_twenty_clients_submit_two_hundred_tasks_at_once(tmp_path: Path) -> None:
    slowest: list[float] = []

    async def busy(wire: Wire) -> set[str]:
        found: set[str] = set()
        for _ in range(TASKS // CLIENTS):
            began = time.monotonic()
            found.add((await wire.view("pool_submit", prompt="work"))["task_id"])
            assert (await wire.view("pool_status"))["total_slots"] == SLOTS
            slowest.append(time.monotonic() - began)
        return found

    async def load() -> tuple[int, int]:
        async with scripted_pool(tmp_path, slots=SLOTS) as running, AsyncExitStack() as stack:
            server = server_of(running)
            wires = [await stack.enter_async_context(wired(server)) for _ in range(CLIENTS)]
            accepted = set[str]().union(*await asyncio.gather(*map(busy, wires)))
            await until(lambda: running.application.status()["completed_tasks"] == TASKS, 60)
            return len(accepted), running.application.status()["failed_tasks"]

    assert asyncio.run(load()) == (TASKS, 0)
    assert sorted(slowest)[len(slowest) // 2] < MOST_SECONDS
