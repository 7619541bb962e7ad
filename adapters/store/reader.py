"""The log in a SQLite file, read: live beside its one writer, or when nobody writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from claude_pool.domain.errors import LogBroken, LogNewer, StoreUnreadable
from claude_pool.domain.ports import Head, Replayed
from claude_pool.domain.records import Event, Recorded

from .chain import EMPTY, Row, check_chain, decoded, indexed, replayed, verified
from .codec import Codec, topic_of
from .failures import FAILURES, told, translated
from .identity import Found, Identity, hold, identify, release
from .sidecar import read_head

if TYPE_CHECKING:
    from .index import Index

EVENTS = "events"
"""The table of events."""

T = TypeVar("T")

_ROW = "rowid, originator_id, originator_version, topic, state, hash"
_BATCH = 200
_PAGES = 1000
_FAULTS = 20
_UNFINISHED = (
    "NOT EXISTS (SELECT 1 FROM index_tasks WHERE task_id = originator_id"
    " AND state IN ('completed', 'failed', 'cancelled'))"
)
_OF_TASKS = "(originator_id >= 'task-' AND originator_id < 'task.')"
_LARGEST = 2**63 - 1


def open_reader(path: Path | str, codec: Codec) -> SqliteReader:
    """Open the log at `path` for reading. Its file is not changed, and neither chain nor sidecar are checked.

    Where nobody writes, SQLite may leave an empty `-wal` and `-shm` beside the file.

    Raises:
        StoreUnreadable: there is no log, or it cannot be read.
        LogNewer: its schema is unknown to this program.
    """
    path = Path(path)
    if identify(path) is Found.NOTHING:
        raise StoreUnreadable(path=path, problem="there is no event log", hint="Start the pool first.")
    held = hold(path)
    try:
        with told(path):
            connection = _connect_for_reading(path)
    except BaseException:
        release(held)
        raise
    return SqliteReader(path, codec, connection, held)


def _connect_for_reading(path: Path) -> sqlite3.Connection:
    connection = connect(path, "mode=ro", 5_000)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except FAILURES:
        connection.close()
        # In a directory that may not be written SQLite cannot create its shared memory. Without a
        # WAL, there is nothing that only a writer could tell us: read the file as it lies there.
        wal = path.with_name(path.name + "-wal")
        if wal.exists():
            raise
        connection = connect(path, "mode=ro&immutable=1", 5_000)
        connection.execute("PRAGMA query_only = ON")
    return connection


def connect(path: Path, mode: str, busy_timeout_ms: int) -> sqlite3.Connection:
    """A connection in autocommit mode to an existing file; `mode` is a part of SQLite's URI."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_timeout_ms / 1000,
    )


def last(cursor: sqlite3.Cursor | sqlite3.Connection) -> Head:
    """The end of the log that `cursor` reads.

    Raises:
        sqlite3.DatabaseError: the row there is none that was ever written.
    """
    row = cursor.execute(f"SELECT rowid, hash FROM {EVENTS} ORDER BY rowid DESC LIMIT 1").fetchone()
    if row and not (isinstance(row[0], int) and isinstance(row[1], bytes)):
        damage = sqlite3.DatabaseError("the last event has no position or no hash")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    return Head(*row) if row else EMPTY


