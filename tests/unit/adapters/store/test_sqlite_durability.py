"""What the SQLite log promises of the disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.store.chain import Row
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sidecar import read_head
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import StoreError, StoreFull, StoreUnreadable, VersionConflict
from claude_pool.domain.ports import Head
from claude_pool.domain.records import Fact
from eventsourcing.persistence import StoredEvent

from tests.unit.adapters.store.samples import OTHER, TASK, fill, meta, parked, submitted

WRITER = """
import sys
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.records import Actor, Fact, Meta
from claude_pool.domain.task_events import TaskParked, TaskUnparked

log = SqliteEventLog.open(sys.argv[1], default_codec())
version = len(log.read_stream("task"))
while True:
    facts = [Fact("task", TaskParked("x")), Fact("task", TaskUnparked())]
    log.append(facts, {"task": version}, Meta(1, "c", "c", Actor.SHELL))
    version += 2
    print(version, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "log.sqlite"


def opened(path: Path) -> SqliteEventLog:
    return SqliteEventLog.open(path, default_codec())


def test_every_write_is_durable_when_it_is_acknowledged(path: Path) -> None:
    seen: dict[str, object] = {}

    def within(cursor: sqlite3.Cursor, _: Sequence[Row]) -> None:
        for pragma in ("journal_mode", "synchronous", "busy_timeout"):
            (seen[pragma],) = cursor.execute(f"PRAGMA {pragma}").fetchone()
        seen["in_transaction"] = cursor.connection.in_transaction

    with opened(path) as log:
        log.recorder.insert_events([StoredEvent("s", 1, "t", b"{}")], within=within)

    full = 2
    assert seen == {
        "journal_mode": "wal", "synchronous": full, "busy_timeout": 5000, "in_transaction": True,
    }  # fmt: skip


def test_a_write_takes_the_lock_before_it_reads(path: Path) -> None:
    statements: list[str] = []

    with opened(path) as log:
        with log.recorder.datastore.transaction(commit=False) as c:
            c.sqlite_cursor.connection.set_trace_callback(statements.append)
        statements.clear()
        fill(log, 1)

    assert statements[0] == "BEGIN IMMEDIATE"
    assert statements.count("COMMIT") == 1


def test_the_log_is_there_again_after_it_was_closed(path: Path) -> None:
    with opened(path) as log:
        recorded = fill(log, 3)

    with opened(path) as log:
        assert tuple(log.read_all()) == recorded
        fill(log, 1, OTHER)
        assert log.verify().position == 4


def test_files_are_for_their_user_only(path: Path) -> None:
    with opened(path) as log:
        fill(log, 1)

        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(path.parent)}

    assert modes == {
        "log.sqlite": 0o600, "log.sqlite-wal": 0o600, "log.sqlite-shm": 0o600, "log.sqlite.head": 0o600,
    }  # fmt: skip
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(path: Path, acknowledged: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    with writer.stdout as lines:
        told = [int(next(lines)) for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in lines if line.endswith("\n")]
    assert writer.wait(10) == -signal.SIGKILL

    with opened(path) as log:
        head = log.verify()
        assert head.position >= told[-1]
        assert head.position % 2 == 0, "half of an append survived"
        assert [r.position for r in log.read_all()] == list(range(1, head.position + 1))


def test_a_full_disk_refuses_the_append_and_keeps_the_rest(path: Path) -> None:
    with opened(path) as log:
        recorded = fill(log, 2)
        with log.recorder.datastore.transaction(commit=False) as c:
            (pages,) = c.sqlite_cursor.execute("PRAGMA page_count").fetchone()
            c.sqlite_cursor.execute(f"PRAGMA max_page_count = {pages}")
        long = Fact(OTHER, submitted(OTHER, prompt="x" * 100_000))

        with pytest.raises(StoreFull):
            log.append([long, Fact(TASK, parked(3))], {OTHER: 0, TASK: 2}, meta())

        assert tuple(log.read_all()) == recorded
        assert log.index.list_tasks() == ()
        with log.recorder.datastore.transaction(commit=False) as c:
            c.sqlite_cursor.execute(f"PRAGMA max_page_count = {pages + 1000}")
        log.append([long], {OTHER: 0}, meta())
        assert log.verify().position == 3


def test_a_locked_log_refuses_the_append(path: Path) -> None:
    with SqliteEventLog.open(path, default_codec(), busy_timeout_ms=10) as log:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError) as refusal:
            fill(log, 1)

        assert "SQLITE_BUSY" in str(refusal.value.facts["problem"])
        other.execute("ROLLBACK")
        other.close()
        fill(log, 1)
        assert log.head().position == 1


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_file_that_went_away_refuses_the_append(path: Path, replaced: bool) -> None:
    with opened(path) as log:
        fill(log, 1)
        if replaced:
            (path.parent / "new").write_bytes(path.read_bytes())
            (path.parent / "new").rename(path)
        else:
            path.unlink()

        with pytest.raises(StoreUnreadable, match="deleted or replaced"):
            fill(log, 1, OTHER)

        assert log.read_stream(OTHER) == ()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_journal_that_went_away_refuses_the_append(path: Path, replaced: bool) -> None:
    wal = path.with_name(path.name + "-wal")
    with opened(path) as log:
        fill(log, 2)
        content = wal.read_bytes()
        wal.unlink()
        if replaced:
            wal.write_bytes(content)

        with pytest.raises(StoreUnreadable, match="deleted or replaced"):
            fill(log, 1, OTHER)


