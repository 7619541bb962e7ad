"""Slots in work trees of a real repository, from an owner's start to its end, and the next one's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from claude_pool.adapters.housing import Housing
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.places import find, prepare
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.store.opening import open_store
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain import slot
from claude_pool.domain.errors import IsolationFailed
from claude_pool.domain.housing import RecordWorkNotKept, RecordWorkplaceFailed
from claude_pool.domain.isolation import Isolation, Workplace
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.pool_status import SlotStatus, pool_status, slot_status
from claude_pool.domain.values import Options, Outcome, Text

from tests.support.real_git import Repository, repository, write
from tests.support.scripted_driver import LiveTurn, ScriptedDriver, said
from tests.support.waiting import until


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    """A repository on branch `main` with the file `a.txt`."""
    return repository(tmp_path)


async def writes(live: LiveTurn) -> Outcome:
    """A turn that writes what it is asked to into a file of its slot's name, where it works."""
    write(Path(live.launch.cwd) / f"{live.slot_id}.txt", live.prompt)
    return said(live.launch.cwd)


@contextlib.asynccontextmanager
async def working(source: Repository, *, worktree: bool = True) -> AsyncGenerator[Running]:
    """A pool of two slots at work in the repository; its state lies below `source.home`."""
    environ = source.environ | {"XDG_RUNTIME_DIR": str(source.home)}
    places = find(environ, str(source.path), str(source.home))
    prepare(places)
    settings = Settings(slots=2, working_dir=str(source.path), worktree=worktree)
    workshop, driver = Workshop(None, environ, source.home), ScriptedDriver(writes)
    async with running_pool(open_store(places), workshop, settings, None, False, driver=driver) as running:
        yield running


async def ready(running: Running, kind: type[slot.Present] = slot.Idle) -> None:
    """Wait until every slot is in a state of this kind."""
    await until(
        lambda: all(isinstance(at, kind) for at in running.world.slots.values()) and slots(running) != []
    )


def slots(running: Running) -> list[SlotStatus]:
    """All slots as callers see them."""
    return list(pool_status(running.world, "0").slots)


async def ran(running: Running, prompt: str, where: str, **options: str) -> str:
    """What a task says that ran in slot `where`: its directory."""
    request = TaskRequest(prompt, slot=where, options=Options(**options))  # type: ignore[arg-type]
    task_id = await running.application.submit(request)
    await until(lambda: task_id not in running.world.tasks)
    view = await running.application.view(task_id)
    return str(view["output"])


