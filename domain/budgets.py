"""Budgets: where the pool's money stands, and whether it adds up."""

from __future__ import annotations

from dataclasses import dataclass

from .world import World


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """Microdollars since the budget was opened. `limit` and `free` are None where there is no limit."""

    limit: int | None
    spent: int
    reserved: int
    free: int | None
    reservations: tuple[tuple[str, int], ...]


def budget_status(world: World) -> BudgetStatus:
    """The pool's money at `world`'s position, with every open reservation by attempt."""
    budget = world.open_pool().budget
    return BudgetStatus(
        budget.limit, budget.spent, budget.reserved, budget.free, tuple(sorted(budget.reservations.items()))
    )
