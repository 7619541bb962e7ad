"""A fault in one place stays there, or ends the owner for all to see; nobody waits for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters import service
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import Running
from claude_pool.domain.ports import Launch, Launched
from claude_pool.domain.records import Recorded

from tests.support.scripted_driver import ScriptedDriver, echo
from tests.support.scripted_pool import scripted_pool, server_of, wired
from tests.support.waiting import until


def in_pool(
    folder: Path, scene: Callable[[Running], Awaitable[None]], driver: ScriptedDriver | None = None
) -> None:
    async def body() -> None:
        async with scripted_pool(folder, slots=1, driver=driver) as running:
            await asyncio.wait_for(scene(running), 20)

    asyncio.run(body())


def crash(*_: object, **__: object) -> None:
    """The planted fault."""
    raise ZeroDivisionError("planted")


def test_a_fault_in_a_tool_fails_that_call_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(running: Running) -> None:
        monkeypatch.setattr(running.application, "status", crash)
        async with wired(server_of(running)) as wire:
            assert (await wire.refusal("pool_status")).startswith("[internal] ")
            assert (await wire.view("pool_run", prompt="next"))["state"] == "completed"

    in_pool(tmp_path, scene)


def test_a_fault_in_a_listener_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def scene(running: Running) -> None:
        heard: list[int] = []

        def count(recorded: tuple[Recorded, ...]) -> None:
            heard.append(len(recorded))

        running.service.on_facts(crash)
        running.service.on_facts(count)
        assert (await running.application.run(TaskRequest("work")))["state"] == "completed"
        assert heard and not running.service.failed

    in_pool(tmp_path, scene)


class FirstLaunchCrashes(ScriptedDriver):
    """A driver with a fault that shows once."""

    def __init__(self) -> None:
        super().__init__(echo)
        self.planted = True

    async def launch(self, launch: Launch) -> Launched:
        """See the port; the first one fails in a way that the port does not know."""
        if self.planted:
            self.planted = False
            crash()
        return await super().launch(launch)


def test_a_fault_in_a_launch_fails_the_launch(tmp_path: Path) -> None:
    driver = FirstLaunchCrashes()

    async def scene(running: Running) -> None:
        await until(lambda: not driver.planted)
        assert (await running.application.run(TaskRequest("work")))["state"] == "completed"
        assert not running.service.failed

    in_pool(tmp_path, scene, driver)


def test_a_fault_in_the_policies_ends_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(running: Running) -> None:
        with monkeypatch.context() as planted, caplog.at_level(logging.CRITICAL):
            planted.setattr(service, "next_command", crash)
            running.service.react()
            assert (await running.service.failure()).code == "internal"

    in_pool(tmp_path, scene)


def test_effects_that_cannot_begin_end_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(running: Running) -> None:
        def refused(effect: Coroutine[Any, Any, None], _slot_id: str | None = None) -> None:
            effect.close()
            crash()

        monkeypatch.setattr(running.runtime.effects, "begin", refused)
        await running.application.submit(TaskRequest("work"))
        assert (await running.service.failure()).code == "internal"

    in_pool(tmp_path, scene)
