"""A whole pool that meets the provider's limits, on a clock that stands still until it is told to go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from claude_pool.adapters.origins import Origin
from claude_pool.adapters.places import Places, prepare
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.store.opening import memory_store, open_store
from claude_pool.adapters.views import View
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain import task
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Actor
from claude_pool.domain.task_events import AttemptStarted, AttemptSucceeded
from claude_pool.domain.values import End, Limit, LimitKind, Options, Outcome

from tests.support.pool_clock import NOON, StandingClock
from tests.support.scripted_driver import LiveTurn, ScriptedDriver, said
from tests.support.waiting import until

TASKS, SLOTS = 50, 8
HALF_HOUR = 30 * 60_000
MORNING = NOON + 8 * 60 * 60_000
RESET = NOON + HALF_HOUR
NOTHING = task.InterruptAttempt("task-none", 0, "interrupted", 0)


class LimitedProvider:
    """Serves nobody before `RESET`, and every model but `busy` after it."""

    def __init__(self, clock: StandingClock, busy: str | None = None) -> None:
        """`busy` is a model that is always overloaded."""
        self.clock = clock
        self.busy = busy
        self.models: list[str | None] = []

    async def answer(self, live: LiveTurn) -> Outcome:
        """One turn."""
        self.models.append(live.turn.model)
        if self.clock.wall < RESET and self.busy is None:
            limit = Limit(LimitKind.USAGE, RESET)
            return Outcome(End.FAILED, "provider_limit", "You've hit your limit", True, limit=limit)
        if self.busy is not None and live.turn.model == self.busy:
            limit = Limit(LimitKind.OVERLOADED)
            return Outcome(End.FAILED, "provider_error", "Overloaded", True, limit=limit)
        return said("served", model=live.turn.model or "")


async def tick(running: Running, clock: StandingClock, milliseconds: int) -> None:
    """Time passes, and the pool has seen it."""
    clock.advance(milliseconds)
    running.service.react()
    for _ in range(2):  # the first is answered before policies have looked at what came before it
        await running.service.handle(NOTHING, Origin(Actor.COORDINATOR))


def all_ended(running: Running, count: int) -> Callable[[], bool]:
    """Whether so many tasks have come to their end."""
    return lambda: running.world.completed + running.world.failed == count


async def through_the_limit(folder: Path) -> tuple[Counter[str], list[int], list[int]]:
    """Fifty tasks, a limit of half an hour, and an owner that ends in the middle of it.

    The ends of the tasks, when attempts started after the first hold began, and successes a task.
    """
    places = Places(str(folder / "state"), str(folder / "s"), str(folder), str(folder))
    prepare(places)
    clock = StandingClock()
    provider = LimitedProvider(clock)
    settings = Settings(slots=SLOTS, working_dir=str(folder))
    for minutes in (20, 10):
        driver = ScriptedDriver(provider.answer)
        workshop = Workshop(None, {}, folder)
        store = open_store(places)
        async with running_pool(store, workshop, settings, None, False, clock, driver) as running:
            if minutes == 20:
                for number in range(TASKS):
                    await running.application.submit(TaskRequest(f"task {number}"))
                await until(lambda: bool(running.world.parked) and not running.world.running)
            held = running.world.open_pool().paused
            assert held is not None and held.reason == "provider_limit"
            turns = len(provider.models)
            for _ in range(minutes * 6):
                await tick(running, clock, 9_990)
            assert len(provider.models) == turns
            if minutes == 10:
                while not running.world.running:
                    await tick(running, clock, 100)
                await until(all_ended(running, TASKS))
            events = list(store.log.read_all())
    ends = Counter({"completed": running.world.completed, "failed": running.world.failed})
    started = [e.event.at for e in events if isinstance(e.event, AttemptStarted) and e.event.at > NOON]
    served = Counter(e.stream for e in events if isinstance(e.event, AttemptSucceeded))
    return ends, started, list(served.values())


def test_fifty_tasks_wait_out_half_an_hour_and_a_restart_and_each_runs_once(tmp_path: Path) -> None:
    ends, started, served = asyncio.run(through_the_limit(tmp_path))

    assert ends == {"completed": TASKS, "failed": 0}
    assert served == [1] * TASKS
    assert RESET <= min(started) <= RESET + 2_000
    assert len(started) == TASKS


async def through_the_night(folder: Path) -> tuple[Counter[str], int, int]:
    """A pool whose network is gone for a night; what came of its tasks, at how many tries, and when."""
    clock = StandingClock()

    async def answer(_live: LiveTurn) -> Outcome:
        if clock.wall >= MORNING:
            return said("served")
        limit = Limit(LimitKind.UNREACHABLE)
        return Outcome(End.FAILED, "provider_error", "Connection error.", True, limit=limit)

    settings = Settings(slots=4, working_dir=str(folder))
    store, workshop = memory_store(folder), Workshop(None, {}, folder)
    async with running_pool(store, workshop, settings, None, False, clock, ScriptedDriver(answer)) as running:
        names = [await running.application.submit(TaskRequest(f"work {n}")) for n in range(12)]
        while not all_ended(running, len(names))():
            await tick(running, clock, 60_000)
        views = [await running.application.view(name) for name in names]
        return Counter(view["state"] for view in views), sum(view["attempts"] for view in views), clock.wall


def test_a_night_without_a_network_fails_no_task_and_is_over_at_once(tmp_path: Path) -> None:
    ends, tries, morning = asyncio.run(through_the_night(tmp_path))

    assert ends == {"completed": 12}
    assert tries <= 8 * 60 + 20, "one try a minute while nothing is reached"
    assert morning <= MORNING + 15 * 60_000


async def overloaded(folder: Path, fallback: str | None) -> tuple[LimitedProvider, View]:
    """A task for a model that is overloaded; what it came to."""
    clock = StandingClock()
    provider = LimitedProvider(clock, busy="opus")
    settings = Settings(slots=1, working_dir=str(folder))
    store, workshop = memory_store(folder), Workshop(None, {}, folder)
    driver = ScriptedDriver(provider.answer)
    async with running_pool(store, workshop, settings, None, False, clock, driver) as running:
        options = Options(model="opus", fallback_model=fallback)
        request = TaskRequest("work", options)
        task_id = await running.application.submit(request)
        while not all_ended(running, 1)():
            await tick(running, clock, 500)
        return provider, await running.application.view(task_id)


def test_after_an_overload_the_fallback_model_is_tried_and_named(tmp_path: Path) -> None:
    provider, view = asyncio.run(overloaded(tmp_path, "sonnet"))

    assert provider.models == ["opus", "sonnet"]
    assert (view["state"], view["model"], view["attempts"]) == ("completed", "sonnet", 2)


def test_without_a_fallback_model_none_is_tried(tmp_path: Path) -> None:
    provider, view = asyncio.run(overloaded(tmp_path, None))

    assert provider.models == ["opus"] * 4
    assert (view["state"], view["error"]["code"]) == ("failed", "provider_error")
