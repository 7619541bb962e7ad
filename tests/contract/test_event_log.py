"""What every event log promises, whatever keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool.adapters.store.chain import EMPTY, link
from claude_pool.adapters.store.codec import topic_of
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import all_events, default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import StoreError, VersionConflict
from claude_pool.domain.ports import EventLog, Head
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.task_events import TaskParked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.adapters.store.samples import (
    OTHER,
    TASK,
    fill,
    generated,
    meta,
    opened,
    parked,
    started,
    submitted,
)

Log = MemoryEventLog | SqliteEventLog


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """An empty log of each kind."""
    codec = default_codec()
    opened_log = (
        MemoryEventLog(codec)
        if request.param == "memory"
        else SqliteEventLog.open(tmp_path / "log.sqlite", codec)
    )
    yield opened_log
    opened_log.close()


def test_it_is_the_port(log: Log) -> None:
    port: EventLog = log
    assert port.head() == EMPTY


def test_an_append_over_several_streams_is_recorded_in_order(log: Log) -> None:
    facts = [Fact(TASK, submitted()), Fact("slot-0", parked(1)), Fact(TASK, started())]

    recorded = log.append(facts, {TASK: 0, "slot-0": 0}, meta())

    assert [(r.position, r.stream, r.version, r.event) for r in recorded] == [
        (1, TASK, 1, facts[0].event),
        (2, "slot-0", 1, facts[1].event),
        (3, TASK, 2, facts[2].event),
    ]
    assert tuple(log.read_all()) == recorded


def test_a_stale_stream_refuses_the_append(log: Log) -> None:
    fill(log, 2)

    with pytest.raises(VersionConflict) as refusal:
        log.append([Fact(OTHER, submitted(OTHER)), Fact(TASK, parked(2))], {OTHER: 0, TASK: 1}, meta())

    assert refusal.value.facts == {"stream": TASK, "actual": 2, "expected": 1}
    assert log.head().position == 2
    assert log.read_stream(OTHER) == ()


def test_a_refused_append_leaves_no_gap(log: Log) -> None:
    fill(log, 1)
    with pytest.raises(VersionConflict):
        log.append([Fact(TASK, parked(9))], {TASK: 0}, meta())

    (recorded,) = log.append([Fact(TASK, parked(2))], {TASK: 1}, meta())

    assert (recorded.position, recorded.version) == (2, 2)


def test_a_refused_append_leaves_the_index_as_it_was(log: Log) -> None:
    with pytest.raises(VersionConflict):
        log.append([Fact(TASK, submitted())], {TASK: 0, OTHER: 1}, meta())

    assert log.index.list_tasks() == ()


def test_a_stream_that_was_only_read_guards_the_append(log: Log) -> None:
    fill(log, 1, OTHER)

    with pytest.raises(VersionConflict):
        log.append([Fact(TASK, submitted())], {TASK: 0, OTHER: 0}, meta())

    assert log.read_stream(TASK) == ()


def test_a_stream_must_not_be_behind_what_is_expected(log: Log) -> None:
    with pytest.raises(VersionConflict):
        log.append([Fact(TASK, parked(1))], {TASK: 6}, meta())


def test_every_stream_that_is_written_needs_an_expected_version(log: Log) -> None:
    with pytest.raises(ValueError, match=TASK):
        log.append([Fact(TASK, submitted())], {}, meta())


def test_an_append_of_nothing_records_nothing(log: Log) -> None:
    rung: list[Head] = []
    log.on_append(rung.append)

    assert log.append([], {TASK: 0}, meta()) == ()
    assert log.head() == EMPTY
    assert rung == []


def test_an_event_that_cannot_be_read_back_is_refused(log: Log) -> None:
    with pytest.raises(StoreError) as refusal:
        log.append([Fact(TASK, TaskParked(reason="\ud800"))], {TASK: 0}, meta())

    assert str(refusal.value.facts["problem"]).startswith("task.parked.v1: ")
    assert log.head() == EMPTY


def test_positions_and_versions_have_no_gaps(log: Log) -> None:
    for number in range(20):
        log.append(
            [Fact(TASK, parked(number)), Fact(OTHER, parked(number)), Fact(OTHER, parked(-number))],
            {TASK: number, OTHER: 2 * number},
            meta(),
        )

    assert [r.position for r in log.read_all()] == list(range(1, 61))
    assert [r.version for r in log.read_stream(TASK)] == list(range(1, 21))
    assert [r.version for r in log.read_stream(OTHER)] == list(range(1, 41))


def test_the_hashes_are_a_chain_over_everything_that_is_kept(log: Log) -> None:
    codec = default_codec()
    fill(log, 5)

    previous = EMPTY.hash
    for r in log.read_all():
        topic, state = codec.encode(r.event, r.meta)
        previous = link(previous, r.position, r.version, r.stream, topic, state)
        assert r.hash == previous
    assert log.head() == Head(5, previous) == log.verify()


def test_the_metadata_comes_back(log: Log) -> None:
    given_meta = Meta(17, "cmd-7", "call-3", Actor.POLICY, cause=12)

    log.append([Fact(TASK, submitted())], {TASK: 0}, given_meta)

    assert next(log.read_all()).meta == given_meta


def test_a_stream_is_read_after_a_version(log: Log) -> None:
    fill(log, 3)
    fill(log, 3, OTHER)

    assert [r.version for r in log.read_stream(TASK, after=1)] == [2, 3]
    assert log.read_stream(TASK, after=3) == ()
    assert log.read_stream("task-zzzzzzzzzzzzzzzz") == ()


@pytest.mark.parametrize(
    ("after", "until", "positions"),
    [
        (0, None, [1, 2, 3, 4]),
        (2, None, [3, 4]),
        (1, 3, [2, 3]),
        (3, 3, []),
        (4, None, []),
        (0, 99, [1, 2, 3, 4]),
    ],
)
def test_all_events_are_read_between_two_positions(
    log: Log, after: int, until: int | None, positions: list[int]
) -> None:
    fill(log, 4)

    assert [r.position for r in log.read_all(after, until)] == positions
    assert [event[0] for event in log.read_events(after, until)] == positions
    assert [event[0] for event in log.read_events(after, until, check=True)] == positions


def test_a_fold_reads_the_same_events_as_a_reader_of_everything(log: Log) -> None:
    log.append([Fact(TASK, submitted()), Fact(TASK, started())], {TASK: 0}, meta())
    log.append([Fact(TASK, opened())], {TASK: 2}, Meta(5, "cmd-2", "call", Actor.SLOT))

    assert (
        list(log.read_events())
        == list(log.read_events(check=True))
        == [
            (r.position, r.stream, r.version, r.event, r.meta.recorded_at, r.meta.correlation)
            for r in log.read_all()
        ]
    )


def test_an_append_wakes_whoever_asked(log: Log) -> None:
    rung: list[Head] = []
    take_back = log.on_append(rung.append)

    fill(log, 1)
    heads_before = list(rung)
    take_back()
    take_back()
    fill(log, 1, OTHER)

    assert heads_before == [Head(1, next(log.read_all()).hash)]
    assert rung == heads_before


def test_what_is_appended_while_reading_is_not_read(log: Log) -> None:
    fill(log, 2)
    events = log.read_events()
    first = next(events)
    fill(log, 1, OTHER)

    assert [event[0] for event in (first, *events)] == [1, 2]


@pytest.mark.parametrize(
    "stream", ["pool", "täsk/1 ☃", "0f0f0f0f-0000-4000-8000-000000000001", "", "a\x00b", "7"]
)
def test_any_text_names_a_stream(log: Log, stream: str) -> None:
    fill(log, 2, stream)

    assert [(r.stream, r.version) for r in log.read_stream(stream)] == [(stream, 1), (stream, 2)]


@pytest.mark.parametrize("event", all_events(), ids=topic_of)
def test_every_event_of_the_domain_comes_back_as_it_was(log: Log, event: type[Event]) -> None:
    appended: list[Event] = []

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(generated(event), st.integers(0, 2**62))
    def appends(value: Event, at: int) -> None:
        log.append([Fact(TASK, value)], {TASK: len(appended)}, meta(at))
        appended.append(value)

    appends()

    assert [r.event for r in log.read_stream(TASK)] == appended
    assert log.verify().position == len(appended)
