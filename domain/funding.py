"""What an attempt sets aside before it starts and while it runs, and why it cannot.

An attempt with a limit of its own (the task's `max_budget`, else the pool's `task_budget`) reserves what is
left of it, whole, and is interrupted there. Every other attempt reserves what its next call may cost at worst
and is topped up from free funds while it runs. A small budget is shared: no attempt begins with more than an
equal part of what is unspent, so that one worst case does not keep all other slots waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import soft_limits, task
from .ledger import Level
from .pool import Open
from .values import TaskSpec, attempt_id
from .world import World

BUDGET = "budget"
"""Why a task is parked whose money is only reserved by others, or spent for today."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What the next API call costs, in microdollars: at `least`, with a short answer to what is known to go
    in, and at `worst`, with the longest one (None: there is no price to say it by)."""

    least: int = 1
    worst: int | None = None


ANY_PRICE = Quote()
"""Where no price list is at hand: whatever share is free."""

Price = Callable[[str | None, int, str | None], Quote]
"""Quotes a call by model, tokens of context and permission mode (which can change the model)."""


@dataclass(frozen=True, slots=True)
class Funding:
    """What an attempt reserves, in which accounts, and the cost at which it is interrupted (None: where no
    funds are free to top it up). `ahead` is what it keeps free while it runs: below that it asks for more."""

    amount: int
    cap: int | None
    accounts: tuple[str, ...] = ()
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Unaffordable:
    """The attempt cannot be paid. `why`: its own limit is spent (`task`) or its chain's (`chain`), an account
    can never cover it (`spent`), not before tomorrow (`day`), not before somebody is answered (`asked`), or
    not while others hold reservations (`reserved`). `level` is the account."""

    why: str
    needed: int
    level: Level


def short_of(world: World, spec: TaskSpec) -> str:
    """What a task waits for that is parked for money: an answer, or its money."""
    budget = world.open_pool().budget
    held = soft_limits.held(budget, budget.accounts(spec.tags, 0))
    return soft_limits.SOFT_LIMIT if held is not None and held.why == "asked" else BUDGET


def task_limit(pool: Open, spec: TaskSpec) -> int | None:
    """What all attempts of the task may cost together (microdollars): its own limit, else the pool's."""
    return pool.settings.task_budget if spec.options.max_budget is None else spec.options.max_budget


def accounts_of(world: World, spec: TaskSpec, now: int) -> tuple[str, ...]:
    """The accounts beside the pool's to which an attempt of the task is posted at `now` (ms)."""
    return world.open_pool().budget.accounts(spec.tags, now)


def chain_level(world: World, spec: TaskSpec) -> Level | None:
    """The account of the chain that the task is a step of; None where it has no budget."""
    state = world.chains.get(spec.part.chain_id) if spec.part is not None else None
    if state is None or state.work.plan.max_budget is None:
        return None
    spent, reserved = state.work.cost, 0
    held = world.open_pool().budget.held
    for _, at in state.work.started:
        step = world.tasks[at.task_id]
        spent += step.job.cost
        if isinstance(step, task.Running) and (of := held.get(task.live_attempt_id(step))) is not None:
            reserved += of.amount
    return Level("the chain", state.work.plan.max_budget, spent, reserved)


def levels(world: World, spec: TaskSpec, accounts: tuple[str, ...]) -> tuple[Level, ...]:
    """All accounts with a limit that a reservation for the task must respect."""
    chain = chain_level(world, spec)
    return world.open_pool().budget.levels(accounts) + (() if chain is None else (chain,))


def nobody_starts(world: World) -> bool:
    """Whether the pool's own account lets nothing start now that it may let start later: others hold all that
    is left, or somebody is asked."""
    budget = world.open_pool().budget
    hard = budget.level("")
    if hard is not None and hard.unspent == 0:
        return False  # what waits for this is given up
    held = soft_limits.held(budget, ())
    return (hard is not None and hard.free == 0) or (held is not None and held.why != "stopped")


def funding(world: World, job: task.Job, quote: Quote, now: int) -> Funding | Unaffordable:
    """What `job`'s next attempt reserves at `now` (ms); `quote` prices its first call."""
    accounts = accounts_of(world, job.spec, now)
    funds = _funding(world, job, quote, accounts)
    if isinstance(funds, Unaffordable) and funds.why != "reserved":
        return funds
    held = soft_limits.held(world.open_pool().budget, accounts)
    if held is None:
        return funds
    if held.why == "stopped":
        return Unaffordable("day" if held.level.of_a_day else "spent", 1, held.level)
    return Unaffordable(held.why, 1, held.level)


def _funding(world: World, job: task.Job, quote: Quote, accounts: tuple[str, ...]) -> Funding | Unaffordable:
    at = levels(world, job.spec, accounts)
    chain = chain_level(world, job.spec)
    if chain is not None and chain.unspent == 0:
        return Unaffordable("chain", 1, chain)
    limit = task_limit(world.open_pool(), job.spec)
    if limit is not None:
        left = limit - job.cost
        if left <= 0:
            return Unaffordable("task", left, Level(job.task_id, limit, job.cost, 0))
        # what a step may cost is never more than what its chain has left
        left = left if chain is None else min(left, chain.unspent)
        return _refusal(at, left, left) or Funding(left, left, accounts)
    budget = world.open_pool().budget
    soft = (level for account in ("", *accounts) if (level := budget.soft_level(account)) is not None)
    shared = (*at, *soft)  # a soft limit, too, is reached by many small steps rather than in one
    if not shared:
        return Funding(0, None, accounts)
    share = min(level.unspent for level in shared) // max(1, world.open_pool().target)
    if quote.worst is not None and quote.worst <= share:
        # half a call: with all of it ahead, every attempt would be topped up as soon as it spent anything
        ahead = quote.worst // 2
        return _refusal(at, quote.least, quote.worst) or Funding(quote.worst, None, accounts, ahead)
    # who has only a share of too little does not take the others' in advance
    wanted = max(share, quote.least, 1)
    return _refusal(at, quote.least, wanted) or Funding(wanted, None, accounts)


def _refusal(at: tuple[Level, ...], least: int, wanted: int) -> Unaffordable | None:
    """Why `wanted` cannot be reserved now; an account that does not even have `least` left never can."""
    for level in at:
        if level.unspent < least:
            later = level.of_a_day and level.limit >= least
            return Unaffordable("day" if later else "spent", least, level)
    for level in at:
        if level.free < wanted:
            return Unaffordable("reserved", wanted, level)
    return None


def top_up(world: World, state: task.Running, metered: int) -> int:
    """How much more (microdollars) is set aside for an attempt that has cost `metered` so far; 0: nothing.

    What is missing to what it has cost and keeps ahead, but not less than it began with, so that a log does
    not fill with small steps; at most what is free.
    """
    name = attempt_id(state.job.task_id, state.live.number)
    held = world.open_pool().budget.held.get(name)
    if held is None or state.live.cap is not None:
        return 0
    missing = metered + state.live.ahead - held.amount
    if missing < 0 or (missing == 0 and state.live.ahead):
        return 0
    free = [level.free for level in levels(world, state.job.spec, held.accounts)]
    # who keeps nothing ahead would else stand at its limit again at once, whatever is free
    wanted = max(missing, state.live.reserved) if state.live.ahead else missing + state.live.reserved
    return min([wanted, *free])
