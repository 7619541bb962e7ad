"""The `eventsourcing` library's application recorder on one connection of our own, with a hash chain.

Overridden are the library's extension points: the datastore (where a transaction comes from), the
recorder (its table and its insert) and the factory (which of them it makes). Its reading methods,
`select_events`, `select_notifications` and `max_notification_id`, work unchanged on the table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from claude_pool.domain.ports import Head
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
)

from .chain import EMPTY, Row, chained, check_expected
from .identity import APPLICATION_ID, SCHEMA
from .reader import EVENTS, last

_TABLE = f"""
CREATE TABLE IF NOT EXISTS {EVENTS} (
    rowid INTEGER PRIMARY KEY,
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (originator_id, originator_version)
)
"""

_REMEMBERED = 10_000
"""So many streams' versions are kept in memory."""

Within = Callable[[sqlite3.Cursor, Sequence[Row]], None]
"""What is done inside the transaction of an insert, after the rows are in."""


class OneConnectionDatastore(SQLiteDatastore):
    """All transactions run on one connection, which its creator has opened and set up.

    The library's own pool converts what it opens to WAL, never sets `synchronous`, and begins
    writes as readers; it is never asked for a connection here.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection` must be in autocommit mode (`isolation_level=None`)."""
        super().__init__(":memory:", originator_id_type="text")
        self.connection = connection

    @contextmanager
    def transaction(self, *, commit: bool) -> Generator[SQLiteCursor]:
        """A transaction, which for a write takes the lock before it reads anything."""
        cursor = self.connection.cursor()
        cursor.row_factory = sqlite3.Row
        try:
            cursor.execute("BEGIN IMMEDIATE" if commit else "BEGIN")
            yield SQLiteCursor(cursor)
            cursor.execute("COMMIT" if commit else "ROLLBACK")
        except BaseException:
            self.roll_back()
            raise
        finally:
            cursor.close()

    def roll_back(self) -> None:
        """End the transaction, if there still is one: SQLite has done so by itself after some errors."""
        if self.connection.in_transaction:
            with suppress(sqlite3.Error):
                self.connection.rollback()


class ChainRecorder(SQLiteApplicationRecorder):
    """Records events with gap-free positions, expected versions and the hash chain."""

    def __init__(self, datastore: OneConnectionDatastore, events_table_name: str = EVENTS) -> None:
        """Record in a table of `datastore`; the rest of the log expects its name to be `EVENTS`."""
        super().__init__(datastore, events_table_name)
        self._one = datastore
        self._cursor = datastore.connection.cursor()
        self._versions: dict[str, int] = {}
        self._versions_at = EMPTY

    def construct_create_table_statements(self) -> list[str]:
        """The table of events. The key must be called `rowid`: the inherited queries read it by that name."""
        return [_TABLE]

    def _create_table(self, c: SQLiteCursor) -> None:
        """Create the table and say whose it is, in one transaction: a crash leaves an empty file or a log."""
        super()._create_table(c)
        if c.sqlite_cursor.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            c.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            c.execute(f"PRAGMA user_version = {SCHEMA}")

    def insert_rows(self, rows: Iterable[Row]) -> None:
        """Keep `rows` of another log as they are, in one transaction.

        Raises:
            sqlite3.Error: SQLite refused. Nothing was written.
        """
        with self._one.transaction(commit=True) as c:
            c.sqlite_cursor.executemany(f"INSERT INTO {EVENTS} VALUES (?, ?, ?, ?, ?, ?)", rows)

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        expected: Mapping[str, int] | None = None,
        within: Within | None = None,
        **_: Any,
    ) -> Sequence[int]:
        """Insert all events in order, if every stream in `expected` is at its version; their positions.

        `within` is called in the same transaction. Without `expected`, each stream must be right before
        its first event: the table's key alone would accept a gap.

        Raises:
            VersionConflict: a stream is at another version. Nothing was written.
            sqlite3.Error: SQLite refused. Nothing was written.
        """
        if expected is None:
            expected = {str(e.originator_id): e.originator_version - 1 for e in reversed(stored_events)}
        cursor = self._cursor
        cursor.execute("BEGIN IMMEDIATE")
        try:
            rows = self._insert(cursor, stored_events, expected)
            if within is not None:
                within(cursor, rows)
            cursor.execute("COMMIT")
        except BaseException:
            self._one.roll_back()
            raise
        return [row[0] for row in rows]

    def _insert(
        self, cursor: sqlite3.Cursor, stored_events: Sequence[StoredEvent], expected: Mapping[str, int]
    ) -> list[Row]:
        head = last(cursor)
        versions = self._versions_of(cursor, expected, head)
        check_expected(expected, versions)
        entries = ((str(e.originator_id), e.originator_version, e.topic, e.state) for e in stored_events)
        rows = chained(entries, head)
        cursor.executemany(f"INSERT INTO {EVENTS} VALUES (?, ?, ?, ?, ?, ?)", rows)
        if rows:
            versions.update((row[1], row[2]) for row in rows)
            self._versions_at = Head(rows[-1][0], rows[-1][5])
        return rows

    def _versions_of(self, cursor: sqlite3.Cursor, streams: Iterable[str], head: Head) -> dict[str, int]:
        """The versions of at least `streams` at `head`, from memory as far as they were seen at that head.

        What was rolled back, or written by another connection, ends at another head: all is read anew.
        """
        if head != self._versions_at or len(self._versions) > _REMEMBERED:
            self._versions.clear()
            self._versions_at = head
        for stream in streams:
            if stream not in self._versions:
                self._versions[stream] = _version(cursor, stream)
        return self._versions


class ChainFactory(SQLiteFactory):
    """Makes the recorder above, the library's way."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use `connection` for everything."""
        super().__init__({self.SQLITE_DBNAME: ":memory:", self.ORIGINATOR_ID_TYPE: "text"})
        self.datastore = self._one = OneConnectionDatastore(connection)

    def application_recorder(self) -> ChainRecorder:
        """The recorder, with its table."""
        recorder = ChainRecorder(self._one)
        recorder.create_table()
        return recorder


def _version(cursor: sqlite3.Cursor, stream: str) -> int:
    statement = f"SELECT MAX(originator_version) FROM {EVENTS} WHERE originator_id = ?"
    return cursor.execute(statement, (stream,)).fetchone()[0] or 0
