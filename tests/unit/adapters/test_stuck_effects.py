"""A whole pool whose driver does not answer, on a clock that stands still until it is told to go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from claude_pool.adapters.origins import Origin
from claude_pool.adapters.queries import events_of
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.store.opening import memory_store
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain import pool, slot, task
from claude_pool.domain.pool_events import FundsSettled, Settings
from claude_pool.domain.ports import ProcessEnd
from claude_pool.domain.records import Actor
from claude_pool.domain.slot_events import EffectAbandoned
from claude_pool.domain.stuck import CLEAR_MS, END_MS, LAUNCH_MS, STOP_MS
from claude_pool.domain.values import Outcome

from tests.support.pool_clock import StandingClock
from tests.support.scripted_driver import LiveTurn, ScriptedDriver, echo
from tests.support.waiting import until

CALLER = Origin(Actor.COORDINATOR)
NOTHING = task.InterruptAttempt("task-none", 0, "interrupted", 0)
Scene = Callable[[Running, StandingClock], Awaitable[None]]


async def for_ever(live: LiveTurn) -> Outcome:
    """A turn that hears nothing and never ends, unless its prompt is another's."""
    return await (echo(live) if live.prompt != "hang" else asyncio.get_running_loop().create_future())


def in_pool(folder: Path, driver: ScriptedDriver, scene: Scene) -> None:
    """Play a scene in a pool of one slot."""

    async def body() -> None:
        clock = StandingClock()
        settings, workshop = Settings(slots=1, working_dir=str(folder)), Workshop(None, {}, folder)
        async with running_pool(
            memory_store(folder), workshop, settings, 10_000_000, True, clock, driver=driver
        ) as running:
            await asyncio.wait_for(scene(running, clock), 20)

    asyncio.run(body())


async def passing(running: Running, clock: StandingClock, milliseconds: int) -> None:
    """Time passes, and the pool has seen it."""
    clock.advance(milliseconds)
    running.service.react()
    await running.service.reacted()


def at(running: Running, kind: type[slot.Present]) -> Callable[[], bool]:
    """Whether the slot is there."""
    return lambda: isinstance(running.service.world.slots.get("slot-0"), kind)


async def given_up(running: Running, clock: StandingClock, bound: int) -> str:
    """Which effect is abandoned at its bound, and not before."""
    await passing(running, clock, bound - 1)
    assert not await abandoned(running)
    await passing(running, clock, 1)
    (event,) = await abandoned(running)
    assert event.at == clock.now()
    return event.effect


async def abandoned(running: Running) -> list[EffectAbandoned]:
    """The effects of the slot that were given up."""
    recorded = await events_of(running.service, "slot-0")
    return [r.event for r in recorded if isinstance(r.event, EffectAbandoned)]


async def works(running: Running) -> None:
    """The slot serves again."""
    assert (await running.application.run(TaskRequest("work")))["state"] == "completed"
    assert not running.service.failed


def test_a_slot_whose_start_hangs_is_started_again_and_works(tmp_path: Path) -> None:
    driver = ScriptedDriver(hangs={"launch"})

    async def scene(running: Running, clock: StandingClock) -> None:
        await until(lambda: len(driver.launches) == 1)
        await passing(running, clock, LAUNCH_MS - 1)
        driver.hangs.clear()
        await passing(running, clock, 1)
        assert [event.effect for event in await abandoned(running)] == ["launch"]
        await until(lambda: driver.killed == ["slot-0"])
        await works(running)

    in_pool(tmp_path, driver, scene)


def test_a_slot_whose_clear_hangs_is_killed_and_works_again(tmp_path: Path) -> None:
    driver = ScriptedDriver(hangs={"clear"})

    async def scene(running: Running, clock: StandingClock) -> None:
        await works(running)
        await until(at(running, slot.Clearing))
        assert await given_up(running, clock, CLEAR_MS) == "clear"
        await until(lambda: driver.killed == ["slot-0"])
        driver.hangs.clear()
        await works(running)

    in_pool(tmp_path, driver, scene)


def test_an_owner_whose_slot_does_not_stop_ends_all_the_same(tmp_path: Path) -> None:
    driver = ScriptedDriver()

    async def scene(running: Running, clock: StandingClock) -> None:
        await until(at(running, slot.Idle))
        driver.hangs.add("stop")
        await running.service.handle(pool.StopOwner(), CALLER)
        await until(at(running, slot.Stopping))
        assert await given_up(running, clock, STOP_MS) == "stop"
        await running.runtime.stopped.wait()
        driver.hangs.clear()

    in_pool(tmp_path, driver, scene)


def test_a_task_whose_attempt_does_not_end_is_cancelled_and_paid_once(tmp_path: Path) -> None:
    driver = ScriptedDriver(for_ever, hangs={"interrupt"})

    async def scene(running: Running, clock: StandingClock) -> None:
        await until(at(running, slot.Idle))
        task_id = await running.application.submit(TaskRequest("hang"))
        await until(lambda: len(driver.turns) == 1)
        await running.service.handle(task.CancelTask(task_id, clock.now()), CALLER)
        assert await given_up(running, clock, END_MS) == "attempt"
        assert task_id not in running.service.world.tasks
        recorded = await events_of(running.service, "pool")
        assert [r.event.estimated for r in recorded if isinstance(r.event, FundsSettled)] == [True]
        assert running.service.world.open_pool().budget.reserved == 0
        await until(lambda: driver.killed == ["slot-0"])
        await works(running)
        recorded = await events_of(running.service, "pool")
        assert len([r for r in recorded if isinstance(r.event, FundsSettled)]) == 2

    in_pool(tmp_path, driver, scene)


class AnswersLate(ScriptedDriver):
    """A driver that answers a clear only after it was given up, whoever cancels it."""

    def __init__(self) -> None:
        """It waits for `late`."""
        super().__init__()
        self.late = asyncio.Event()
        self.said = False

    async def clear(self, slot_id: str) -> str:
        """See the port; it holds on to the call."""
        while not self.late.is_set():
            try:
                await self.late.wait()
            except asyncio.CancelledError:
                continue
        self.said = True
        return await super().clear(slot_id)


def test_a_late_word_of_a_driver_is_harmless(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(running: Running, clock: StandingClock) -> None:
        await works(running)
        await until(at(running, slot.Clearing))
        assert await given_up(running, clock, CLEAR_MS) == "clear"
        await until(lambda: driver.killed == ["slot-0"])
        driver.late.set()
        await until(lambda: driver.said)
        for callback in driver.exits:
            callback("slot-0", ProcessEnd(-9, 0, expected=False))
        await works(running)
        assert await running.service.handle(NOTHING, CALLER) == ()

    driver = AnswersLate()
    with caplog.at_level(logging.ERROR):
        in_pool(tmp_path, driver, scene)
    assert not caplog.records
