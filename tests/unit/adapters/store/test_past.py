"""A log cut off in the past: where it may end, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool.adapters.store.past import Past, position_at
from claude_pool.adapters.store.reader import SqliteReader, open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.records import Fact

from .samples import AT, OTHER, TASK, meta, opened, started, submitted


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SqliteReader]:
    """Positions 1; 2 and 3 in one append a second later; 4 another second later."""
    path = tmp_path / "log.sqlite"
    log = SqliteEventLog.open(path, default_codec())
    log.append([Fact(TASK, submitted())], {TASK: 0}, meta(AT, "a"))
    log.append([Fact(TASK, started()), Fact(TASK, opened())], {TASK: 1}, meta(AT + 1000, "b"))
    log.append([Fact(OTHER, submitted(OTHER))], {OTHER: 0}, meta(AT + 2000, "c"))
    log.close()
    with open_reader(path, default_codec()) as opened_log:
        yield opened_log


@pytest.mark.parametrize(("position", "end"), [(1, 1), (2, 3), (3, 3), (4, 4)])
def test_a_position_within_an_append_means_its_end(reader: SqliteReader, position: int, end: int) -> None:
    assert position_at(reader, position, None, "at") == end


@pytest.mark.parametrize(
    ("moment", "end"), [(AT, 1), (AT + 999, 1), (AT + 1000, 3), (AT + 1999, 3), (AT + 2000, 4), (AT * 2, 4)]
)
def test_a_moment_means_the_last_append_until_then(reader: SqliteReader, moment: int, end: int) -> None:
    assert position_at(reader, None, moment, "at") == end


def test_an_empty_log_has_no_past(tmp_path: Path) -> None:
    SqliteEventLog.open(tmp_path / "empty.sqlite", default_codec()).close()
    with (
        open_reader(tmp_path / "empty.sqlite", default_codec()) as empty,
        pytest.raises(InvalidArgument, match="no events yet"),
    ):
        position_at(empty, 1, None, "at")


def test_nothing_later_is_seen(reader: SqliteReader) -> None:
    past = Past(reader, 3)

    assert [r.position for r in past.read_all()] == [1, 2, 3]
    assert [r.position for r in past.read_stream(TASK)] == [1, 2, 3]
    assert past.read_stream(OTHER) == ()
    assert [row.task_id for row in past.index.list_tasks()] == [TASK]
    assert (past.head().position, past.moment) == (3, AT + 1000)
    past.index.close()
