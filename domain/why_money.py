"""Why nothing more starts for money: what is spent, who has what reserved, and who set the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .answers import Answer, Because, clock
from .budgets import ScopeStatus, scope_status
from .ledger import WHOLE
from .pool_events import BudgetLimitChanged, BudgetOpened, LimitsSet, SoftLimitAnswered
from .reasons import NEXT_STEPS
from .records import Recorded
from .soft_limits import SOFT_LIMIT
from .values import dollars
from .why_task import brought
from .world import World

HOLDERS_NAMED = 8
"""So many of the attempts that hold money are named."""

LIMIT_TURNS = (BudgetOpened, BudgetLimitChanged, LimitsSet, SoftLimitAnswered)
"""The facts that open and change limits."""


def money_answer(scope: str, events: Sequence[Recorded], world: World, now: int) -> Answer:
    """Where the money of `scope` (`pool`, `day`, `tag:` and a tag) stands at `now` (ms), and by whom.

    `events` are those of the kinds `LIMIT_TURNS`, in order, as far as they were looked for.
    """
    status = scope_status(world, scope, now)
    name = "budget" if scope == WHOLE else status.account
    state, said = _standing(status)
    because = (Because(state, said), *_holders(status, world), *_limits(scope, events))
    return Answer(name, state, "stands", because, _to_do(state))


def _to_do(state: str) -> str | None:
    if state == "exhausted":
        return "raise the limit by `claude-pool budget set`, or count anew by `claude-pool budget reset`"
    return NEXT_STEPS.get(state)


def _standing(status: ScopeStatus) -> tuple[str, str]:
    sums = f"{dollars(status.spent)} spent and {dollars(status.reserved)} reserved"
    if status.stopped:
        return "stopped", f"{sums}: somebody stopped all new work there"
    if status.limit is not None and status.spent >= status.limit:
        return "exhausted", f"{sums} of {dollars(status.limit)}: nothing more starts, and submits are refused"
    if status.question_id is not None:
        return SOFT_LIMIT, f"{sums}: the soft limit is reached, {status.question_id} waits for an answer"
    if status.free == 0:
        return "reserved", f"{sums}: nothing more starts until attempts settle"
    if status.free is None:
        return "unlimited", f"{sums}: there is no limit"
    return "free", f"{sums}: {dollars(status.free)} of {dollars(status.limit or 0)} are free"


def _holders(status: ScopeStatus, world: World) -> Iterator[Because]:
    held = world.open_pool().budget.held
    mine = {
        n: each.amount for n, each in held.items() if not status.account or status.account in each.accounts
    }
    ranked = sorted(mine.items(), key=lambda pair: (-pair[1], pair[0]))
    for attempt, amount in ranked[:HOLDERS_NAMED]:
        yield Because("reserved", f"{attempt} has {dollars(amount)} reserved")
    if len(ranked) > HOLDERS_NAMED:
        rest = sum(amount for _, amount in ranked[HOLDERS_NAMED:])
        yield Because(
            "reserved", f"{len(ranked) - HOLDERS_NAMED} more attempts have {dollars(rest)} reserved"
        )


def _limits(scope: str, events: Sequence[Recorded]) -> Iterator[Because]:
    for each in events:
        said = _said(scope, each)
        if said is not None:
            when = f"at {clock(each.meta.recorded_at)} by {brought(each)}"
            yield Because("limit", f"{said} {when}", each.position)


def _said(scope: str, recorded: Recorded) -> str | None:
    match recorded.event:
        case BudgetOpened(limit):
            return f"counted anew, {_limit(limit if scope == WHOLE else None)}"
        case BudgetLimitChanged(limit) if scope == WHOLE:
            return _limit(limit)
        case LimitsSet(of, limit, soft) if of == scope:
            return _limit(limit) + ("" if soft is None else f", a soft one of {dollars(soft)}")
        case SoftLimitAnswered(_, of, _, choice) if of == scope:
            return f"the soft limit was answered with {choice}"
        case _:
            return None


def _limit(limit: int | None) -> str:
    return "no limit" if limit is None else f"a limit of {dollars(limit)}"