def alive(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test's story within bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def test_every_slot_works_in_a_work_tree_of_its_own(source: Repository) -> None:
    async def story() -> None:
        async with working(source) as running:
            await ready(running)
            for number in (0, 1):
                place = await ran(running, "x", f"slot-{number}")
                assert place == str(source.home / "worktrees" / f"slot-{number}")
                assert slots(running)[number].worktree is not None
        assert not list(source.path.glob("slot-*"))

    alive(story)


def test_a_task_with_a_directory_of_its_own_is_not_moved(source: Repository) -> None:
    async def story() -> None:
        async with working(source) as running:
            await ready(running)
            assert await ran(running, "x", "slot-0", working_dir=str(source.home)) == str(source.home)

    alive(story)


def test_at_the_owners_end_the_work_is_committed_and_the_work_tree_stays(source: Repository) -> None:
    async def story() -> None:
        async with working(source) as running:
            await ready(running)
            await ran(running, "work", "slot-0")
        home = slots(running)[0].worktree
        assert home is not None and home.branch == "claude-pool/slot-0"
        assert (home.files_changed, home.head) == (1, source.git("rev-parse", "claude-pool/slot-0"))
        assert source.show("claude-pool/slot-0", "slot-0.txt") == "work"
        assert (source.home / "worktrees" / "slot-0" / "slot-0.txt").exists()

    alive(story)


def test_the_next_owner_finds_the_work_trees_again(source: Repository) -> None:
    async def story() -> None:
        async with working(source) as running:
            await ready(running)
            await ran(running, "work", "slot-0")
        async with working(source) as running:
            await ready(running)
            assert await ran(running, "more", "slot-0") == str(source.home / "worktrees" / "slot-0")
        assert source.show("claude-pool/slot-0", "slot-0.txt") == "more"
        assert source.branches() == ["claude-pool/slot-0", "claude-pool/slot-1"]

    alive(story)


def test_a_slot_that_retires_leaves_its_branch_and_no_directory(source: Repository) -> None:
    async def story() -> None:
        async with working(source) as running:
            await ready(running)
            await ran(running, "work", "slot-1")
            await running.service.handle(slot.DrainSlot("slot-1"), CALLER)
            gone = source.home / "worktrees" / "slot-1"
            await until(lambda: not gone.exists() and not running.world.slots["slot-1"].card.housing.unkept)
            assert source.show("claude-pool/slot-1", "slot-1.txt") == "work"

    alive(story)


def test_a_repository_without_a_commit_fails_the_slots_and_refuses_work(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(repository(tmp_path, empty=True)) as running:
            await ready(running, slot.Failed)
            assert [(at.state, at.worktree) for at in slots(running)] == [("failed", None)] * 2
            assert "has no commit to begin from" in str(slots(running)[0].problem)
            with pytest.raises(IsolationFailed, match="Commit something first"):
                await running.application.submit(TaskRequest("x"))

    alive(story)


def test_once_it_is_mended_and_resumed_the_slots_come_up(tmp_path: Path) -> None:
    async def story() -> None:
        source = repository(tmp_path, empty=True)
        async with working(source) as running:
            await ready(running, slot.Failed)
            source.commit("a.txt", "x\n")
            await running.application.resume()
            await ready(running)

    alive(story)


def test_orphans_are_swept_at_the_start_and_their_work_kept(source: Repository) -> None:
    async def story() -> None:
        places = source.workplaces(source.home / "worktrees")
        left = places.create("chain-a", Isolation.WORKTREE, str(source.path))
        write(Path(left.path) / "b.txt", "left\n")
        async with working(source) as running:
            await ready(running)
            assert not Path(left.path).exists()
            assert source.show("claude-pool/chain-a", "b.txt") == "left"

    alive(story)


def test_an_owner_without_work_trees_gives_them_up_with_their_work_kept(source: Repository) -> None:
    async def story() -> None:
        async with working(source) as running:
            await ready(running)
            await ran(running, "work", "slot-0")
        async with working(source, worktree=False) as running:
            await ready(running)
            assert await ran(running, "x", "slot-1") == str(source.path)
            assert not (source.home / "worktrees" / "slot-0").exists()
        assert source.branches() == ["claude-pool/slot-0"]

    alive(story)


def test_work_that_cannot_be_kept_stays_and_is_told(source: Repository) -> None:
    async def story() -> None:
        async with working(source) as running:
            await ready(running)
            inner = source.home / "worktrees" / "slot-1" / "inner"
            inner.mkdir()
            source.git("init", "-q", cwd=inner)
            await running.service.handle(slot.DrainSlot("slot-1"), CALLER)
            await until(lambda: running.world.slots["slot-1"].card.housing.problem is not None)
            home = slot_status(running.world, running.world.slots["slot-1"]).worktree
            assert home is not None and "inner/" in str(home.problem)
            assert inner.exists()

    alive(story)


def test_a_fault_of_ours_is_recorded_as_one(source: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    places = source.workplaces(source.home / "worktrees")

    def breaks(*_: object) -> Workplace:
        raise ZeroDivisionError("oops")

    async def story() -> None:
        monkeypatch.setattr(places, "create", breaks)
        monkeypatch.setattr(places, "keep", breaks)
        made = await Housing(places, lambda: 7).make("slot-0", str(source.path))
        assert made == RecordWorkplaceFailed("slot-0", "internal", "ZeroDivisionError: oops", 7)
        kept = await Housing(places, lambda: 7).keep("slot-0", False, no_text)
        assert kept == RecordWorkNotKept("slot-0", "ZeroDivisionError: oops")

    alive(story)


async def no_text(_: str) -> Text:
    """Texts are not kept here."""
    return Text()
