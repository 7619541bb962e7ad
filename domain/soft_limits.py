"""Soft limits: where spending asks before it goes on.

New attempts start while what is spent and reserved in an account is below its soft limit. From there on
they wait: for others to settle, as long as what is spent alone is below it, and for somebody's answer once
it is not. What runs goes on and is topped up; only a hard limit ends it. A question is asked once for each
crossing, and is closed by an answer, by other limits, by a reset, by the hard limit, and (a day's) by the
next day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from .copies import replace
from .errors import InvalidArgument, NotFound
from .ledger import DAY, WHOLE, Asked, Budget, Level, Ruling, scope_of
from .pool_events import SoftLimitAnswered, SoftLimitAsked
from .values import derived_id, dollars

SOFT_LIMIT = "soft_limit"
"""Why a task is parked that waits for an answer; the kind of the question."""

CONTINUE = "continue"
STOP = "stop"
CHOICES = (CONTINUE, STOP)


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing new starts in an account now. `why`: it was `stopped`, somebody is `asked`, or others hold
    money that they have `reserved`."""

    why: str
    level: Level


@dataclass(frozen=True, slots=True)
class AskSoftLimit:
    """Ask somebody about `scope` at `now` (ms)."""

    scope: str
    now: int


@dataclass(frozen=True, slots=True)
class AnswerSoftLimit:
    """Somebody says `continue`, perhaps for `amount` microdollars more (above 0), or `stop`."""

    question_id: str
    choice: str
    amount: int | None
    now: int


SoftLimitCommand = AskSoftLimit | AnswerSoftLimit
SoftLimitEvent = SoftLimitAsked | SoftLimitAnswered


def held(budget: Budget, accounts: tuple[str, ...]) -> Held | None:
    """What keeps an attempt in the pool's account and `accounts` from starting; None: nothing does."""
    found: list[Held] = []
    for account in ("", *accounts):
        said, hard = budget.ruling(account), budget.level(account)
        if said is not None and said.limit is not None and hard is not None:
            found.append(Held("stopped", hard))
        soft = budget.soft_level(account)
        if soft is not None and soft.free == 0:
            found.append(Held("asked" if soft.unspent == 0 else "reserved", soft))
    return min(found, key=lambda each: ("stopped", "asked", "reserved").index(each.why), default=None)


def reached(budget: Budget, now: int) -> Iterator[str]:
    """The scopes about which somebody is to be asked at `now` (ms) and is not yet."""
    for scope in (WHOLE, *budget.scopes):
        if budget.limits_of(scope)[1] is None and scope not in budget.rulings:
            continue  # it has no soft limit, and this is asked at every turn
        account = budget.account_now(scope, now)
        if _is_spent(budget, account) and not _is_asked(budget, scope, account):
            yield scope


def open_questions(budget: Budget, now: int) -> tuple[Asked, ...]:
    """Those that wait for an answer at `now` (ms), the oldest first."""
    waiting = (
        asked
        for scope, asked in budget.asked.items()
        if asked.account == budget.account_now(scope, now) and _is_spent(budget, asked.account)
    )
    return tuple(sorted(waiting, key=lambda asked: asked.at))


def _is_spent(budget: Budget, account: str) -> bool:
    """Whether the soft limit is reached by what is spent alone, and the hard one, which goes first, not."""
    soft = budget.soft_level(account)
    if soft is None or soft.unspent > 0:
        return False
    hard = budget.level(account)
    return hard is None or hard.unspent > 0


def _is_asked(budget: Budget, scope: str, account: str) -> bool:
    return scope in budget.asked and budget.asked[scope].account == account


def decide(command: SoftLimitCommand, budget: Budget) -> tuple[SoftLimitEvent, ...]:
    """The facts that `command` brings about.

    Raises:
        NotFound: no such question is open. InvalidArgument: it has no such answer.
    """
    match command:
        case AskSoftLimit(scope, now):
            level = budget.soft_level(account := budget.account_now(scope, now))
            if level is None or scope not in reached(budget, now):
                return ()
            question = derived_id("question", SOFT_LIMIT, str(budget.questions + 1))
            return (SoftLimitAsked(question, scope, account, level.limit, level.spent, now),)
        case AnswerSoftLimit(question, _, _, now):
            asked = next((each for each in open_questions(budget, now) if each.question_id == question), None)
            if asked is None:
                raise NotFound(
                    kind="question", id=question, hint="pool_list_questions lists those that wait."
                )
            return (_answered(command, asked, budget),)
        case _:
            assert_never(command)


def _answered(command: AnswerSoftLimit, asked: Asked, budget: Budget) -> SoftLimitAnswered:
    choice, amount = command.choice, command.amount
    if choice not in CHOICES:
        raise InvalidArgument(argument="choice", problem=f"say {' or '.join(CHOICES)}")
    if amount is not None and (choice == STOP or amount <= 0):
        raise InvalidArgument(argument="amount_usd", problem="goes with continue, and is above 0")
    hard = budget.level(asked.account)
    spent, reserved = budget.standing(asked.account)
    soft = limit = None
    if choice == STOP:
        limit = spent + reserved if hard is None else min(hard.limit, spent + reserved)
    elif amount is not None:
        # from what is spent now: who allows a dollar more is not asked again before it is spent
        soft = spent + amount if hard is None else min(hard.limit, spent + amount)
    scope = scope_of(asked.account)
    return SoftLimitAnswered(
        asked.question_id, scope, asked.account, choice, soft, limit, command.now
    )  # fmt: skip


def evolve(budget: Budget, event: SoftLimitEvent) -> Budget:
    """The money after `event`. Never raises."""
    match event:
        case SoftLimitAsked(question_id, scope, account, soft, spent, at):
            asked = {**budget.asked, scope: Asked(question_id, account, soft, spent, at)}
            return replace(budget, asked=asked, questions=budget.questions + 1)
        case SoftLimitAnswered(_, scope, account, _, soft, limit):
            left = {name: asked for name, asked in budget.asked.items() if name != scope}
            return replace(
                budget, asked=left, rulings={**budget.rulings, scope: Ruling(account, soft, limit)}
            )
        case _:
            assert_never(event)


def question_text(asked: Asked, budget: Budget) -> str:
    """What is asked, in sentences."""
    whose = {WHOLE: "the pool", DAY: f"today ({asked.account.partition(':')[2]})"}
    scope = scope_of(asked.account)
    spent, reserved = budget.standing(asked.account)
    hard = budget.level(asked.account)
    limit = "no hard limit" if hard is None else f"the hard limit is {dollars(hard.limit)}"
    return (
        f"The soft limit of {whose.get(scope, scope)} ({dollars(asked.soft)}) is reached: "
        f"{dollars(spent)} spent, {dollars(reserved)} reserved; {limit}. May it go on?"
    )
