"""The log in a SQLite file, written: one process, one connection, one durable transaction an append."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from claude_pool.domain.errors import LogBroken, StoreFailed, StoreFull, StoreUnreadable
from claude_pool.domain.ports import Head
from claude_pool.domain.records import Fact, Meta, Recorded
from eventsourcing.persistence import StoredEvent

from .chain import Row, drafts, indexed
from .codec import Codec
from .failures import refused, result_code, sync_directory, told, translated
from .identity import Found, Identity, hold, identify, identity, release
from .index import Index, Indexed
from .reader import SqliteReader, connect
from .recorder import ChainFactory, ChainRecorder
from .sidecar import Sidecar, read_head
from .wakes import Wakes

TAIL = 1000
"""So many of the last events are checked whenever a log is opened for writing."""


class SqliteEventLog(SqliteReader):
    """The port `EventLog` on a SQLite file, through the `eventsourcing` library's recorder.

    Whoever opens one holds the pool's lock: SQLite itself keeps a second writer out only for the length of
    a transaction. Get it from `SqliteEventLog.open`.
    """

    def __init__(
        self,
        path: Path,
        codec: Codec,
        connection: sqlite3.Connection,
        held: Identity,
        recorder: ChainRecorder,
        sidecar: Sidecar,
    ) -> None:
        """Take over everything; all of it ends with `close`."""
        super().__init__(path, codec, connection, held)
        self._recorder = recorder
        self._sidecar = sidecar
        self._index = Index(connection, path)
        self._wakes = Wakes()
        self._failed: str | None = None
        self._beside_wal = path.with_name(path.name + "-wal")
        self._wal: Identity | None = None
        self.rolled_back: Head | None = None
        """What was acknowledged before this log took its place, where that was accepted."""

    @classmethod
    def open(
        cls, path: Path | str, codec: Codec, *, accept_rollback: bool = False, busy_timeout_ms: int = 5_000
    ) -> Self:
        """Open the log at `path` for writing; create it (mode 0600) where there is no file or an empty one.

        `accept_rollback` goes on with a log that its sidecar contradicts. The index is rebuilt where it
        is not this log's or not of this version.

        Raises:
            StoreUnreadable: something else is there, or it cannot be written. Its bytes are untouched.
            LogNewer: a newer program wrote it. Its bytes are untouched.
            LogBroken: the chain of its last events is broken, or acknowledged events are missing.
            StoreError: another process has it locked, or an I/O error.
        """
        path = Path(path)
        if identify(path) is Found.NOTHING:
            _create(path, accept_rollback)
        with ExitStack() as undo:
            held = hold(path)
            undo.callback(release, held)
            with told(path):
                connection = connect(path, "mode=rw", busy_timeout_ms)
                undo.callback(connection.close)
                recorder = _set_up(connection, path)
            sidecar = Sidecar(path)
            undo.callback(sidecar.close)
            log = cls(path, codec, connection, held, recorder, sidecar)
            log._begin(accept_rollback)
            undo.pop_all()
            return log

    @property
    def index(self) -> Index:
        """Lists over history, as of the last append."""
        return self._index

    @property
    def recorder(self) -> ChainRecorder:
        """The library's recorder under this log, to read it with the library's own tools.

        What is inserted through it is chained, but neither in the index nor in the sidecar.
        """
        return self._recorder

    def append(self, facts: Sequence[Fact], expected: Mapping[str, int], meta: Meta) -> tuple[Recorded, ...]:
        """See `EventLog.append`. No facts, no transaction.

        Raises:
            StoreUnreadable: the file was deleted or replaced since it was opened.
            ValueError: a stream that `facts` touch is not in `expected`.
        """
        events = drafts(self._codec, facts, expected, meta, str(self._path))
        if not events:
            return ()
        self._check_file()
        recorded: list[Recorded] = []

        def within(cursor: sqlite3.Cursor, rows: Sequence[Row]) -> None:
            entries: list[Indexed] = []
            for (position, stream, version, _, state, digest), fact in zip(rows, facts, strict=True):
                recorded.append(Recorded(position, stream, version, fact.event, meta, digest))
                entries.append((position, stream, fact.event, meta.recorded_at, state))
            self._index.record(cursor, entries)

        try:
            stored = [StoredEvent(*event) for event in events]
            self._recorder.insert_events(stored, expected=expected, within=within)
        except sqlite3.Error as error:
            failure = translated(error, self._path)
            if result_code(error) == sqlite3.SQLITE_IOERR and not isinstance(failure, StoreFull):
                # After a failed fsync nobody knows what the disk holds; only reading it anew tells.
                self._failed = str(failure.facts["problem"])
                failure = StoreFailed(path=self._path, problem=self._failed)
            raise failure from error
        self._check_file()  # What was written into a file that went away meanwhile is not acknowledged.
        head = Head(recorded[-1].position, recorded[-1].hash)
        self._sidecar.remember(head)
        self._wakes.ring(head)
        return tuple(recorded)

    def on_append(self, wake: Callable[[Head], None]) -> Callable[[], None]:
        """See `EventLog.on_append`. `wake` runs in the appending thread and must not raise."""
        return self._wakes.add(wake)

    def close(self) -> None:
        """Release everything; a second call does nothing."""
        if not self._closed:
            self._sidecar.close()
        super().close()

    def _begin(self, accept_rollback: bool) -> None:
        head = self._verify_chain(TAIL)
        remembered = read_head(self._path)
        if remembered is not None:
            try:
                self._check_remembered(remembered, head)
            except LogBroken:
                if not accept_rollback:
                    raise
                self.rolled_back = remembered
        if self.rolled_back is None:
            self._sidecar.remember(head)  # Otherwise only the first append may let go of what was lost.
        if self._index.position != head.position:
            rows = self._rows(0, head.position)
            self._index.rebuild(self._blamed(indexed(self._codec, rows, str(self._path))))

    def _check_file(self) -> None:
        """SQLite commits happily into a file that nobody will find again."""
        if identity(self._path) != self._held:
            raise StoreUnreadable(
                path=self._path,
                problem="the file was deleted or replaced while the log was open",
                hint="Put it back and restart.",
            )
        wal = identity(self._beside_wal)
        self._wal = self._wal or wal
        if wal != self._wal:
            raise StoreUnreadable(
                path=self._beside_wal,
                problem="the file was deleted or replaced while the log was open",
                hint="Restart: the log is then read anew.",
            )
        if self._failed is not None:
            raise StoreFailed(path=self._path, problem=f"an earlier append failed: {self._failed}")


def _create(path: Path, accept_rollback: bool) -> None:
    remembered = read_head(path)
    if remembered is not None and remembered.position and not accept_rollback:
        problem = (
            f"there are no events, but {remembered.position} were acknowledged. The log was deleted or"
            " emptied; --accept-rollback begins a new one"
        )
        raise LogBroken(path=path, position=1, problem=problem)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_directory(path.parent)
    except OSError as error:
        raise refused(error, path) from error


def _set_up(connection: sqlite3.Connection, path: Path) -> ChainRecorder:
    """Make `connection` durable and the file a log. The order matters: set in WAL mode, the header's
    application_id would stay 0 for everyone who looks at the file until the next checkpoint."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # On macOS, fsync alone does not reach the disk.
    recorder = ChainFactory(connection).application_recorder()
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreUnreadable(
            path=path,
            problem=f"SQLite cannot keep a write-ahead log there (journal mode {mode})",
            hint="Choose a --state-dir on a local file system.",
        )
    return recorder
