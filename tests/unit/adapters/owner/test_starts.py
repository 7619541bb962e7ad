"""The record of an owner's starts, which decides about safe mode."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from claude_pool.adapters.owner.starts import DIED, WITHIN_MS, Starts, why_safe
from claude_pool.adapters.places import Places


@dataclass
class Clock:
    now: int = 1_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def starts(tmp_path: Path, clock: Clock) -> Starts:
    return Starts(Places(str(tmp_path), "", "", ""), now=clock)


def test_a_start_that_says_nothing_more_came_to_nothing(starts: Starts) -> None:
    assert starts.bad() == ()
    starts.begin()
    starts.begin()
    assert [each.problem for each in starts.bad()] == [DIED, DIED]


def test_a_start_that_failed_says_why(starts: Starts) -> None:
    starts.begin()
    starts.failed("the log is full")
    starts.failed("the log is full")
    assert why_safe(starts.bad()) == "the log is full"
    assert starts.bad()[0].pid == os.getpid()


def test_a_start_that_went_well_ends_the_count(starts: Starts) -> None:
    starts.begin()
    starts.begin()
    starts.went_well()
    starts.went_well()
    assert starts.bad() == ()


@pytest.mark.parametrize("step", [WITHIN_MS + 1, -WITHIN_MS])
def test_only_starts_of_late_count_also_where_the_clock_was_set_back(
    starts: Starts, clock: Clock, step: int
) -> None:
    starts.begin()
    clock.now += step
    assert starts.bad() == ()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[["x", 1, ""]]', "[" * 5000, "\0", "null"])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, starts: Starts, content: str) -> None:
    (tmp_path / "owner.starts").write_text(content)
    assert starts.bad() == ()
    starts.begin()
    assert len(starts.bad()) == 1


def test_a_record_that_cannot_be_written_stops_nobody(tmp_path: Path, clock: Clock) -> None:
    starts = Starts(Places(str(tmp_path / "nowhere"), "", "", ""), now=clock)
    starts.begin()
    starts.failed("why")
    starts.went_well()
    assert starts.bad() == ()
