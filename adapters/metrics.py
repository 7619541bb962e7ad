"""Session metrics: what the tasks of a period came to, in all and by model."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .store.index import TaskRow
from .views import View, usd

_DONE = ("completed", "failed", "cancelled")


def session_metrics(rows: Sequence[TaskRow]) -> View:
    """Counts, money (microdollars), times (ms) and turns of `rows`, in all and by model, dearest first."""
    ended = [row for row in rows if row.state in _DONE and row.attempts]
    by_model: dict[str, list[TaskRow]] = {}
    for row in ended:
        by_model.setdefault(row.model or "unknown", []).append(row)
    breakdown = [{"model": model, **_figures(of)} for model, of in by_model.items()]
    counts = {f"{state}_tasks": sum(row.state == state for row in rows) for state in _STATES}
    return {
        "total_tasks": len(rows),
        **counts,
        **_figures(ended),
        "model_breakdown": sorted(breakdown, key=_dearest_first),
    }


_STATES = ("pending", "parked", "running", "pending_review", "sealed", "completed", "failed", "cancelled")


def _figures(rows: Sequence[TaskRow]) -> View:
    times = [row.ran_ms for row in rows]
    cost = sum(row.cost for row in rows)
    return {
        "task_count": len(rows),
        "cost_usd": usd(cost),
        "cost_microdollars": cost,
        "avg_cost_microdollars": cost // len(rows) if rows else 0,
        "max_cost_microdollars": max((row.cost for row in rows), default=0),
        "avg_elapsed_ms": sum(times) // len(times) if times else 0,
        "median_elapsed_ms": int(median(times)) if times else 0,
        "max_elapsed_ms": max(times, default=0),
        "min_elapsed_ms": min(times, default=0),
        "total_turns": (turns := sum(row.turns for row in rows)),
        "avg_turns": turns / len(rows) if rows else 0.0,
        "tokens": {
            "input": sum(row.tokens_input for row in rows),
            "output": sum(row.tokens_output for row in rows),
            "cache_read": sum(row.tokens_cache_read for row in rows),
            "cache_write": sum(row.tokens_cache_write for row in rows),
        },
    }


def _dearest_first(figures: View) -> int:
    cost: int = figures["cost_microdollars"]
    return -cost
