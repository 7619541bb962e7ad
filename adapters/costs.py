"""Costs as callers see them: rows, a total, and what is spent of the limit."""

from __future__ import annotations

from claude_pool.domain.costs import Figures, Report

from .store.index_costs import Allowance
from .views import View, usd


def costs_view(found: Report, allowance: Allowance) -> View:
    """A report, with the pool's limit and what is spent of it since it was last counted from 0.

    `share` is the part of the total, from 0 to 1; percentiles are of single attempts, by nearest rank.
    """
    total = found.total.cost
    return {
        "by": found.by.value,
        "rows": [
            {"key": group.key, "label": group.label, **figures_view(group.figures, total)}
            for group in found.groups
        ],
        "left_out": found.left_out,
        "total": figures_view(found.total, total),
        "spent_microdollars": allowance.spent,
        "budget_microdollars": allowance.limit,
    }


def figures_view(figures: Figures, total: int) -> View:
    """What a row comes to; `total` (microdollars) is what its share is of."""
    return {
        "attempts": figures.attempts,
        "tasks": figures.tasks,
        "cost_usd": usd(figures.cost),
        "cost_microdollars": figures.cost,
        "share": round(figures.cost / total, 6) if total else 0.0,
        "estimated_microdollars": figures.estimated,
        "overdrawn_microdollars": figures.overdrawn,
        "charged_microdollars": figures.charged,
        "tokens": tokens_view(figures),
        "turns": figures.turns,
        **percentiles(figures),
        "max_cost_microdollars": figures.costs.most,
        "max_elapsed_ms": figures.times.most,
    }


def tokens_view(figures: Figures) -> View:
    """Tokens by class."""
    tokens = figures.tokens
    return {
        "input": tokens.input,
        "output": tokens.output,
        "cache_read": tokens.cache_read,
        "cache_write": tokens.cache_write,
    }


def percentiles(figures: Figures) -> View:
    """What the middle one and one of the dearest and of the longest attempts took."""
    return {
        "p50_cost_microdollars": figures.costs.p50,
        "p95_cost_microdollars": figures.costs.p95,
        "p50_elapsed_ms": figures.times.p50,
        "p95_elapsed_ms": figures.times.p95,
    }
