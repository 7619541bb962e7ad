"""What each event changes in the index: one function for each stored name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from claude_pool.domain import chain_events as chains
from claude_pool.domain import task_events as facts
from claude_pool.domain.provider import ENDLESS
from claude_pool.domain.records import Event

from . import index_costs
from .index_change import Change, Rule

TABLES = (
    "CREATE TABLE index_state (schema INTEGER NOT NULL, position INTEGER NOT NULL)",
    """
    CREATE TABLE index_tasks (
        task_id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        slot_id TEXT,
        submitted_position INTEGER NOT NULL,
        attention_position INTEGER,
        submitted_at INTEGER NOT NULL,
        started_at INTEGER,
        attempt_started_at INTEGER,
        ended_at INTEGER,
        ran_ms INTEGER NOT NULL DEFAULT 0,
        model TEXT,
        cost INTEGER NOT NULL DEFAULT 0,
        tokens_input INTEGER NOT NULL DEFAULT 0,
        tokens_output INTEGER NOT NULL DEFAULT 0,
        tokens_cache_read INTEGER NOT NULL DEFAULT 0,
        tokens_cache_write INTEGER NOT NULL DEFAULT 0,
        turns INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        tags TEXT NOT NULL,
        priority INTEGER NOT NULL,
        chain_id TEXT,
        step TEXT,
        run INTEGER,
        skill TEXT,
        questions INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE index_chains (
        chain_id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        submitted_position INTEGER NOT NULL,
        attention_position INTEGER,
        submitted_at INTEGER NOT NULL,
        ended_at INTEGER,
        steps INTEGER NOT NULL,
        tags TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX index_chains_order ON index_chains (submitted_position)",
    """
    CREATE INDEX index_chains_attention ON index_chains (attention_position)
    WHERE attention_position IS NOT NULL
    """,
    "CREATE UNIQUE INDEX index_tasks_order ON index_tasks (submitted_position)",
    "CREATE INDEX index_tasks_state ON index_tasks (state, submitted_position)",
    """
    CREATE INDEX index_tasks_attention ON index_tasks (attention_position)
    WHERE attention_position IS NOT NULL
    """,
    """
    CREATE TABLE index_sessions (
        session TEXT PRIMARY KEY,
        task_id TEXT NOT NULL,
        slot_id TEXT,
        working_dir TEXT NOT NULL,
        position INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE TABLE index_blobs (sha256 TEXT PRIMARY KEY) WITHOUT ROWID",
    *index_costs.TABLES,
)
"""The whole index. A change to a table or a rule needs a new `index.SCHEMA`."""

_ENDED = """
    UPDATE index_tasks SET
        ran_ms = ran_ms + max(0, ? - coalesce(attempt_started_at, ?)),
        attempt_started_at = NULL,
        questions = 0,
        attention_position = NULL,
        model = coalesce(?, model),
        cost = cost + ?,
        tokens_input = tokens_input + ?,
        tokens_output = tokens_output + ?,
        tokens_cache_read = tokens_cache_read + ?,
        tokens_cache_write = tokens_cache_write + ?,
        turns = turns + ?
    WHERE task_id = ?
"""


def _submitted(position: int, stream: str, event: facts.TaskSubmitted, _: int) -> Change:
    spec, part = event.spec, event.spec.part
    tags = msgspec.json.encode(spec.tags).decode()
    place = (None, None, None) if part is None else (part.chain_id, part.step, part.run)
    return (
        "INSERT OR IGNORE INTO index_tasks"
        " (task_id, state, submitted_position, submitted_at, model, tags, priority, skill,"
        " chain_id, step, run)"
        " VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (stream, position, event.at, spec.options.model, tags, spec.priority, spec.skill, *place),
    )


def _started(_: int, stream: str, event: facts.AttemptStarted, __: int) -> Change:
    return (
        "UPDATE index_tasks SET state = 'running', slot_id = ?, started_at = coalesce(started_at, ?),"
        " attempt_started_at = ?, attempts = ?, model = coalesce(?, model), attention_position = NULL"
        " WHERE task_id = ?",
        (event.slot_id, event.at, event.at, event.attempt, event.model, stream),
    )


def _opened(position: int, stream: str, event: facts.SessionOpened, _: int) -> Change:
    return (
        "INSERT OR REPLACE INTO index_sessions"
        " VALUES (?, ?, (SELECT slot_id FROM index_tasks WHERE task_id = ?), ?, ?)",
        (event.session, stream, stream, event.working_dir, position),
    )


def _attempt_ended(
    _: int,
    stream: str,
    event: facts.AttemptSucceeded | facts.AttemptFailed | facts.AttemptCancelled | facts.AttemptSealed,
    __: int,
) -> Change:
    outcome, tokens = event.outcome, event.outcome.tokens
    return (
        _ENDED,
        (
            event.at, event.at, outcome.model, outcome.cost, tokens.input, tokens.output,
            tokens.cache_read, tokens.cache_write, outcome.turns, stream,
        ),
    )  # fmt: skip


def _waits(state: str) -> Rule:
    """The task waits without anybody having to look."""

    def rule(_: int, stream: str, __: Event, ___: int) -> Change:
        return (
            "UPDATE index_tasks SET state = ?, attention_position = NULL WHERE task_id = ?",
            (state, stream),
        )

    return rule


def _parked(position: int, stream: str, event: facts.TaskParked, _: int) -> Change:
    """A task that waits for a login or for money needs someone; any other wait ends by itself."""
    return (
        "UPDATE index_tasks SET state = 'parked', attention_position = ? WHERE task_id = ?",
        (position if event.reason in ENDLESS else None, stream),
    )


def _needs_someone(state: str) -> Rule:
    """The task asks for a decision, and has not ended."""

    def rule(position: int, stream: str, _: Event, __: int) -> Change:
        return (
            "UPDATE index_tasks SET state = ?, attention_position = ? WHERE task_id = ?",
            (state, position, stream),
        )

    return rule


def _asked(position: int, stream: str, _: Event, __: int) -> Change:
    return (
        "UPDATE index_tasks SET questions = questions + 1, attention_position = ? WHERE task_id = ?",
        (position, stream),
    )


def _answered(_: int, stream: str, __: Event, ___: int) -> Change:
    return (
        "UPDATE index_tasks SET questions = max(0, questions - 1),"
        " attention_position = CASE WHEN questions > 1 THEN attention_position END WHERE task_id = ?",
        (stream,),
    )


def _terminal(state: str) -> Rule:
    def rule(position: int, stream: str, _: Event, recorded_at: int) -> Change:
        return (
            "UPDATE index_tasks SET state = ?, attention_position = ?, ended_at = ? WHERE task_id = ?",
            (state, position, recorded_at, stream),
        )

    return rule


def _chain_submitted(position: int, stream: str, event: chains.ChainSubmitted, _: int) -> Change:
    tags = msgspec.json.encode(event.plan.tags).decode()
    return (
        "INSERT OR IGNORE INTO index_chains (chain_id, state, submitted_position, submitted_at, steps, tags)"
        " VALUES (?, 'running', ?, ?, ?, ?)",
        (stream, position, event.at, len(event.plan.steps), tags),
    )


def _chain_ended(state: str) -> Rule:
    def rule(position: int, stream: str, _: Event, recorded_at: int) -> Change:
        return (
            "UPDATE index_chains SET state = ?, attention_position = ?, ended_at = ? WHERE chain_id = ?",
            (state, position, recorded_at, stream),
        )

    return rule


RULES: Mapping[str, Rule] = {
    facts.TaskSubmitted.NAME: _submitted,
    facts.TaskParked.NAME: _parked,
    facts.TaskUnparked.NAME: _waits("pending"),
    facts.AttemptStarted.NAME: _started,
    facts.SessionOpened.NAME: _opened,
    facts.AttemptSucceeded.NAME: _attempt_ended,
    facts.AttemptFailed.NAME: _attempt_ended,
    facts.AttemptCancelled.NAME: _attempt_ended,
    facts.AttemptSealed.NAME: _attempt_ended,
    facts.TaskSealed.NAME: _needs_someone("sealed"),
    facts.ReviewRequested.NAME: _needs_someone("pending_review"),
    facts.TaskRejected.NAME: _waits("pending"),
    facts.QuestionAsked.NAME: _asked,
    facts.QuestionAnswered.NAME: _answered,
    facts.QuestionExpired.NAME: _answered,
    facts.TaskReopened.NAME: _waits("pending"),
    facts.TaskCompleted.NAME: _terminal("completed"),
    facts.TaskFailed.NAME: _terminal("failed"),
    facts.TaskCancelled.NAME: _terminal("cancelled"),
    chains.ChainSubmitted.NAME: _chain_submitted,
    chains.ChainCompleted.NAME: _chain_ended("completed"),
    chains.ChainFailed.NAME: _chain_ended("failed"),
    chains.ChainCancelled.NAME: _chain_ended("cancelled"),
}
"""Stored name -> rule. Events without a rule leave the index as it is."""
