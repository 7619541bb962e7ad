"""What an owner says of the log that it starts on."""

from __future__ import annotations

import pytest
from claude_pool.adapters.service import Service
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import default_codec
from claude_pool.domain.pool_events import PoolOpened
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.slot_events import ClearStarted

from tests.support.pool_clock import NOON, StandingClock


def loaded(*facts: tuple[str, Event]) -> Service:
    """A service that has just read a log of these facts."""
    log = MemoryEventLog(default_codec())
    for stream, event in facts:
        log.append((Fact(stream, event),), {stream: 0}, Meta(NOON, "cmd", "cmd", Actor.COORDINATOR))
    service = Service(log, StandingClock())
    service.load()
    return service


def test_what_may_be_true_of_no_log_is_told_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    service = loaded(("pool", PoolOpened("pool-1", NOON)), ("slot-0", ClearStarted()))

    assert "the log holds 1 things that cannot be; the first is event 2" in caplog.text
    assert service.world.position == 2


def test_nothing_is_told_of_a_whole_log(caplog: pytest.LogCaptureFixture) -> None:
    loaded(("pool", PoolOpened("pool-1", NOON)))

    assert caplog.text == ""
