"""The pool's time, whatever becomes of the machine's clocks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.service import Service
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.system import RealSystem, steady_ms, wall_ms
from claude_pool.domain import pool
from claude_pool.domain.pool_events import PoolResumed, Settings
from claude_pool.domain.records import Actor, Fact, Meta, Recorded

from tests.support.pool_clock import NOON, StandingClock

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.mark.parametrize("set_by", [-HOUR, HOUR, -400 * DAY])
def test_setting_the_wall_clock_does_not_move_the_pools_time(set_by: int) -> None:
    clock = StandingClock()
    clock.advance(5)
    clock.set_wall(set_by)
    clock.advance(5)
    assert clock.now() == NOON + 10


def test_a_sleep_of_the_machine_counts_as_time() -> None:
    clock = StandingClock()
    clock.advance(8 * HOUR)
    assert clock.now() == NOON + 8 * HOUR


def test_a_log_that_is_ahead_is_gone_on_from() -> None:
    clock = StandingClock()
    assert clock.begin_after(NOON + DAY) == 0
    assert clock.now() == NOON + DAY


def test_a_log_that_is_behind_changes_nothing() -> None:
    clock = StandingClock()
    assert clock.begin_after(0) == 0
    assert clock.now() == NOON


def test_a_log_that_is_more_than_a_day_ahead_is_told_of_and_not_believed() -> None:
    clock = StandingClock()
    assert clock.begin_after(NOON + DAY + 1) == DAY + 1
    assert clock.now() == NOON


@pytest.mark.parametrize(("set_by", "gained"), [(HOUR, HOUR), (5_001, 5_001), (5_000, 0), (-HOUR, 0)])
def test_catching_up_only_goes_forward_and_not_for_a_trifle(set_by: int, gained: int) -> None:
    clock = StandingClock()
    clock.set_wall(set_by)
    clock.catch_up()
    assert clock.now() == NOON + gained


def test_the_machines_clocks_are_the_default() -> None:
    before, system = wall_ms(), RealSystem()
    assert before <= system.now() <= wall_ms() + 1
    assert steady_ms() <= steady_ms()


def test_a_system_without_a_clock_that_counts_sleep_has_a_steady_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    assert 0 < steady_ms() <= steady_ms()


def serve(clock: StandingClock, log: MemoryEventLog, scene: Callable[[Service], Awaitable[None]]) -> None:
    """Run a scene on a service with an open pool over `log`."""

    async def show() -> None:
        service = Service(log, clock)
        service.load()
        service.start()
        opening = pool.StartOwner("pool-1", "owner-1", 1, "0", Settings(slots=1), None, False, clock.now())
        await service.handle(opening, CALLER)
        await scene(service)
        await service.close()

    asyncio.run(show())


async def _nothing(_service: Service) -> None:
    pass


def recorded_at(log: MemoryEventLog) -> list[int]:
    """The times of all events, in order."""
    return [event.meta.recorded_at for event in log.read_all()]


def with_an_event_at(at: int) -> MemoryEventLog:
    """A log whose last owner wrote at that time."""
    log = MemoryEventLog(default_codec())
    opened = Fact("pool", pool.PoolOpened("pool-1", at))
    log.append((opened,), {"pool": 0}, Meta(at, "cmd-1", "cmd-1", Actor.RECOVERY, None))
    return log


def test_the_times_of_a_log_do_not_fall_when_the_clock_was_set_back_between_two_owners() -> None:
    log = with_an_event_at(NOON + HOUR)
    serve(StandingClock(), log, _nothing)
    times = recorded_at(log)
    assert times == sorted(times)
    assert times[-1] == NOON + HOUR


def test_a_log_from_a_wrong_clock_does_not_hold_the_time_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    log = with_an_event_at(NOON + 400 * DAY)
    with caplog.at_level(logging.WARNING):
        serve(StandingClock(), log, _nothing)
    assert recorded_at(log)[-1] == NOON
    assert "400.0 days ahead" in caplog.text


def test_a_pool_at_rest_follows_a_clock_that_was_corrected_forward() -> None:
    clock, log = StandingClock(), MemoryEventLog(default_codec())

    async def scene(service: Service) -> None:
        service.policies_on = True
        await service.handle(pool.SetContext("a", "1"), CALLER)
        clock.set_wall(HOUR)
        await service.handle(pool.SetContext("a", "2"), CALLER)

    serve(clock, log, scene)
    assert recorded_at(log)[-1] >= NOON + HOUR


def test_a_deadline_that_passed_while_the_machine_slept_is_noticed_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("claude_pool.adapters.service.LONGEST_TIMER_MS", 20)
    clock, log = StandingClock(), MemoryEventLog(default_codec())

    async def scene(service: Service) -> None:
        resumed = asyncio.Event()
        service.policies_on = True
        await service.handle(pool.PausePool("provider_limit", NOON + HOUR), CALLER)

        def hear(recorded: tuple[Recorded, ...]) -> None:
            if any(isinstance(r.event, PoolResumed) for r in recorded):
                resumed.set()

        service.on_facts(hear)
        clock.advance(HOUR)
        async with asyncio.timeout(10):
            await resumed.wait()

    serve(clock, log, scene)
