"""What tasks that ended took and cost, as the index knows it: what a forecast is made of."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .failures import told

if TYPE_CHECKING:
    from claude_pool.domain.histories import Sample

MOST_ENDED = 2_000
"""Of the tasks that ended, only so many of the latest submitted are read."""

# The plus keeps SQLite from the index over states, with which it would sort all tasks that ever ended.
_ENDED = """
    SELECT model, skill, step, tags, ran_ms, cost FROM index_tasks
    WHERE +state IN ('completed', 'failed') AND attempts > 0
    ORDER BY submitted_position DESC LIMIT ?
"""


def latest_samples(connection: sqlite3.Connection, path: Path | str) -> tuple[Sample, ...]:
    """The tasks that ran and ended by themselves, the latest submitted first. Cancelled ones say nothing of
    how long a task takes."""
    from claude_pool.domain.histories import Sample, Traits
    from claude_pool.domain.workload import skill_name

    with told(path):
        rows = connection.execute(_ENDED, (MOST_ENDED,)).fetchall()
    return tuple(
        Sample(Traits(model, skill_name(skill), step, _tags(tags)), ran_ms, cost)
        for model, skill, step, tags, ran_ms, cost in rows
    )


_tags = msgspec.json.Decoder(tuple[str, ...]).decode
