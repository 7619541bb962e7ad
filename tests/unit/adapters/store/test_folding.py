"""A log that two processes fold gives the view that one does; where the other one fails, one is enough."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.store.folding import whole_view
from claude_pool.adapters.store.reader import connect
from claude_pool.domain.errors import LogBroken
from claude_pool.domain.snapshot import canonical
from claude_pool.domain.world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.spent_log import Life

KEPT = Path(__file__).parents[3] / "golden" / "logs" / "0.2.0"
END = 2**31


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A kept log."""
    shutil.copytree(KEPT, tmp_path / "state")
    return tmp_path / "state" / "log.sqlite"


def orders(world: World) -> dict[str, Any]:
    """The order of whatever has one that counts: that of streams' versions does not."""
    found: dict[str, Any] = vars(world)
    names = [name for name, each in found.items() if isinstance(each, dict | list) and name != "versions"]
    return {name: list(found[name]) for name in names}


def numbered(life: Life) -> Iterator[tuple[int, str, int, Any]]:
    """Position, stream, version and event of everything that happened."""
    versions: dict[str, int] = {}
    facts = (fact for append, _ in life.appends for fact in append)
    for position, fact in enumerate(facts, 1):
        versions[fact.stream] = versions.get(fact.stream, 0) + 1
        yield position, fact.stream, versions[fact.stream], fact.event


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 1_000))
def test_at_any_cut_of_any_life_two_parts_are_the_whole(seed: int, cut: int) -> None:
    whole, tasks, others = World(), World(), World()
    events = list(numbered(Life(seed).live(15)))
    for position, stream, version, event in events[: max(1, len(events) * cut // 1_000)]:
        whole.apply(position, stream, version, event)
        (tasks if stream.startswith("task-") else others).apply(position, stream, version, event)

    joined = others.joined(tasks)

    assert canonical(joined) == canonical(whole)
    assert orders(joined) == orders(whole)


def test_a_long_log_is_folded_by_two_processes_to_what_one_makes_of_it(path: Path) -> None:
    by_one, by_two = whole_view(path, END), whole_view(path, END, long=1)
    assert canonical(by_two) == canonical(by_one)
    assert orders(by_two) == orders(by_one)


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
def test_where_no_other_process_comes_up_one_folds_all_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    expected = canonical(whole_view(path, END))
    monkeypatch.setattr(sys, "executable", program)
    assert canonical(whole_view(path, END, long=1)) == expected


def test_an_answer_that_is_no_view_is_passed_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = canonical(whole_view(path, END))
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    assert canonical(whole_view(path, END, long=1)) == expected


@pytest.mark.parametrize("broken", [(3, 9), (9, 3)], ids=str)
def test_the_first_event_that_cannot_be_read_is_named_whoever_met_it(
    path: Path, broken: tuple[int, int]
) -> None:
    of_a_task = "SELECT rowid FROM events WHERE originator_id LIKE 'task-%' ORDER BY rowid LIMIT 1 OFFSET ?"
    of_another = of_a_task.replace(" LIKE ", " NOT LIKE ")
    with closing(connect(path, "mode=rw", 5_000)) as connection:
        positions = [
            connection.execute(statement, (number,)).fetchone()[0]
            for statement, number in zip((of_a_task, of_another), broken, strict=True)
        ]
        connection.executemany("UPDATE events SET state = '{' WHERE rowid = ?", [(p,) for p in positions])
    with pytest.raises(LogBroken) as caught:
        whole_view(path, END, long=1)
    assert caught.value.facts["position"] == min(positions)
