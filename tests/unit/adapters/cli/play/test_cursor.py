"""The cursor of the view: wherever it goes, the pool is what a fold from the beginning makes of it."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

import pytest
from claude_pool.adapters.cli.play.cursor import Cursor
from claude_pool.adapters.cli.play.scene import is_failure
from claude_pool.adapters.cli.replay_view import Wanted
from claude_pool.domain.errors import LogBroken
from claude_pool.domain.records import Recorded
from claude_pool.domain.snapshot import digest

from tests.support.recorded_log import RecordedLog, kept_events, world_at

T = TypeVar("T")

Events = tuple[Recorded, ...]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Events:
    return kept_events(tmp_path_factory.mktemp("log"))


def at_the_start(log: RecordedLog, until: int | None = None, wanted: Wanted | None = None) -> Cursor:
    return Cursor(log, until, (wanted or Wanted()).takes)


def done(work: Generator[int, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as ended:
            found: T = ended.value
            return found


def long_log(events: Events, length: int) -> RecordedLog:
    """`events` again and again, which is no log that a pool writes, but folds."""
    return RecordedLog(
        [replace(events[at % len(events)], position=at + 1, version=at + 1) for at in range(length)]
    )


def test_wherever_it_goes_the_pool_is_that_of_a_fold_from_the_beginning(events: Events) -> None:
    log, chance = RecordedLog(events), random.Random(7)
    cursor = at_the_start(log)

    for _ in range(40):
        target = chance.randint(0, len(events))
        done(cursor.seek(target))
        for _ in range(chance.randint(0, 3)):
            cursor.step()

        at = cursor.position
        assert digest(cursor.world) == digest(world_at(events, at))
        assert list(cursor.window) == list(events[:at])


def test_a_place_outside_of_the_log_is_its_nearest_end(events: Events) -> None:
    cursor = at_the_start(RecordedLog(events))

    done(cursor.seek(10**9))
    assert cursor.position == len(events)
    done(cursor.seek(-5))
    assert (cursor.position, list(cursor.window)) == (0, [])


def test_a_film_that_ends_before_the_log_shows_nothing_after(events: Events) -> None:
    cursor = at_the_start(RecordedLog(events), until=50)
    done(cursor.seek(10**9))

    assert (cursor.position, cursor.end(), cursor.step()) == (50, 50, False)


def test_what_is_appended_is_gone_on_with(events: Events) -> None:
    log = RecordedLog(events[:100])
    cursor = at_the_start(log)
    done(cursor.seek(100))
    assert not cursor.step()

    log.recorded.append(events[100])

    assert cursor.step()
    assert cursor.position == 101


def test_going_back_folds_little_anew(events: Events) -> None:
    log = long_log(events, 10_000)
    cursor = at_the_start(log)
    done(cursor.seek(9_999))
    log.folded = 0

    for position in range(9_998, 9_900, -1):
        done(cursor.seek(position))

    assert log.folded < 98 * 200


def test_a_place_far_away_is_reached_from_the_view_that_was_kept(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_pool.adapters.cli.play.cursor._FAR", 4_000)
    log = long_log(events, 6_000)
    log.kept = 5_500
    cursor = at_the_start(log)

    done(cursor.seek(6_000))

    assert (cursor.position, log.folded) == (6_000, 500)
    assert digest(cursor.world) == digest(world_at(log.recorded, 6_000))
    done(cursor.seek(5_000))
    assert digest(cursor.world) == digest(world_at(log.recorded, 5_000))


def test_work_that_is_given_up_leaves_a_place_like_any_other(events: Events) -> None:
    log = long_log(events, 5_000)
    cursor = at_the_start(log)
    work = cursor.seek(4_500)
    assert next(work) == 1_000

    work.close()

    assert cursor.position == 1_000
    assert digest(cursor.world) == digest(world_at(log.recorded, 1_000))
    assert cursor.window[-1].position == 1_000


@pytest.mark.parametrize("forward", [True, False])
def test_failures_are_found_in_order(events: Events, forward: bool) -> None:
    cursor, found = at_the_start(RecordedLog(events)), list[int]()
    done(cursor.seek(0 if forward else len(events)))

    while (at := done(cursor.find(is_failure, forward=forward))) is not None:
        found.append(at)
        done(cursor.seek(at))

    expected = [each.position for each in events if is_failure(each)]
    assert len(expected) > 5
    assert found == (expected if forward else expected[::-1])


def test_only_what_is_wanted_is_shown(events: Events) -> None:
    wanted = Wanted(subjects=("slot-0",), type="slot.*")
    cursor = at_the_start(RecordedLog(events), wanted=wanted)
    done(cursor.seek(100))
    while cursor.position < 150:
        cursor.step()

    expected = [each for each in events[:150] if wanted.takes(each)]
    assert list(cursor.shown) == expected
    cursor.show(Wanted().takes)
    assert list(cursor.shown) == list(events[:150])


def test_few_events_that_are_wanted_are_looked_for_farther_back(events: Events) -> None:
    log = long_log(events[:100], 6_000)
    log.recorded[9] = replace(log.recorded[9], stream="slot-7")
    cursor = at_the_start(log, wanted=Wanted(subjects=("slot-7",)))

    done(cursor.seek(6_000))

    assert [each.position for each in cursor.shown] == [10]


def test_a_log_that_breaks_off_is_read_up_to_there(events: Events) -> None:
    log = RecordedLog(events)
    log.broken = 120
    cursor = at_the_start(log)

    with pytest.raises(LogBroken):
        done(cursor.seek(200))

    assert (cursor.position, cursor.window[-1].position) == (119, 119)
    with pytest.raises(LogBroken):
        cursor.step()
    done(cursor.seek(60))
    assert cursor.position == 60
