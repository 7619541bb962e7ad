"""The budget as callers see it, and what they change about it."""

from __future__ import annotations

from enum import Enum

from claude_pool.domain.budgets import ScopeStatus, budget_status, scope_status, scope_statuses
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.ledger import DAY, TAG, WHOLE, Asked, Budget, SetLimits, next_day, scope_of
from claude_pool.domain.soft_limits import CHOICES, question_text
from claude_pool.domain.world import World

from .config.values import closest
from .views import View, usd

LONGEST_TAG = 64


class Keep(Enum):
    """A limit that is not to be changed."""

    KEEP = "keep"


KEEP = Keep.KEEP
Limit = int | None | Keep
"""Microdollars; None: there shall be no limit."""


def limits_for(budget: Budget, scope: str, limit: Limit, soft: Limit) -> SetLimits:
    """The command that changes the limits of a scope and keeps what is not mentioned.

    Raises:
        InvalidArgument: there is no such scope.
    """
    tag = scope.removeprefix(TAG)
    if scope not in (WHOLE, DAY) and not (scope.startswith(TAG) and 0 < len(tag) <= LONGEST_TAG):
        hint = closest(scope[:LONGEST_TAG], (WHOLE, DAY))
        raise InvalidArgument(argument="scope", problem=f"say pool, day, or tag: and a tag{hint}")
    hard_now, soft_now = budget.limits_of(scope)
    return SetLimits(
        scope,
        hard_now if isinstance(limit, Keep) else limit,
        soft_now if isinstance(soft, Keep) else soft,
    )


def budget_view(world: World, now: int) -> View:
    """The pool's money at `now` (ms): on top the pool's own, in `scopes` each account with its limits."""
    budget = budget_status(world)
    whole = _money(scope_status(world, WHOLE, now))
    return {
        **whole,
        "reservations": dict(budget.reservations),
        "scopes": [scope_view(each) for each in scope_statuses(world, now)],
    }


def scope_view(status: ScopeStatus) -> View:
    """One account: `day` is a date, and a question is named, where there is one."""
    view: View = {"scope": status.scope, **_money(status), "stopped": status.stopped}
    if status.scope == DAY:
        view["day"] = status.account.partition(":")[2]
    if status.question_id is not None:
        view["question_id"] = status.question_id
    return view


def _money(status: ScopeStatus) -> View:
    amounts = {
        "limit": status.limit,
        "soft_limit": status.soft,
        "spent": status.spent,
        "reserved": status.reserved,
        "free": status.free,
    }
    view: View = {}
    for name, amount in amounts.items():
        view[f"{name}_usd"] = None if amount is None else usd(amount)
        view[f"{name}_microdollars"] = amount
    return view


def question_view(asked: Asked, world: World) -> View:
    """A question about a soft limit. That of a day is over with the day."""
    scope = scope_of(asked.account)
    return {
        "question_id": asked.question_id,
        "kind": "soft_limit",
        "task_id": None,
        "text": question_text(asked, world.open_pool().budget),
        "scope": scope,
        "soft_limit_microdollars": asked.soft,
        "spent_microdollars": asked.spent,
        "choices": list(CHOICES),
        "deadline": next_day(asked.at) if scope == DAY else None,
        "default": None,
    }
