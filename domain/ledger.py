"""The pool's money: what is spent, what attempts have reserved, and the limits that stand over both.

A ledger in double entry: a posting moves an amount between what is free, reserved and spent, and it does so
at every level that the attempt belongs to. The pool's account stands here with those of days and tags
(*scopes*); what a chain and a task may cost is counted where they live (`funding`). An attempt's money is
reserved and settled once, as the accounts that its reservation names.

Invariant: no reservation raises spent + reserved above the limit in force, at any level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import assert_never

from .copies import replace
from .errors import BudgetExceeded, InvalidArgument
from .pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    FundsCharged,
    FundsReserved,
    FundsSettled,
    FundsToppedUp,
    LimitsSet,
)
from .values import dollars

WHOLE = "pool"
"""The scope of the whole pool; the account that it stands for is the empty one."""
DAY = "day"
"""The scope of each day, by UTC: its account begins at 0 with the first posting of a new day."""
TAG = "tag:"
"""A scope that begins so is that of all tasks with the tag that follows, from its first limit on."""
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()


def day_account(now: int) -> str:
    """The account of the day (UTC) that holds the time `now` (ms): `day:2026-01-31`."""
    return _day_name(now // _DAY_MS)


@lru_cache(maxsize=16)
def _day_name(day: int) -> str:
    return f"{DAY}:{date.fromordinal(_EPOCH + day).isoformat()}"


def scope_of(account: str) -> str:
    """The scope whose limits hold for `account`."""
    if account == "":
        return WHOLE
    return DAY if account.startswith(DAY + ":") else account


def next_day(now: int) -> int:
    """When (ms) the day after that of `now` begins, by UTC."""
    return (now // _DAY_MS + 1) * _DAY_MS


@dataclass(frozen=True)
class Scope:
    """The account of a tag or of today: its limits and what is spent. `account` is what postings name.

    `limit` is hard, `soft` is where somebody is asked; None: there is no such limit.
    """

    account: str
    limit: int | None = None
    soft: int | None = None
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """What an attempt has set aside, and the accounts beside the pool's in which it is."""

    amount: int
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody is asked what is to be done about `account`, whose soft limit `soft` was reached."""

    question_id: str
    account: str
    soft: int
    spent: int
    at: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """What somebody said to that, which holds for `account` instead of the limits of its scope: the soft
    limit is `soft` (None: there is none any more); with a `limit`, all new work is stopped, and what runs
    may take no more than that."""

    account: str
    soft: int | None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """An account with a limit, as a reservation meets it: microdollars, whose it is for people, and how it
    came by its limit, if not by a setting."""

    name: str
    limit: int
    spent: int
    reserved: int
    how: str = field(default="", compare=False)

    @property
    def free(self) -> int:
        """What may still be reserved, never below 0."""
        return max(0, self.limit - self.spent - self.reserved)

    @property
    def unspent(self) -> int:
        """The limit less what is spent, never below 0."""
        return max(0, self.limit - self.spent)

    @property
    def of_a_day(self) -> bool:
        """Whether it is a day's account, after which another one begins at 0."""
        return self.name.startswith(DAY + ":")

    def exceeded(self, needed: int) -> BudgetExceeded:
        """The refusal that says what is spent, reserved, allowed and `needed`."""
        amounts = {"spent": self.spent, "reserved": self.reserved, "limit": self.limit, "needed": needed}
        return BudgetExceeded(
            whose=self.name + self.how,
            **amounts,
            **{f"{name}_usd": dollars(amount) for name, amount in amounts.items()},
        )


