"""The part of the index that knows what each attempt cost: its tables, rules, and the rows read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from claude_pool.domain import pool_events as money
from claude_pool.domain import task_events as facts
from claude_pool.domain.values import Tokens, attempt_id

from .failures import told
from .index_change import Change, Rule

if TYPE_CHECKING:
    from claude_pool.domain.costs import AttemptCost, Charge

TABLES = (
    """
    CREATE TABLE index_attempts (
        attempt TEXT PRIMARY KEY,
        task_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        position INTEGER,
        settled_at INTEGER,
        day TEXT,
        state TEXT NOT NULL DEFAULT 'running',
        code TEXT,
        slot_id TEXT,
        model TEXT,
        started_at INTEGER,
        ended_at INTEGER,
        cost INTEGER NOT NULL DEFAULT 0,
        estimated INTEGER NOT NULL DEFAULT 0,
        overdrawn INTEGER NOT NULL DEFAULT 0,
        tokens_input INTEGER NOT NULL DEFAULT 0,
        tokens_output INTEGER NOT NULL DEFAULT 0,
        tokens_cache_read INTEGER NOT NULL DEFAULT 0,
        tokens_cache_write INTEGER NOT NULL DEFAULT 0,
        turns INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE index_charges (
        position INTEGER PRIMARY KEY,
        slot_id TEXT NOT NULL,
        settled_at INTEGER NOT NULL,
        day TEXT NOT NULL,
        why TEXT NOT NULL,
        cost INTEGER NOT NULL
    )
    """,
    "CREATE TABLE index_limits (position INTEGER PRIMARY KEY, opens INTEGER NOT NULL, amount INTEGER)",
)

_LATEST = 253_402_300_799
"""The last second of the year 9999, beyond which there are no dates."""

_SETTLED = """
    SELECT a.attempt, a.task_id, a.number, a.position, a.settled_at, a.day, a.state, a.code, a.slot_id,
        a.model, a.started_at, a.ended_at, a.cost, a.estimated, a.overdrawn, a.tokens_input, a.tokens_output,
        a.tokens_cache_read, a.tokens_cache_write, a.turns,
        t.chain_id, t.step, t.run, t.skill, t.tags
    FROM index_attempts a LEFT JOIN index_tasks t ON t.task_id = a.task_id
    WHERE a.position IS NOT NULL
"""

_ENDS = {
    facts.AttemptSucceeded.NAME: "succeeded",
    facts.AttemptFailed.NAME: "failed",
    facts.AttemptCancelled.NAME: "cancelled",
    facts.AttemptSealed.NAME: "sealed",
}

_AttemptEnd = facts.AttemptSucceeded | facts.AttemptFailed | facts.AttemptCancelled | facts.AttemptSealed


def day(milliseconds: int) -> str:
    """The date of a time of the log, by UTC: `2026-01-31`."""
    return f"{datetime.fromtimestamp(max(0, min(milliseconds // 1000, _LATEST)), UTC):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attempts: settled in [`since`, `until`] (ms since the epoch), and whose. None: any.

    `submitted_since` and `submitted_until` narrow it to those of tasks that were submitted in that time.
    """

    since: int | None = None
    until: int | None = None
    model: str | None = None
    tag: str | None = None
    chain_id: str | None = None
    task_id: str | None = None
    submitted_since: int | None = None
    submitted_until: int | None = None


ANY = Wanted()


@dataclass(frozen=True, slots=True)
class Allowance:
    """The pool's limit (microdollars; None: none) and what was spent since it was last counted from 0."""

    limit: int | None
    spent: int


class Costs:
    """What attempts cost, from the index of one log."""

    def __init__(self, connection: sqlite3.Connection, path: Path | str) -> None:
        """Read the tables in `connection`, whose file is `path`."""
        self._connection = connection
        self._path = path

    def attempts(self, wanted: Wanted = ANY) -> tuple[AttemptCost, ...]:
        """The settled attempts that are wanted, in the order of their settlement."""
        conditions: dict[str, object] = {
            "a.settled_at >= ?": wanted.since,
            "a.settled_at <= ?": wanted.until,
            "a.model = ?": wanted.model,
            "EXISTS (SELECT 1 FROM json_each(t.tags) WHERE value = ?)": wanted.tag,
            "t.chain_id = ?": wanted.chain_id,
            "a.task_id = ?": wanted.task_id,
            "t.submitted_at >= ?": wanted.submitted_since,
            "t.submitted_at <= ?": wanted.submitted_until,
        }
        return tuple(_attempt(row) for row in self._rows(_SETTLED, conditions, "a.position"))

    def charges(self, since: int | None = None, until: int | None = None) -> tuple[Charge, ...]:
        """What slots spent outside of attempts in [`since`, `until`] (ms), in order."""
        from claude_pool.domain.costs import Charge

        columns = "SELECT position, slot_id, settled_at, day, why, cost FROM index_charges WHERE TRUE"
        conditions: dict[str, object] = {"settled_at >= ?": since, "settled_at <= ?": until}
        return tuple(Charge(*row) for row in self._rows(columns, conditions, "position"))

    def allowance(self) -> Allowance:
        """The limit in force, and what is spent of it."""
        last = "SELECT amount FROM index_limits ORDER BY position DESC LIMIT 1"
        opened = "SELECT coalesce(max(position), 0) FROM index_limits WHERE opens"
        spent = f"SELECT coalesce(sum(cost), 0) FROM {{}} WHERE position > ({opened})"
        with told(self._path):
            limit = self._connection.execute(last).fetchone()
            sums = [
                self._connection.execute(spent.format(table)).fetchone()[0]
                for table in ("index_attempts", "index_charges")
            ]
        return Allowance(limit[0] if limit else None, sum(sums))

    def _rows(self, select: str, conditions: dict[str, object], order: str) -> list[tuple[Any, ...]]:
        given = {text: value for text, value in conditions.items() if value is not None}
        where = "".join(f" AND {text}" for text in given)
        with told(self._path):
            return self._connection.execute(
                f"{select}{where} ORDER BY {order}", tuple(given.values())
            ).fetchall()


def _attempt(row: tuple[Any, ...]) -> AttemptCost:
    """The value of a row of `_SETTLED`."""
    from claude_pool.domain.costs import AttemptCost

    (estimated, overdrawn), tokens, turns = row[13:15], Tokens(*row[15:19]), row[19]
    chain_id, step, run, skill, tags = row[20:]
    name, _, digest = (skill or "").partition("@")
    values: list[Any] = [
        *row[:13], bool(estimated), overdrawn, tokens, turns, chain_id, step, run or 1, name or None,
        digest or None, _tags(tags) if tags else (),
    ]  # fmt: skip
    return AttemptCost(*values)


def _started(_: int, stream: str, event: facts.AttemptStarted, __: int) -> Change:
    return (
        "INSERT OR IGNORE INTO index_attempts (attempt, task_id, number, slot_id, model, started_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (attempt_id(stream, event.attempt), stream, event.attempt, event.slot_id, event.model, event.at),
    )


def _ended(_: int, stream: str, event: _AttemptEnd, __: int) -> Change:
    outcome, tokens = event.outcome, event.outcome.tokens
    return (
        "UPDATE index_attempts SET state = ?, code = ?, model = coalesce(?, model), ended_at = ?,"
        " tokens_input = ?, tokens_output = ?, tokens_cache_read = ?, tokens_cache_write = ?, turns = ?"
        " WHERE attempt = ?",
        (
            _ENDS[event.NAME], outcome.code, outcome.model, event.at, tokens.input, tokens.output,
            tokens.cache_read, tokens.cache_write, outcome.turns, attempt_id(stream, event.attempt),
        ),
    )  # fmt: skip


def _settled(position: int, _: str, event: money.FundsSettled, recorded_at: int) -> Change:
    # Whatever else the log says of the attempt: what was settled is in every sum.
    task_id, _, number = event.attempt.rpartition(".")
    return (
        "INSERT INTO index_attempts"
        " (attempt, task_id, number, position, settled_at, day, cost, estimated, overdrawn)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET position = excluded.position, settled_at = excluded.settled_at,"
        " day = excluded.day, cost = cost + excluded.cost, estimated = excluded.estimated,"
        " overdrawn = overdrawn + excluded.overdrawn",
        (
            event.attempt, task_id, int(number) if number.isdecimal() else 0, position, recorded_at,
            day(recorded_at), event.cost, event.estimated, event.overdrawn,
        ),
    )  # fmt: skip


def _charged(position: int, _: str, event: money.FundsCharged, recorded_at: int) -> Change:
    return (
        "INSERT INTO index_charges VALUES (?, ?, ?, ?, ?, ?)",
        (position, event.slot_id, recorded_at, day(recorded_at), event.why, event.cost),
    )


def _limited(
    position: int, _: str, event: money.BudgetOpened | money.BudgetLimitChanged | money.LimitsSet, __: int
) -> Change:
    if isinstance(event, money.LimitsSet) and event.scope != "pool":
        return "SELECT 1 WHERE FALSE", ()
    opens = isinstance(event, money.BudgetOpened)
    return "INSERT INTO index_limits VALUES (?, ?, ?)", (position, opens, event.limit)


COST_RULES: Mapping[str, Rule] = {
    facts.AttemptStarted.NAME: _started,
    **dict.fromkeys(_ENDS, _ended),
    money.FundsSettled.NAME: _settled,
    money.FundsCharged.NAME: _charged,
    money.BudgetOpened.NAME: _limited,
    money.BudgetLimitChanged.NAME: _limited,
    money.LimitsSet.NAME: _limited,
}
"""Stored name -> rule, beside the rules of lists."""

_tags = msgspec.json.Decoder(tuple[str, ...]).decode
