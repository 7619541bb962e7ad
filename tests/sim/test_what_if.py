"""A recorded run that is replayed with nothing changed comes to what it came to."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.whatif.changes import Changes
from claude_pool.adapters.whatif.course import Course
from claude_pool.adapters.whatif.reading import read
from claude_pool.adapters.whatif.sums import Sums
from claude_pool.adapters.whatif.view import deviation

from .faults import DIRECTORIES, MONEY
from .recorded import RecordedRun

TOLERANCE = 0.01
"""So far may the elapsed time of a replay be from that of the record, as a share of it."""


@pytest.mark.parametrize("kinds", [(), MONEY, DIRECTORIES], ids=["calm", "money", "directories"])
def test_a_replay_with_nothing_changed_comes_to_what_happened(kinds: Collection[str]) -> None:
    for seed in range(16):
        run = RecordedRun(seed, kinds)
        run.run()
        was = Sums()
        for append in run.appends:
            was.take(append.at, append.facts)

        course = Course(read(run.appends), Changes(), price_list(), run.surroundings.price)
        found = deviation(was, course.run())

        assert was.fates
        assert (found["tasks"], found["spend"]) == (0, 0.0), f"seed {seed}: {found}"
        assert abs(found["finish"]) <= TOLERANCE, f"seed {seed}: {found}"
        assert course.substitutes == 0
