"""Budgets: where the pool's money stands, and whether it adds up."""

from __future__ import annotations

from dataclasses import dataclass

from .ledger import DAY, WHOLE
from .soft_limits import open_questions
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


@dataclass(frozen=True, slots=True)
class ScopeStatus:
    """One account with the limits in force: `pool`, `day`, or a tag's. Microdollars.

    `account` is empty for the pool, else the day or the tag. `stopped`: somebody stopped all new work
    there. `question_id` asks about its soft limit.
    """

    scope: str
    account: str
    limit: int | None
    soft: int | None
    spent: int
    reserved: int
    free: int | None
    stopped: bool
    question_id: str | None


def scope_statuses(world: World, now: int) -> tuple[ScopeStatus, ...]:
    """The pool, today (`now` is in ms), and every tag that has or had a limit."""
    tags = sorted(name for name in world.open_pool().budget.scopes if name != DAY)
    return tuple(scope_status(world, scope, now) for scope in (WHOLE, DAY, *tags))


def scope_status(world: World, scope: str, now: int) -> ScopeStatus:
    """Where the money of one scope stands at `now` (ms)."""
    budget = world.open_pool().budget
    account = budget.account_now(scope, now)
    hard, soft, said = budget.level(account), budget.soft_level(account), budget.ruling(account)
    spent, reserved = budget.standing(account)
    asked = (each.question_id for each in open_questions(budget, now) if each.account == account)
    return ScopeStatus(
        scope,
        account,
        None if hard is None else hard.limit,
        None if soft is None else soft.limit,
        spent,
        reserved,
        None if hard is None else hard.free,
        said is not None and said.limit is not None,
        next(asked, None),
    )
