"""On a full disk nothing new begins, what runs is ended on record, and the next start works."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from claude_pool.adapters.places import Places
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.store.ballast import BALLAST_BYTES, Ballast
from claude_pool.adapters.store.opening import open_store
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain import slot
from claude_pool.domain.errors import StoreFull
from claude_pool.domain.pool_events import OwnerStopped, Settings
from claude_pool.domain.records import Recorded
from claude_pool.domain.task_events import AttemptStarted, TaskCompleted, TaskSubmitted
from claude_pool.domain.values import Outcome

from tests.support.full_disk import fill_up, free, small_disk
from tests.support.scripted_driver import LiveTurn, ScriptedDriver, said
from tests.support.waiting import until

DISK_BYTES = 8 << 20
SECONDS = 30.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk of 8 MiB."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


@contextlib.asynccontextmanager
async def pool_on(
    disk: Path, script: Callable[[LiveTurn], Awaitable[Outcome]], slots: int = 2
) -> AsyncGenerator[Running]:
    """A pool at work whose state lies on `disk`, with slots that follow `script`."""
    for name in ("blobs", "transcripts"):
        (disk / name).mkdir(exist_ok=True)
    store = open_store(Places(str(disk), str(disk / "s"), str(disk), str(disk)))
    settings = Settings(slots=slots, working_dir=str(disk))
    driver = ScriptedDriver(script)
    async with running_pool(store, Workshop(None, {}, disk), settings, None, False, driver=driver) as running:
        yield running


def recorded(disk: Path) -> tuple[Recorded, ...]:
    """All events, after the chain was verified."""
    with open_reader(disk / "log.sqlite", default_codec()) as log:
        log.verify()
        return tuple(log.read_all())


def count(disk: Path, kind: type[object]) -> int:
    return sum(isinstance(r.event, kind) for r in recorded(disk))


async def hello(_: LiveTurn) -> Outcome:
    return said("hello")


def test_the_ballast_takes_its_room_once_and_gives_it_up_once(disk: Path) -> None:
    before, ballast = free(disk), Ballast(disk / "log.sqlite")

    ballast.take()
    ballast.take()
    assert before - free(disk) >= BALLAST_BYTES
    assert (disk / "log.sqlite.ballast").stat().st_mode & 0o777 == 0o600
    assert (ballast.give_up(), ballast.give_up()) == (True, False)
    assert free(disk) == before


def test_without_room_for_the_ballast_no_owner_starts(disk: Path) -> None:
    async def start() -> None:
        async with pool_on(disk, hello):
            pass

    asyncio.run(start())
    events = len(recorded(disk))
    (disk / "log.sqlite.ballast").unlink()
    filler = fill_up(disk, leave=BALLAST_BYTES // 2)

    with pytest.raises(StoreFull) as refusal:
        asyncio.run(start())
    assert "Free space" in refusal.value.message
    assert len(recorded(disk)) == events
    filler.unlink()
    asyncio.run(start())


def test_a_call_that_finds_no_room_is_refused_and_the_next_one_works_when_there_is_room(disk: Path) -> None:
    async def using() -> None:
        async with pool_on(disk, hello) as pool:
            await idle(pool)
            filler = fill_up(disk)
            with pytest.raises(StoreFull):
                await pool.application.submit(TaskRequest("x" * 200_000, slot="nobody"))
            await use_up(pool)
            accepted = len(pool.world.tasks)
            filler.unlink()
            await pool.application.submit(TaskRequest("x" * 200_000, slot="nobody"))
            assert len(pool.world.tasks) == accepted + 1
            assert not pool.service.failed and pool.service.out_of_room is None

    asyncio.run(using())
    assert count(disk, OwnerStopped) == 1


async def use_up(pool: Running) -> None:
    """Record what callers want until a call is refused: the log's file has some room of its own."""
    with contextlib.suppress(StoreFull):
        for number in itertools.count():
            await pool.application.context.set(f"key {number % 9}", f"{number} " * 500)


async def idle(pool: Running) -> None:
    """Wait until all slots are ready."""
    await until(
        lambda: len([at for at in pool.world.slots.values() if isinstance(at, slot.Idle)]) == 2, SECONDS
    )


@pytest.mark.parametrize("answer", [10, 200_000], ids=["short answers", "answers in files"])
def test_what_runs_when_the_disk_is_full_is_ended_on_record(disk: Path, answer: int) -> None:
    release = asyncio.Event()
    running: list[str] = []

    async def work(live: LiveTurn) -> Outcome:
        running.append(live.slot_id)
        await release.wait()
        return said("x" * answer)

    async def using() -> str:
        async with pool_on(disk, work, slots=4) as pool:
            for number in range(6):
                await pool.application.submit(TaskRequest(f"task {number}"))
            await until(lambda: len(running) == 4, SECONDS)
            fill_up(disk)
            await use_up(pool)
            release.set()
            await asyncio.wait_for(pool.runtime.stopped.wait(), SECONDS)
            assert not pool.service.failed
            assert pool.service.out_of_room is not None
            return pool.service.out_of_room.code

    assert asyncio.run(using()) == "store_full"
    events = recorded(disk)
    names = [r.event.NAME for r in events]
    started = names.count("attempt.started")
    assert started == 4, "nothing was started on the full disk"
    assert started == sum(
        names.count(f"attempt.{end}") for end in ("succeeded", "failed", "sealed", "cancelled")
    )
    assert started == names.count("funds.settled")
    assert names.count("slot.stopped") == 4 and names[-1] == "pool.owner_stopped"


def test_after_a_full_disk_the_next_owner_goes_on_with_what_waited(disk: Path) -> None:
    release = asyncio.Event()

    async def work(_: LiveTurn) -> Outcome:
        await release.wait()
        return said("x" * 10)

    async def first() -> None:
        async with pool_on(disk, work, slots=1) as pool:
            for number in range(3):
                await pool.application.submit(TaskRequest(f"task {number}"))
            await until(lambda: bool(pool.world.running), SECONDS)
            fill_up(disk)
            await use_up(pool)
            release.set()
            await asyncio.wait_for(pool.runtime.stopped.wait(), SECONDS)

    async def second() -> None:
        async with pool_on(disk, hello, slots=1) as pool:
            await until(lambda: not pool.world.pending and not pool.world.running, SECONDS)

    asyncio.run(first())
    fill_up(disk)
    with pytest.raises(StoreFull):
        asyncio.run(second())
    (disk / "filler").unlink()
    asyncio.run(second())
    assert (count(disk, TaskSubmitted), count(disk, TaskCompleted)) == (3, 3)
    assert count(disk, AttemptStarted) == 3
