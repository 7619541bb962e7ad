"""How much room the disk has: looked at once a second, and only where there is a floor."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool.adapters.disk import DiskWatch
from claude_pool.adapters.queries import task_shown
from claude_pool.adapters.requests import TaskRequest
from claude_pool.domain.room import Disk

from tests.support.scripted_pool import scripted_pool
from tests.support.waiting import until


def test_the_disk_is_looked_at_once_a_second() -> None:
    seen: list[str] = []
    time = [0.0]

    def free(path: str) -> int:
        seen.append(path)
        return 150 << 20

    watch = DiskWatch("/state", 200, free, lambda: time[0])
    assert [watch.look(), watch.look()] == [Disk(150, 200)] * 2
    assert seen == ["/state"]
    time[0] = 1.0
    watch.look()
    assert len(seen) == 2


def test_without_a_floor_nobody_looks() -> None:
    assert DiskWatch("/nowhere", 0).look() is None


def test_a_disk_that_does_not_tell_holds_nobody_up(tmp_path: Path) -> None:
    assert DiskWatch(str(tmp_path / "gone"), 200).look() is None
    here = DiskWatch(str(tmp_path), 1).look()
    assert here is not None
    assert here.free_mb > 0


def test_a_pool_that_waits_for_room_goes_on_once_somebody_makes_some(tmp_path: Path) -> None:
    async def story() -> str | None:
        async with scripted_pool(tmp_path) as running:
            free = [10]
            running.service.outlook.disk = lambda: Disk(free[0], 200)
            task_id = await running.application.submit(TaskRequest("hello"))
            await until(lambda: running.world.open_pool().paused is not None)
            reason = (await task_shown(running.service, task_id)).reason
            free[0] = 1_000
            await until(lambda: running.world.completed == 1)
            return reason

    assert asyncio.run(story()) == "disk_space"
