"""What-if on the kept logs of earlier versions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import LogReader
from claude_pool.adapters.whatif.changes import parse
from claude_pool.adapters.whatif.view import what_if

LOGS = Path(__file__).parents[1] / "golden" / "logs"


@pytest.fixture
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogReader]:
    state = Path(shutil.copytree(LOGS / request.param, tmp_path / "state"))
    reader = LogReader(Places(str(state), str(state / "socket"), str(state), str(state)), "any")
    yield reader
    reader.close()


def replayed(reader: LogReader, *said: str) -> Any:
    return what_if(reader.events(), parse(said), price_list(), lambda _what, _done, _of: None)


@pytest.mark.parametrize("kept", ["0.2.0"], indirect=True)
def test_a_kept_log_with_nothing_changed_comes_to_what_happened(kept: LogReader) -> None:
    found = replayed(kept)

    assert found["deviation"] == {"finish": pytest.approx(0, abs=0.002), "spend": 0.0, "tasks": 0}
    for name in ("completed_tasks", "failed_tasks", "cancelled_tasks", "unfinished_tasks", "attempts"):
        assert found["replayed"][name] == found["as_it_was"][name], name


@pytest.mark.parametrize("kept", ["0.1.0"], indirect=True)
def test_a_log_of_a_version_with_other_rules_says_how_far_its_replay_is_from_it(kept: LogReader) -> None:
    found = replayed(kept)

    # that version did not go on by itself with what a crash cut off, this one does
    assert (found["deviation"]["tasks"], found["deviation"]["spend"] > 0.1) == (0, True)
    assert found["as_it_was"]["unfinished_tasks"] == 1
    assert found["replayed"]["unfinished_tasks"] == 0


@pytest.mark.parametrize("kept", ["0.2.0"], indirect=True)
def test_less_money_refuses_and_fails_what_it_does_not_reach(kept: LogReader) -> None:
    found = replayed(kept, "budget_usd=0.002")

    assert found["what_if"]["refused_tasks"] > 0
    assert found["what_if"]["spent_microdollars"] < found["as_it_was"]["spent_microdollars"]
    fates = {(task["to"], task["why"]) for task in found["changed"]}
    assert {("failed", "budget_exceeded"), ("refused", "budget_exceeded")} <= fates
