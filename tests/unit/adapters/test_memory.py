"""How much memory is left: what the machine or a cgroup leaves, looked at once a second."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool.adapters.memory import MemoryWatch, available_mb
from claude_pool.adapters.origins import CALLER
from claude_pool.domain import slot
from claude_pool.domain.pool import SetTargetSlots
from claude_pool.domain.pool_status import SlotWait, pool_status
from claude_pool.domain.room import Memory

from tests.support.scripted_pool import scripted_pool
from tests.support.waiting import until

MEMINFO = "MemTotal:       24684000 kB\nMemFree:         100000 kB\nMemAvailable:    2048000 kB\n"


def machine(root: Path, meminfo: str | None = MEMINFO, group: str | None = None) -> Path:
    """Files as Linux shows them."""
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    if meminfo is not None:
        (root / "proc/meminfo").write_text(meminfo)
    if group is not None:
        (root / "proc/self/cgroup").write_text(f"4:memory:/old\n0::{group}\n")
    return root


def bounded(root: Path, group: str, most: str, current: str, stat: str | None = None) -> None:
    """A cgroup with a limit."""
    folder = root / "sys/fs/cgroup" / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(most + "\n")
    (folder / "memory.current").write_text(current + "\n")
    if stat is not None:
        (folder / "memory.stat").write_text(stat)


def test_without_a_limit_the_machine_tells(tmp_path: Path) -> None:
    assert available_mb(machine(tmp_path)) == 2_000


def test_the_narrowest_group_around_this_process_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, group="/user/pool")
    bounded(root, "user/pool", "max", str(100 << 20))
    assert available_mb(root) == 2_000
    bounded(root, "user", str(1_000 << 20), str(400 << 20))
    assert available_mb(root) == 600
    bounded(root, "user/pool", str(500 << 20), str(100 << 20))
    assert available_mb(root) == 400


def test_a_limit_on_a_container_counts_which_sees_its_group_as_the_root(tmp_path: Path) -> None:
    root = machine(tmp_path, group="/")
    bounded(root, ".", str(300 << 20), str(100 << 20))
    assert available_mb(root) == 200


def test_files_that_are_only_kept_in_memory_do_not_count_as_taken(tmp_path: Path) -> None:
    root = machine(tmp_path, group="/pool")
    bounded(root, "pool", str(500 << 20), str(490 << 20), f"file 1\ninactive_file {300 << 20}\n")
    assert available_mb(root) == 310


def test_a_group_that_has_taken_more_than_its_limit_leaves_nothing(tmp_path: Path) -> None:
    root = machine(tmp_path, group="/pool")
    bounded(root, "pool", str(100 << 20), str(120 << 20))
    assert available_mb(root) == 0


def test_what_does_not_tell_holds_nobody_up(tmp_path: Path) -> None:
    assert available_mb(tmp_path / "gone") is None
    assert available_mb(machine(tmp_path, "MemAvailable: many\n", "/../other")) is None
    assert MemoryWatch(256, tmp_path).look() is None


def test_without_a_reserve_nobody_looks(tmp_path: Path) -> None:
    assert MemoryWatch(0, machine(tmp_path)).look() is None


def test_the_memory_is_looked_at_once_a_second(tmp_path: Path) -> None:
    time = [0.0]
    watch = MemoryWatch(256, machine(tmp_path), lambda: time[0])
    assert watch.look() == Memory(2_000, 256)
    machine(tmp_path, "MemAvailable: 102400 kB\n")
    assert watch.look() == Memory(2_000, 256)
    time[0] = 1.0
    assert watch.look() == Memory(100, 256)


def test_a_slot_that_waits_for_memory_is_launched_once_there_is_some(tmp_path: Path) -> None:
    async def story() -> SlotWait | None:
        async with scripted_pool(tmp_path, slots=1) as running:
            left = [0]
            running.service.outlook.memory = lambda: Memory(left[0], 256)
            await until(lambda: isinstance(running.world.slots["slot-0"], slot.Idle))
            await running.service.handle(SetTargetSlots(2), CALLER)
            await until(lambda: len(running.world.slots) == 2)
            await running.service.reacted()
            waits = pool_status(running.world, "").slots[1].waits
            left[0] = 5_000
            await until(lambda: isinstance(running.world.slots["slot-1"], slot.Idle))
            return waits

    assert asyncio.run(story()) == SlotWait("memory", None)
