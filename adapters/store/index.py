"""Lists over history: tables beside the log that can be dropped and folded again at any time."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec
from claude_pool.domain.records import Event

from .failures import told
from .index_costs import COST_RULES, Costs
from .index_rules import RULES, TABLES
from .index_samples import latest_samples

if TYPE_CHECKING:
    from claude_pool.domain.histories import Sample

SCHEMA = 6
"""Version of the tables and of the rules that fill them; another number has the index rebuilt."""

Indexed = tuple[int, str, Event, int, bytes]
"""position, stream, event, recorded_at (ms), envelope: what the index is told of an event."""

_TABLES = {
    *("index_state", "index_tasks", "index_chains", "index_sessions", "index_blobs"),
    *("index_attempts", "index_charges", "index_limits"),
}
_BLOB = re.compile(rb'"blob":"([0-9a-f]{64})"')
_TASK = (
    "task_id, state, slot_id, submitted_position, attention_position, submitted_at, started_at, ended_at,"
    " ran_ms, model, cost, tokens_input, tokens_output, tokens_cache_read, tokens_cache_write, turns,"
    " attempts, priority, tags"
)
_SESSION = "session, task_id, slot_id, working_dir, position"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task in a list. Times are ms since the epoch, `cost` is in microdollars.

    `state` is a task state of the interface. `slot_id` is where the last attempt ran; `started_at` is the
    start of the first one, `ran_ms` the length of all ended ones together. `attention_position` is where the
    task last became terminal or began to wait for someone; None: neither.
    """

    task_id: str
    state: str
    slot_id: str | None
    submitted_position: int
    attention_position: int | None
    submitted_at: int
    started_at: int | None
    ended_at: int | None
    ran_ms: int
    model: str | None
    cost: int
    tokens_input: int
    tokens_output: int
    tokens_cache_read: int
    tokens_cache_write: int
    turns: int
    attempts: int
    priority: int
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A chain in a list. `attention_position` is where it ended; None: it has not."""

    chain_id: str
    state: str
    submitted_position: int
    attention_position: int | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """Where a conversation was last used: the task, its slot and directory, and since which position."""

    session: str
    task_id: str
    slot_id: str | None
    working_dir: str
    position: int


class Index:
    """The index of one log. Who writes the log calls `record` inside each append."""

    def __init__(self, connection: sqlite3.Connection, path: Path | str) -> None:
        """Use the tables in `connection`, whose file is `path`; they need not exist yet."""
        self._connection = connection
        self._path = path

    @classmethod
    def in_memory(cls) -> Self:
        """An empty index of its own, for a log that is not a database or whose index is another version's."""
        index = cls(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), "memory")
        index.rebuild(())
        return index

    @property
    def position(self) -> int | None:
        """The last event in the index; None where there is no whole index of this schema."""
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'index%'"
        with told(self._path):
            if not {name for (name,) in self._connection.execute(tables)} >= _TABLES:
                return None
            row = self._connection.execute("SELECT * FROM index_state").fetchone()
        return row[1] if row and row[0] == SCHEMA else None

    def rebuild(self, events: Iterable[Indexed]) -> None:
        """Drop the tables, whatever they are, and fold all `events` of the log into new ones."""
        with self._transaction() as cursor:
            for (table,) in cursor.execute(
                r"SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'index\_%' ESCAPE '\'"
            ).fetchall():
                cursor.execute(f'DROP TABLE "{table}"')
            for statement in TABLES:
                cursor.execute(statement)
            cursor.execute("INSERT INTO index_state VALUES (?, 0)", (SCHEMA,))
            self.record(cursor, events)

    def extend(self, events: Iterable[Indexed]) -> None:
        """Fold the next events of the log, in a transaction of their own."""
        with self._transaction() as cursor:
            self.record(cursor, events)

    def record(self, cursor: sqlite3.Cursor, events: Iterable[Indexed]) -> None:
        """Fold the next events of the log, in the transaction of `cursor`."""
        position = None
        for position, stream, event, recorded_at, state in events:
            for rules in (RULES, COST_RULES):
                if rule := rules.get(event.NAME):
                    cursor.execute(*rule(position, stream, event, recorded_at))
            if b'"blob"' in state:
                names = [(name.decode(),) for name in _BLOB.findall(state)]
                cursor.executemany("INSERT OR IGNORE INTO index_blobs VALUES (?)", names)
        if position is not None:
            cursor.execute("UPDATE index_state SET position = ?", (position,))

    def list_tasks(
        self,
        *,
        state: str | None = None,
        tag: str | None = None,
        slot: str | None = None,
        limit: int = 50,
        before_position: int | None = None,
    ) -> tuple[TaskRow, ...]:
        """At most `limit` tasks, the latest submitted first.

        `slot` is where the last attempt ran. `before_position` is the cursor: the `submitted_position`
        of the last row of the page before.
        """
        return self._tasks(
            {
                "state = ?": state,
                "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)": tag,
                "slot_id = ?": slot,
                "submitted_position < ?": before_position,
            },
            "submitted_position DESC",
            limit,
        )

    def attention_since(
        self, position: int, task_ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[TaskRow, ...]:
        """What became terminal or began to wait for someone after `position`, in that order.

        `task_ids` narrows it to these tasks; without it, the ends of chains' steps are left out. The
        `attention_position` of the last row is the next cursor.
        """
        own = None if task_ids is not None else 1
        wanted = None if task_ids is None else msgspec.json.encode(list(task_ids)).decode()
        return self._tasks(
            {
                "attention_position > ?": position,
                "task_id IN (SELECT value FROM json_each(?))": wanted,
                "(chain_id IS NULL OR ended_at IS NULL) = ?": own,
            },
            "attention_position",
            limit,
        )

    def chains_since(
        self, position: int, chain_ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[ChainRow, ...]:
        """The chains that ended after `position`, in that order; `chain_ids` narrows it to these."""
        wanted = None if chain_ids is None else msgspec.json.encode(list(chain_ids)).decode()
        narrowed = "" if wanted is None else " AND chain_id IN (SELECT value FROM json_each(?))"
        return self._chains(
            f"attention_position > ?{narrowed} ORDER BY attention_position LIMIT ?",
            (position, limit) if wanted is None else (position, wanted, limit),
        )

    def list_chains(
        self, state: str | None = None, limit: int = 50, before_position: int | None = None
    ) -> tuple[ChainRow, ...]:
        """At most `limit` chains, the latest submitted first; `before_position` is the cursor."""
        return self._chains(
            "coalesce(state = ?, TRUE) AND coalesce(submitted_position < ?, TRUE)"
            " ORDER BY submitted_position DESC LIMIT ?",
            (state, before_position, limit),
        )

    def _chains(self, condition: str, given: tuple[object, ...]) -> tuple[ChainRow, ...]:
        columns = "chain_id, state, submitted_position, attention_position"
        with told(self._path):
            rows = self._connection.execute(f"SELECT {columns} FROM index_chains WHERE {condition}", given)
            return tuple(ChainRow(*row) for row in rows.fetchall())

    def tasks_between(
        self,
        since: int | None = None,
        until: int | None = None,
        model: str | None = None,
        tag: str | None = None,
    ) -> tuple[TaskRow, ...]:
        """The tasks submitted in [`since`, `until`] (ms), in order: what metrics are made of."""
        return self._tasks(
            {
                "submitted_at >= ?": since,
                "submitted_at <= ?": until,
                "model = ?": model,
                "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)": tag,
            },
            "submitted_position",
            -1,
        )

    @property
    def costs(self) -> Costs:
        """What attempts cost."""
        return Costs(self._connection, self._path)

    def samples(self) -> tuple[Sample, ...]:
        """What the latest tasks that ended took and cost, the latest first."""
        return latest_samples(self._connection, self._path)

    def count(self, state: str) -> int:
        """How many tasks are in a state."""
        with told(self._path):
            row = self._connection.execute("SELECT count(*) FROM index_tasks WHERE state = ?", (state,))
            return int(row.fetchone()[0])

    def session(self, session: str) -> SessionRow | None:
        """Where conversation `session` was last used; None where it is unknown."""
        with told(self._path):
            row = self._connection.execute(
                f"SELECT {_SESSION} FROM index_sessions WHERE session = ?", (session,)
            ).fetchone()
        return SessionRow(*row) if row else None

    def blobs(self) -> frozenset[str]:
        """The texts that lie in files and that some event names, by SHA-256 (hex)."""
        with told(self._path):
            return frozenset(name for (name,) in self._connection.execute("SELECT sha256 FROM index_blobs"))

    def close(self) -> None:
        """Close the connection, where it is the index's own."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Cursor]:
        cursor = self._connection.cursor()
        with told(self._path):
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise
            cursor.execute("COMMIT")

    def _tasks(self, conditions: dict[str, object], order: str, limit: int) -> tuple[TaskRow, ...]:
        given = {text: value for text, value in conditions.items() if value is not None}
        where = " AND ".join(given) or "TRUE"
        statement = f"SELECT {_TASK} FROM index_tasks WHERE {where} ORDER BY {order} LIMIT ?"
        with told(self._path):
            rows = self._connection.execute(statement, (*given.values(), limit)).fetchall()
        return tuple(replace(TaskRow(*row), tags=_tags(row[-1])) for row in rows)


_tags = msgspec.json.Decoder(tuple[str, ...]).decode