@dataclass(frozen=True)
class Budget:
    """Money since the last `budget.opened`. `limit` and `soft` are the pool's own, as in `Scope`.

    `asked` and `rulings` have at most one for each scope; `questions` counts those that were ever asked.
    `past` is what was spent in the accounts of days that are over, as long as a reservation names them.
    """

    limit: int | None = None
    spent: int = 0
    held: dict[str, Reservation] = field(default_factory=dict[str, Reservation])
    soft: int | None = None
    scopes: dict[str, Scope] = field(default_factory=dict[str, Scope])
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    rulings: dict[str, Ruling] = field(default_factory=dict[str, Ruling])
    questions: int = 0
    past: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def reservations(self) -> dict[str, int]:
        """What each attempt has set aside."""
        return {attempt: held.amount for attempt, held in self.held.items()}

    @property
    def reserved(self) -> int:
        """All open reservations together."""
        return sum(held.amount for held in self.held.values())

    @property
    def free(self) -> int | None:
        """What may still be reserved, never below 0; None where there is no limit."""
        whole = self.level("")
        return None if whole is None else whole.free

    @property
    def unspent(self) -> int | None:
        """The limit less what is spent, never below 0; None where there is no limit."""
        whole = self.level("")
        return None if whole is None else whole.unspent

    @property
    def today(self) -> str:
        """The account of the last day that anything was posted to; empty before the first posting."""
        return self.scopes[DAY].account if DAY in self.scopes else ""

    def _day(self, now: int) -> str:
        """The account of the day at `now` (ms): none before the last one that has money in it."""
        held = (account for each in self.held.values() for account in each.accounts[:1])
        return max(day_account(now), self.today, *held)

    def accounts(self, tags: tuple[str, ...], now: int) -> tuple[str, ...]:
        """The accounts beside the pool's that an attempt of a task with `tags` is posted to at `now` (ms).

        A day that is over is never posted to again, also where the clock went back.
        """
        limited = (TAG + tag for tag in dict.fromkeys(tags) if TAG + tag in self.scopes)
        return (self._day(now), *limited)

    def account_now(self, scope: str, now: int) -> str:
        """The account that `scope` stands for at `now` (ms)."""
        if scope == WHOLE:
            return ""
        return self._day(now) if scope == DAY else scope

    def limits_of(self, scope: str) -> tuple[int | None, int | None]:
        """The hard and the soft limit that were set for `scope`."""
        if scope == WHOLE:
            return self.limit, self.soft
        at = self.scopes.get(scope, Scope(scope))
        return at.limit, at.soft

    def ruling(self, account: str) -> Ruling | None:
        """What somebody said about `account`."""
        if not self.rulings:
            return None
        said = self.rulings.get(scope_of(account))
        return said if said is not None and said.account == account else None

    def level(self, account: str) -> Level | None:
        """The account as a reservation meets it; None where it has no limit."""
        said = self.ruling(account)
        stopped = None if said is None else said.limit
        if stopped is None:
            return self._level(account, self.limits_of(scope_of(account))[0])
        return self._level(account, stopped, " (stopped by an answer to its soft limit)")

    def soft_level(self, account: str) -> Level | None:
        """The account up to its soft limit; None where that does not hold, or there is none."""
        said = self.ruling(account)
        return self._level(account, self.limits_of(scope_of(account))[1] if said is None else said.soft)

    def _level(self, account: str, limit: int | None, how: str = "") -> Level | None:
        if limit is None:
            return None
        spent, reserved = self.standing(account)
        return Level(account or "the pool", limit, spent, reserved, how)

    def standing(self, account: str) -> tuple[int, int]:
        """What is spent and what is reserved in `account`."""
        if account == "":
            return self.spent, self.reserved
        scope = self.scopes.get(scope_of(account), Scope(""))
        # a day that nothing was posted to yet has begun at 0; one that is over still binds what it reserved
        spent = scope.spent if scope.account == account else self.past.get(account, 0)
        return spent, sum(held.amount for held in self.held.values() if account in held.accounts)

    def levels(self, accounts: tuple[str, ...]) -> tuple[Level, ...]:
        """The pool's account and `accounts`, as far as they have limits."""
        return tuple(level for account in ("", *accounts) if (level := self.level(account)) is not None)


@dataclass(frozen=True, slots=True)
class SetLimits:
    """Change the hard and the soft limit of a scope: `pool`, `day`, or `tag:` and a tag. None: no limit."""

    scope: str
    limit: int | None
    soft: int | None


@dataclass(frozen=True, slots=True)
class ResetBudget:
    """Count the spend of all accounts anew, from 0; and change limits in the same append, by `then`."""

    then: SetLimits | None = None


@dataclass(frozen=True, slots=True)
class ReserveFunds:
    """Set `amount` aside for an attempt, in the pool's account and in `accounts`."""

    attempt: str
    amount: int
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TopUpFunds:
    """Set `amount` more aside for an attempt that has a reservation."""

    attempt: str
    amount: int


@dataclass(frozen=True, slots=True)
class SettleFunds:
    """The attempt is over and cost `cost`; `accounts` are its own where it has no reservation."""

    attempt: str
    cost: int
    estimated: bool
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChargeFunds:
    """A slot spent `cost` (microdollars) outside of any attempt, because of `why`, at `now` (ms)."""

    slot_id: str
    cost: int
    why: str
    now: int = 0


MoneyCommand = SetLimits | ResetBudget | ReserveFunds | TopUpFunds | SettleFunds | ChargeFunds
MoneyEvent = (
    BudgetOpened | BudgetLimitChanged | LimitsSet | FundsReserved | FundsToppedUp | FundsSettled
    | FundsCharged
)  # fmt: skip


def decide(command: MoneyCommand, budget: Budget) -> tuple[MoneyEvent, ...]:
    """The facts that `command` brings about.

    Raises:
        InvalidArgument: a limit that is none. BudgetExceeded: an account cannot cover a reservation.
    """
    match command:
        case SetLimits(scope, limit, soft):
            return _set_limits(budget, scope, limit, soft)
        case ResetBudget(then):
            opened = BudgetOpened(budget.limit)
            return (opened, *(() if then is None else decide(then, evolve(budget, opened))))
        case ReserveFunds(attempt, amount, accounts):
            _check_room(budget, amount, accounts)
            return (FundsReserved(attempt, amount, accounts),) if amount else ()
        case TopUpFunds(attempt, amount):
            held = budget.held.get(attempt, Reservation(0))
            _check_room(budget, amount, held.accounts)
            return (FundsToppedUp(attempt, amount),) if amount and attempt in budget.held else ()
        case SettleFunds(attempt):
            return (_settled(budget.held.get(attempt), command),)
        case ChargeFunds(slot_id, cost, why, now):
            return (FundsCharged(slot_id, cost, why, budget.accounts((), now)),) if cost > 0 else ()
        case _:
            assert_never(command)


