"""What an owner says of the log that it starts on."""

from __future__ import annotations

import asyncio

import pytest
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.service import Service
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.snapshots import Snapshot
from claude_pool.domain.pool import SetContext
from claude_pool.domain.pool_events import ContextValueSet, PoolOpened
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.slot_events import ClearStarted
from claude_pool.domain.snapshot import canonical

from tests.support.pool_clock import NOON, StandingClock


def logged(*facts: tuple[str, Event]) -> MemoryEventLog:
    """A log of these facts."""
    log = MemoryEventLog(default_codec())
    for stream, event in facts:
        version = len(log.read_stream(stream))
        log.append((Fact(stream, event),), {stream: version}, Meta(NOON, "cmd", "cmd", Actor.COORDINATOR))
    return log


def loaded(*facts: tuple[str, Event]) -> Service:
    """A service that has just read a log of these facts."""
    service = Service(logged(*facts), StandingClock())
    service.load()
    return service


def test_what_may_be_true_of_no_log_is_told_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    service = loaded(("pool", PoolOpened("pool-1", NOON)), ("slot-0", ClearStarted()))

    assert "the log holds 1 things that cannot be; the first is event 2" in caplog.text
    assert service.world.position == 2


def test_what_is_wrong_with_a_log_stays_known_as_long_as_its_owner_lives() -> None:
    service = loaded(("pool", PoolOpened("pool-1", NOON)), ("slot-0", ClearStarted()))
    (problem,) = service.problems
    assert problem.startswith("the log holds 1 things that cannot be; ")


def test_a_damaged_snapshot_is_told_and_one_that_counts_is_not_looked_at_twice() -> None:
    service = Service(logged(("pool", PoolOpened("pool-1", NOON))), StandingClock())
    service.kept_view.damage = lambda: "log.sqlite.view: its digest is another"
    kept = kept_by(service)
    service.load()
    assert service.problems == (
        "log.sqlite.view: its digest is another; it is not used, and a new one is kept",
    )

    asyncio.run(set_values(service, "a"))
    service.kept_view.load = lambda: kept[-1]
    service.load()
    assert service.problems == ()


def test_nothing_is_told_of_a_whole_log(caplog: pytest.LogCaptureFixture) -> None:
    loaded(("pool", PoolOpened("pool-1", NOON)))

    assert caplog.text == ""


def kept_by(service: Service) -> list[Snapshot]:
    """The snapshots that `service` will have had kept."""
    kept: list[Snapshot] = []
    service.kept_view.save = kept.append
    return kept


async def set_values(service: Service, *keys: str) -> None:
    """Start the service, change the shared context by so many commands, and close it."""
    service.start()
    for key in keys:
        await service.handle(SetContext(key, "value"), CALLER)
    await service.close()


def test_an_owner_leaves_a_snapshot_from_which_the_next_one_goes_on() -> None:
    log = logged(("pool", PoolOpened("pool-1", NOON)))
    first = Service(log, StandingClock())
    kept = kept_by(first)
    first.load()
    asyncio.run(set_values(first, "a", "b"))
    assert [snapshot.head for snapshot in kept] == [log.head()]

    values = (("pool", ContextValueSet(key, "value")) for key in "abc")
    log = logged(("pool", PoolOpened("pool-1", NOON)), *values)
    second = Service(log, StandingClock())
    second.kept_view.load = lambda: kept[-1]
    second.load()

    third = Service(log, StandingClock())
    third.load()
    assert canonical(second.world) == canonical(third.world)
    assert second.world is kept[-1].world


def test_an_owner_that_records_nothing_keeps_nothing() -> None:
    service = loaded(("pool", PoolOpened("pool-1", NOON)))
    kept = kept_by(service)

    asyncio.run(set_values(service))

    assert kept == []


def test_a_snapshot_is_kept_after_so_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_pool.adapters.kept_view.EVERY", 3)
    service = loaded(("pool", PoolOpened("pool-1", NOON)))
    kept = kept_by(service)

    asyncio.run(set_values(service, *"abcdefg"))

    assert len(kept) > 1
    assert [snapshot.world.position for snapshot in kept] == [snapshot.head.position for snapshot in kept]
    assert kept[0].world.position == 3
    assert kept[-1].world.position == service.world.position


def test_a_snapshot_that_cannot_be_kept_hurts_nobody() -> None:
    def refuse(_: Snapshot) -> None:
        raise MemoryError

    service = loaded(("pool", PoolOpened("pool-1", NOON)))
    service.kept_view.save = refuse

    asyncio.run(set_values(service, "a"))

    assert service.world.open_pool().context == {"a": "value"}


def test_of_a_log_that_holds_what_cannot_be_no_snapshot_hides_it() -> None:
    service = Service(
        logged(("pool", PoolOpened("pool-1", NOON)), ("slot-0", ClearStarted())), StandingClock()
    )
    kept = kept_by(service)
    service.load()

    asyncio.run(set_values(service, "a"))

    assert kept == []
