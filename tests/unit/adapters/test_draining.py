"""A drain returns within its time, whatever is left and whoever undoes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import Running
from claude_pool.domain import pool
from claude_pool.domain.errors import Draining, InvalidArgument
from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import scripted_pool
from tests.support.waiting import until

LONG = 20.0


class Gate:
    """A script whose turns wait until they are let through, or are interrupted."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, _live: LiveTurn) -> Outcome:
        await self.open.wait()
        return said("done")


def with_work(
    folder: Path, scene: Callable[[Application, Running, Gate], Awaitable[None]], tasks: int = 1
) -> None:
    """A scene in a pool of one slot with so many tasks, of which the first runs."""

    async def body() -> None:
        gate = Gate()
        async with scripted_pool(folder, gate, slots=1) as running:
            for number in range(tasks):
                await running.application.submit(TaskRequest(f"work {number}"))
            await until(lambda: len(running.world.running) == min(tasks, 1))
            await scene(running.application, running, gate)

    asyncio.run(body())


def counts(view: dict[str, Any]) -> tuple[bool, bool, int, int]:
    return view["draining"], view["drained"], view["running_tasks"], view["pending_tasks"]


def test_it_ends_with_the_accepted_work(tmp_path: Path) -> None:
    async def scene(application: Application, _: Running, gate: Gate) -> None:
        draining = asyncio.create_task(application.drain("finish", LONG))
        await until(lambda: application.status()["draining"])
        gate.open.set()
        assert counts(await draining) == (True, True, 0, 0)

    with_work(tmp_path, scene, tasks=3)


def test_it_returns_when_its_time_is_over_and_goes_on(tmp_path: Path) -> None:
    async def scene(application: Application, _: Running, gate: Gate) -> None:
        assert counts(await application.drain("finish", 0)) == (True, False, 1, 1)
        with pytest.raises(Draining):
            await application.submit(TaskRequest("more"))
        gate.open.set()
        assert (await application.drain("finish", LONG))["drained"]

    with_work(tmp_path, scene, tasks=2)


def test_undone_by_another_it_returns_at_once_and_says_so(tmp_path: Path) -> None:
    async def scene(application: Application, _: Running, gate: Gate) -> None:
        draining = asyncio.create_task(application.drain("finish", LONG))
        await until(lambda: application.status()["draining"])
        began = time.monotonic()
        await application.drain("undo", 0)
        assert counts(await draining) == (False, False, 1, 0)
        assert time.monotonic() - began < LONG / 2
        gate.open.set()
        assert (await application.run(TaskRequest("more")))["state"] == "completed"

    with_work(tmp_path, scene)


def test_of_two_at_once_the_one_that_cancels_wins_and_both_return(tmp_path: Path) -> None:
    async def scene(application: Application, running: Running, _: Gate) -> None:
        finish = asyncio.create_task(application.drain("finish", LONG))
        await until(lambda: application.status()["draining"])
        cancel = asyncio.create_task(application.drain("cancel", LONG))
        again = asyncio.create_task(application.drain("finish", LONG))
        assert [counts(await each) for each in (finish, cancel, again)] == [(True, True, 0, 0)] * 3
        assert running.world.cancelled == 2

    with_work(tmp_path, scene, tasks=2)


def test_what_only_a_person_can_move_is_named_instead_of_waited_for(tmp_path: Path) -> None:
    async def scene(application: Application, running: Running, gate: Gate) -> None:
        await running.service.handle(pool.PausePool("not_logged_in"), CALLER)
        gate.open.set()
        began = time.monotonic()
        view = await application.drain("finish", LONG)
        assert counts(view) == (True, False, 0, 1)
        assert view["waits_for"] == ["not_logged_in"]
        assert time.monotonic() - began < LONG / 2
        assert (await application.drain("cancel", LONG))["drained"]

    with_work(tmp_path, scene, tasks=2)


def test_under_a_pause_that_ends_by_itself_it_waits_its_time(tmp_path: Path) -> None:
    async def scene(application: Application, running: Running, gate: Gate) -> None:
        await running.service.handle(
            lambda: pool.PausePool("provider_limit", running.system.now() + 300), CALLER
        )
        gate.open.set()
        assert (await application.drain("finish", LONG))["drained"]

    with_work(tmp_path, scene, tasks=2)


def test_a_wrong_wait_changes_nothing(tmp_path: Path) -> None:
    async def scene(application: Application, _: Running, gate: Gate) -> None:
        for mode in ("finish", "cancel", "undo"):
            with pytest.raises(InvalidArgument):
                await application.drain(mode, -1)
        assert not application.status()["draining"]
        gate.open.set()
        assert (await application.drain("finish", 1e9))["waited_cap"] == 600

    with_work(tmp_path, scene)


def test_who_gives_up_waiting_ends_no_drain(tmp_path: Path) -> None:
    async def scene(application: Application, _: Running, gate: Gate) -> None:
        draining = asyncio.create_task(application.drain("finish", LONG))
        await until(lambda: application.status()["draining"])
        draining.cancel()
        gate.open.set()
        assert (await application.drain("finish", LONG))["drained"]

    with_work(tmp_path, scene)