class SqliteReader:
    """The reading half of the port `EventLog`, on one connection. Get it from `open_reader`."""

    def __init__(self, path: Path, codec: Codec, connection: sqlite3.Connection, held: Identity) -> None:
        """Take over `connection` and `held`; both end with `close`."""
        self._path = path
        self._codec = codec
        self._connection = connection
        self._held = held
        self._own_index: Index | None = None
        self._closed = False

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def codec(self) -> Codec:
        """What reads its events."""
        return self._codec

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def index(self) -> Index:
        """Lists over history as of now: the index that lies in the file or, where another version of the
        program has left a different one, an index in memory, folded from the log."""
        from .index import Index

        head = self.head()
        stored = Index(self._connection, self._path)
        position = stored.position
        if position is not None and position >= head.position:
            return stored
        if self._own_index is None:
            self._own_index = Index.in_memory()
        rows = self._rows(self._own_index.position or 0, None)
        self._own_index.extend(self._blamed(indexed(self._codec, rows, str(self._path))))
        return self._own_index

    def index_at(self, position: int) -> Index:
        """Lists over history as of `position`, folded anew in memory; whoever asks closes it."""
        from .index import Index

        index = Index.in_memory()
        index.extend(self._blamed(indexed(self._codec, self._rows(0, position), str(self._path))))
        return index

    def listed_texts(self) -> frozenset[str] | None:
        """The texts that a sweep spares by the list in the log's own file; None: that list is of another
        version, and is made anew before it is used.
        """
        from .index import Index

        stored = Index(self._connection, self._path)
        return None if stored.position is None else stored.blobs()

    def read_stream(self, stream: str, after: int = 0) -> tuple[Recorded, ...]:
        """See `EventLog.read_stream`."""
        statement = (
            f"SELECT {_ROW} FROM {EVENTS} WHERE originator_id = ? AND originator_version > ?"
            " ORDER BY originator_version"
        )
        with told(self._path):
            rows: list[Row] = self._connection.execute(statement, (stream, after)).fetchall()
        for version, row in enumerate(rows, after + 1):
            if row[2] != version:  # A damaged index of SQLite's passes over events without a word.
                raise LogBroken(path=self._path, position=row[0], problem=f"{stream} lacks event {version}")
        return tuple(self._blamed(decoded(self._codec, rows, str(self._path))))

    def read_all(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """See `EventLog.read_all`. What is appended after the first event was read is not included."""
        return self._blamed(decoded(self._codec, self._rows(after, until), str(self._path)))

    def read_latest(
        self, kinds: Sequence[type[Event]], after: int, until: int, limit: int
    ) -> tuple[Recorded, ...]:
        """See `EventLog.read_latest`."""
        topics = [topic_of(kind) for kind in kinds]
        statement = (
            f"SELECT {_ROW} FROM {EVENTS} WHERE rowid > ? AND rowid <= ?"
            f" AND topic IN ({', '.join('?' * len(topics))}) ORDER BY rowid DESC LIMIT ?"
        )
        with told(self._path):
            rows: list[Row] = self._connection.execute(statement, (after, until, *topics, limit)).fetchall()
        return tuple(self._blamed(decoded(self._codec, reversed(rows), str(self._path))))

    def read_events(
        self, after: int = 0, until: int | None = None, *, check: bool = False
    ) -> Iterator[Replayed]:
        """What `read_all` gives, without most metadata, in less time: for folds.

        `check` verifies the chain on the way.

        Raises:
            LogBroken: with `check`, at the first event that is missing or not what was written.
        """
        path = str(self._path)
        if check:
            end = self.head().position if until is None else until
            rows = verified(self._careful(after, end), self.head_at(after), path)
            return self._blamed(replayed(self._codec, (rows,), path))
        return self._blamed(replayed(self._codec, self._batches(after, until), path))

    def rows_of_part(self, *, tasks: bool, until: int) -> Iterator[list[Row]]:
        """The events up to the position `until` as they lie there, in batches: of the streams of tasks, or of
        all others."""
        return self._batches(0, until, _OF_TASKS if tasks else f"NOT {_OF_TASKS}")

    def read_alive(self) -> Iterator[Replayed]:
        """What `read_events` gives, without the events of finished tasks' own streams: enough for a status,
        in a fraction of the time. Everything, where the file holds no index of this program's version.
        """
        from .index import Index

        stored = Index(self._connection, self._path)
        indexed_up_to = stored.position
        if indexed_up_to is None or indexed_up_to < self.head().position:
            return self.read_events()
        return self._blamed(replayed(self._codec, self._batches(0, None, _UNFINISHED), str(self._path)))

    def head(self) -> Head:
        """See `EventLog.head`."""
        with told(self._path):
            return last(self._connection)

    def head_at(self, position: int) -> Head:
        """The head as it was after the event at `position`; of position 0, that of an empty log.

        Raises:
            LogBroken: there is no such event.
        """
        if not position:
            return EMPTY
        with told(self._path):
            row = self._connection.execute(
                f"SELECT rowid, hash FROM {EVENTS} WHERE rowid = ?", (position,)
            ).fetchone()
        if row is None:
            raise LogBroken(path=self._path, position=position, problem="it is missing")
        return Head(*row)

    def verify(self, tail: int | None = None) -> Head:
        """Check the chain of the last `tail` events, or of all, and the sidecar; the head checked.

        Raises:
            LogBroken: with the first position that is not as it was acknowledged.
        """
        remembered = read_head(self._path)
        head = self._verify_chain(tail)
        if remembered is not None:
            self._check_remembered(remembered, head)
        return head

    def copy_to(self, target: Path, step: Callable[[int, int], None]) -> Head:
        """Copy the log as it is at one moment to a new file, also while its owner writes; its head.

        `step` is told, from time to time, how many pages of how many are copied.

        Raises:
            StoreFull, StoreError: it could not be copied; what lies at `target` is of no use.
        """
        with told(target), closing(sqlite3.connect(target, isolation_level=None)) as copy:
            # Within one transaction: else the copy would begin anew whenever the owner has written.
            self._connection.execute("BEGIN")
            try:
                head = last(self._connection)
                self._connection.backup(
                    copy, pages=_PAGES, progress=lambda _, left, all: step(all - left, all)
                )
                copy.execute(
                    "PRAGMA journal_mode = DELETE"
                )  # One file, which can be read from a read-only disk.
            finally:
                self._connection.execute("COMMIT")
        return head

    def rows(self, until: int) -> Iterator[Row]:
        """The events up to the position `until` as they lie there, verified.

        Raises:
            LogBroken: one of them is not what was written.
        """
        return verified(self._rows(0, until), EMPTY, str(self._path))

    def readable(self) -> Iterator[Row]:
        """The events as they lie there, up to the first one that is damaged, or missing, or the end."""
        with suppress(LogBroken):
            yield from verified(self._careful(0, _LARGEST), EMPTY, str(self._path))

    def faults(self) -> tuple[str, ...]:
        """What SQLite finds wrong with the file, also where no event is, in its own words: the first ones.

        Raises:
            StoreError: it cannot be looked at.
        """
        try:
            with told(self._path):
                rows = self._connection.execute(f"PRAGMA integrity_check({_FAULTS})").fetchall()
        except LogBroken as error:
            return (str(error.facts["problem"]),)
        return tuple(line for (line,) in rows if line != "ok")

    def close(self) -> None:
        """Release everything; a second call does nothing."""
        if not self._closed:
            self._closed = True
            try:
                if self._own_index is not None:
                    self._own_index.close()
                with told(self._path):
                    self._connection.close()
            finally:
                release(self._held)

    def _rows(self, after: int, until: int | None) -> Iterator[Row]:
        return chain.from_iterable(self._batches(after, until))

    def _batches(self, after: int, until: int | None, condition: str = "TRUE") -> Iterator[list[Row]]:
        # In batches: a statement left unfinished would hold back the checkpoint of the writer.
        statement = (
            f"SELECT {_ROW} FROM {EVENTS} WHERE rowid > ? AND rowid <= ? AND {condition}"
            f" ORDER BY rowid LIMIT {_BATCH}"
        )
        with told(self._path):
            end = last(self._connection).position if until is None else until
            while after < end:
                rows = self._connection.execute(statement, (after, end)).fetchall()
                if not rows:
                    return
                yield rows
                after = rows[-1][0]

    def _careful(self, after: int, until: int) -> Iterator[Row]:
        """Rows one by one, so that damage to the file itself has a position, too."""
        statement = f"SELECT {_ROW} FROM {EVENTS} WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
        position = after
        try:
            for row in self._connection.execute(statement, (after, until)):
                yield row
                position = row[0]
        except FAILURES as error:
            failure = translated(error, self._path)
            if isinstance(failure, LogBroken):
                failure = LogBroken(path=self._path, position=position + 1, problem=str(error))
            raise failure from error

    def _blamed(self, events: Iterator[T]) -> Iterator[T]:
        """`events`; an unknown one may come of a newer program, or of a damaged name."""
        try:
            yield from events
        except LogNewer as error:
            position = int(str(error.facts["position"]))
            check_chain(self._careful(position - 1, position), self.head_at(position - 1), str(self._path))
            raise

    def _verify_chain(self, tail: int | None) -> Head:
        try:
            head = self.head()
        except LogBroken:
            check_chain(self._careful(0, _LARGEST), EMPTY, str(self._path))  # Tells the position.
            raise
        after = 0 if tail is None else max(0, head.position - tail)
        found = check_chain(self._careful(after, head.position), self.head_at(after), str(self._path))
        if found != head:
            raise LogBroken(path=self._path, position=found.position + 1, problem="it is missing")
        return head

    def _check_remembered(self, remembered: Head, head: Head) -> None:
        if remembered.position > head.position:
            problem = (
                f"the log ends before it, but {remembered.position} events were acknowledged. It was cut off"
                " or restored from an older backup; --accept-rollback goes on from where it ends"
            )
            raise LogBroken(path=self._path, position=head.position + 1, problem=problem)
        if self.head_at(remembered.position) != remembered:
            problem = (
                "another event was acknowledged there. The log was restored from a backup and written since;"
                " --accept-rollback goes on with it"
            )
            raise LogBroken(path=self._path, position=remembered.position, problem=problem)