def test_a_file_that_goes_away_during_an_append_has_nothing_acknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path) as log:
        fill(log, 1)
        before = read_head(path)
        insert = log.recorder.insert_events

        def insert_while_it_goes(*given: Any, **more: Any) -> Any:
            path.unlink()
            return insert(*given, **more)

        monkeypatch.setattr(log.recorder, "insert_events", insert_while_it_goes)
        with pytest.raises(StoreUnreadable):
            fill(log, 1, OTHER)

        assert read_head(path) == before


def test_a_second_writer_cannot_slip_in_between(path: Path) -> None:
    with opened(path) as log, opened(path) as other:
        fill(log, 1)

        with pytest.raises(VersionConflict):
            other.append([Fact(TASK, parked(1))], {TASK: 0}, meta())
        fill(other, 1, OTHER)
        log.append([Fact(TASK, parked(2))], {TASK: 1}, meta())

        assert log.verify().position == 3


def test_a_reader_sees_what_is_committed_while_it_is_open(path: Path) -> None:
    with opened(path) as log:
        fill(log, 1)
        with open_reader(path, default_codec()) as reader:
            before = [r.position for r in reader.read_all()]
            log.append([Fact(OTHER, submitted(OTHER))], {OTHER: 0}, meta())

            assert before == [1]
            assert [r.position for r in reader.read_all()] == [1, 2]
            assert reader.head() == log.head()
            assert [row.task_id for row in reader.index.list_tasks()] == [OTHER]


def test_a_reader_cannot_write(path: Path) -> None:
    with opened(path) as log:
        fill(log, 1)
        with open_reader(path, default_codec()) as reader, pytest.raises(StoreError):
            reader.index.rebuild(())


def test_a_reader_needs_a_log(path: Path) -> None:
    with pytest.raises(StoreUnreadable, match="there is no event log"):
        open_reader(path, default_codec())

    assert not path.parent.exists()


def test_the_library_reads_the_log_with_its_own_queries(path: Path) -> None:
    with opened(path) as log:
        fill(log, 3)

        assert log.recorder.max_notification_id() == 3
        assert [n.id for n in log.recorder.select_notifications(2, 10)] == [2, 3]
        assert [e.originator_version for e in log.recorder.select_events(TASK, gt=1)] == [2, 3]


def test_the_library_cannot_leave_a_gap_in_a_stream(path: Path) -> None:
    with opened(path) as log, pytest.raises(VersionConflict):
        log.recorder.insert_events([StoredEvent("s", 7, "t", b"{}")])


@contextmanager
def without_privileges() -> Generator[None]:
    """As somebody whom permissions bind, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A log with two events that everybody may read and nobody may write, in such a directory."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "log.sqlite"
    with opened(path) as log:
        fill(log, 2)
    for entry in folder.iterdir():
        entry.chmod(0o444)
    folder.chmod(0o555)
    yield path
    folder.chmod(0o755)
    for entry in folder.iterdir():
        entry.unlink()
    folder.rmdir()


def test_a_log_that_may_not_be_written_is_refused(read_only: Path) -> None:
    before = read_only.read_bytes()

    with without_privileges(), pytest.raises(StoreUnreadable):
        opened(read_only)

    assert read_only.read_bytes() == before


def test_a_log_that_may_not_be_written_can_be_read(read_only: Path) -> None:
    with without_privileges(), open_reader(read_only, default_codec()) as reader:
        assert [r.position for r in reader.read_all()] == [1, 2]
        assert reader.verify() == Head(2, reader.head().hash)

    assert sorted(entry.name for entry in read_only.parent.iterdir()) == ["log.sqlite", "log.sqlite.head"]


def test_a_log_cannot_begin_where_nothing_may_be_written(read_only: Path) -> None:
    with without_privileges(), pytest.raises(StoreUnreadable):
        opened(read_only.parent / "other.sqlite")
