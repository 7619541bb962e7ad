"""Session metrics: what the attempts of a period's tasks came to, in all and by model."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from claude_pool.domain.costs import AttemptCost, figures

from .costs import percentiles, tokens_view
from .store.index import TaskRow
from .views import View, usd

_STATES = ("pending", "parked", "running", "pending_review", "sealed", "completed", "failed", "cancelled")


def session_metrics(tasks: Sequence[TaskRow], attempts: Sequence[AttemptCost]) -> View:
    """Counts of `tasks` by state, and what their settled `attempts` came to, in all and by model.

    Money is in microdollars, times in ms. Averages and bounds are those of tasks, each with all of its
    attempts (by model: those of the model); percentiles are those of single attempts.
    """
    by_model: dict[str, list[AttemptCost]] = {}
    for attempt in attempts:
        by_model.setdefault(attempt.model or "unknown", []).append(attempt)
    breakdown = [{"model": model, **_figures(of)} for model, of in by_model.items()]
    return {
        "total_tasks": len(tasks),
        **{f"{state}_tasks": sum(row.state == state for row in tasks) for state in _STATES},
        **_figures(attempts),
        "model_breakdown": sorted(breakdown, key=_dearest_first),
    }


def _figures(attempts: Sequence[AttemptCost]) -> View:
    costs: dict[str, int] = {}
    times: dict[str, int] = {}
    for each in attempts:
        costs[each.task_id] = costs.get(each.task_id, 0) + each.cost
        times[each.task_id] = times.get(each.task_id, 0) + each.elapsed_ms
    found = figures(attempts)
    return {
        "task_count": found.tasks,
        "attempt_count": found.attempts,
        "cost_usd": usd(found.cost),
        "cost_microdollars": found.cost,
        "estimated_microdollars": found.estimated,
        "avg_cost_microdollars": found.cost // found.tasks if found.tasks else 0,
        "max_cost_microdollars": max(costs.values(), default=0),
        "avg_elapsed_ms": sum(times.values()) // found.tasks if found.tasks else 0,
        "median_elapsed_ms": int(median(times.values())) if times else 0,
        "max_elapsed_ms": max(times.values(), default=0),
        "min_elapsed_ms": min(times.values(), default=0),
        **percentiles(found),
        "total_turns": found.turns,
        "avg_turns": found.turns / found.tasks if found.tasks else 0.0,
        "tokens": tokens_view(found),
    }


def _dearest_first(figures: View) -> int:
    cost: int = figures["cost_microdollars"]
    return -cost