def _settled(held: Reservation | None, command: SettleFunds) -> FundsSettled:
    attempt, cost, estimated = command.attempt, command.cost, command.estimated
    if held is None:
        return FundsSettled(attempt, cost, estimated, 0, command.accounts)
    return FundsSettled(attempt, cost, estimated, max(0, cost - held.amount), held.accounts)


def _check_limit(argument: str, limit: int | None) -> None:
    if limit is not None and limit <= 0:
        raise InvalidArgument(argument=argument, problem="a budget is above 0")


def _set_limits(budget: Budget, scope: str, limit: int | None, soft: int | None) -> tuple[MoneyEvent, ...]:
    _check_limit("set_usd", limit)
    _check_limit("soft_usd", soft)
    if limit is not None and soft is not None and soft > limit:
        problem = f"{dollars(soft)} is above the limit of {dollars(limit)}; change both, or lift one"
        raise InvalidArgument(argument="soft_usd", problem=problem)
    same = budget.limits_of(scope) == (limit, soft) and scope not in budget.rulings
    return () if same else (LimitsSet(scope, limit, soft),)


def _check_room(budget: Budget, amount: int, accounts: tuple[str, ...]) -> None:
    for level in budget.levels(accounts):
        if amount > level.free:
            raise level.exceeded(amount)
    if amount < 0:
        raise Level("the pool", budget.limit or 0, budget.spent, budget.reserved).exceeded(amount)


def evolve(budget: Budget, event: MoneyEvent) -> Budget:
    """The money after `event`. Never raises."""
    match event:
        case FundsReserved(attempt, amount, accounts):
            return replace(budget, held={**budget.held, attempt: Reservation(amount, accounts)})
        case FundsToppedUp(attempt, amount):
            held = budget.held.get(attempt, Reservation(0))
            more = Reservation(held.amount + amount, held.accounts)
            return replace(budget, held={**budget.held, attempt: more})
        case FundsSettled(attempt, cost, _, _, accounts):
            left = dict(budget.held)
            left.pop(attempt, None)
            return _spent(budget, left, cost, accounts)
        case FundsCharged(_, cost, _, accounts):
            return _spent(budget, budget.held, cost, accounts)
        case BudgetOpened(limit):
            scopes = {name: replace(scope, spent=0) for name, scope in budget.scopes.items()}
            return replace(budget, limit=limit, spent=0, scopes=scopes, asked={}, rulings={}, past={})
        case BudgetLimitChanged(limit):
            return replace(_undisputed(budget, WHOLE), limit=limit)
        case LimitsSet("pool", limit, soft):
            return replace(_undisputed(budget, WHOLE), limit=limit, soft=soft)
        case LimitsSet(name, limit, soft):
            account = budget.today if name == DAY else name
            scope = replace(budget.scopes.get(name, Scope(account)), limit=limit, soft=soft)
            return replace(_undisputed(budget, name), scopes={**budget.scopes, name: scope})
        case _:
            assert_never(event)


def _undisputed(budget: Budget, scope: str) -> Budget:
    """Without what was asked and said about `scope`: its limits are others now."""
    asked = {name: each for name, each in budget.asked.items() if name != scope}
    rulings = {name: each for name, each in budget.rulings.items() if name != scope}
    return replace(budget, asked=asked, rulings=rulings)


def _spent(budget: Budget, held: dict[str, Reservation], cost: int, accounts: tuple[str, ...]) -> Budget:
    """`cost` more is spent, and `held` is what is still set aside."""
    scopes, past = budget.scopes, budget.past
    for account in accounts:
        name = scope_of(account)
        scope = scopes.get(name)
        if scope is not None and scope.account == account:
            scopes = {**scopes, name: replace(scope, spent=scope.spent + cost)}
        elif name == DAY:
            scopes, past = _spent_another_day(scopes, past, account, cost)
    if past:
        named = {account for each in held.values() for account in each.accounts}
        past = {account: spent for account, spent in past.items() if account in named}
    return replace(budget, held=held, spent=budget.spent + cost, scopes=scopes, past=past)


def _spent_another_day(
    scopes: dict[str, Scope], past: dict[str, int], account: str, cost: int
) -> tuple[dict[str, Scope], dict[str, int]]:
    """Scopes and past days once `cost` is spent on a day that is not the last one there is: a new one begins,
    or one that is over pays what it had reserved."""
    last = scopes.get(DAY, Scope(""))
    if account < last.account:
        return scopes, {**past, account: past.get(account, 0) + cost}
    today = replace(last, account=account, spent=cost)
    return {**scopes, DAY: today}, {**past, last.account: last.spent}
