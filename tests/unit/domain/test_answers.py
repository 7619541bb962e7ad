"""Times and durations in answers."""

from __future__ import annotations

import pytest
from claude_pool.domain.answers import clock, span


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (1_795_376_327_016, "2026-11-22 19:38:47Z"),
        (0, "1970-01-01 00:00:00Z"),
        (None, "an unknown time"),
        (-1, "an unknown time"),
        (2**62, "an unknown time"),
    ],
)
def test_a_time_reads_as_utc_and_none_that_is_no_time(ms: int | None, text: str) -> None:
    assert clock(ms) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [(-5, "0.0 s"), (300, "0.3 s"), (12_000, "12 s"), (600_000, "10 min"), (10_800_000, "3.0 h")],
)
def test_a_duration_reads_in_the_unit_that_fits(ms: int, text: str) -> None:
    assert span(ms) == text
