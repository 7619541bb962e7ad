"""The past of slots as stretches of time."""

from __future__ import annotations

from claude_pool.adapters.cli.play.lanes import ABSENT, BUSY, DOWN, IDLE, PREPARING, Lane, Stretch, cells
from claude_pool.domain.slot import Card, Cold, Stopped
from claude_pool.domain.slot_events import (
    ClearStarted,
    LaunchFailed,
    LaunchSucceeded,
    SessionPrepared,
    SlotAdded,
    SlotClaimed,
    SlotReleased,
)

CARD = Card("slot-0")


def claimed(attempt: str) -> SlotClaimed:
    return SlotClaimed(attempt, "s", 1, "k")


def released(attempt: str, *, well: bool) -> SlotReleased:
    return SlotReleased(attempt, well, 0, 0, "s")


def test_a_slot_from_its_first_process_to_a_failed_attempt() -> None:
    lane = Lane(0)
    for at, event in (
        (10, SlotAdded("slot-0")),
        (20, LaunchSucceeded(1, 2, "v")),
        (30, claimed("a.1")),
        (50, released("a.1", well=False)),
        (50, ClearStarted()),
        (60, SessionPrepared("t")),
        (70, claimed("b.1")),
    ):
        lane.observe(event, at)

    assert lane.stretches(100, Cold(CARD)) == (
        Stretch(0, 10, ABSENT),
        Stretch(10, 20, PREPARING),
        Stretch(20, 30, IDLE),
        Stretch(30, 50, BUSY, "a.1", failed=True),
        Stretch(50, 50, IDLE),
        Stretch(50, 60, PREPARING),
        Stretch(60, 70, IDLE),
        Stretch(70, 100, BUSY, "b.1"),
    )


def test_what_was_before_the_first_event_follows_from_it() -> None:
    lane = Lane(5)
    lane.observe(released("a.1", well=True), 50)

    assert lane.stretches(60, Cold(CARD))[0] == Stretch(5, 50, BUSY, "a.1")


def test_a_slot_without_events_is_what_it_is_now_all_the_time() -> None:
    assert Lane(5).stretches(60, Stopped(CARD)) == (Stretch(5, 60, ABSENT),)


def test_a_slot_whose_process_does_not_start_is_down_until_it_is_prepared_again() -> None:
    lane = Lane(0)
    lane.observe(LaunchFailed(1, "slot_failed", "p", 10), 10)
    lane.observe(ClearStarted(), 20)

    assert [each.kind for each in lane.stretches(30, Cold(CARD))] == [PREPARING, DOWN, PREPARING]


def test_a_cell_shows_what_says_most_of_its_time() -> None:
    busy, idle = Stretch(40, 41, BUSY, "a.1"), Stretch(0, 100, IDLE)

    assert cells((idle, busy), 0, 100, 4) == [idle, busy, idle, idle]
    assert cells((busy, idle), 0, 100, 4) == [idle, busy, idle, idle]


def test_what_lies_outside_of_the_time_is_not_shown() -> None:
    assert cells((Stretch(0, 10, BUSY), Stretch(300, 400, BUSY)), 100, 200, 3) == [None, None, None]
    assert cells((), 0, 0, 0) == []
