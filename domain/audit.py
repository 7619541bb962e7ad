"""An audit of a log's money: every posting in double entry, counted from the facts alone.

It shares nothing with the decisions and folds that made the facts. Each posting moves an amount between what
is free, reserved and spent, and does so in all accounts of an attempt alike: the pool's, its chain's, its
task's, its own, and those of its tags and its day. What may never be true of any log is a finding.

There are limits on two kinds of accounts. A task's and a chain's cover all that was ever spent in them; the
pool's, a day's and a tag's (`levels`) count from when the budget was last opened, or the tag first limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .chain_events import ChainSubmitted, StepCancelled, StepCompleted, StepFailed, StepStarted
from .pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    FundsCharged,
    FundsReserved,
    FundsSettled,
    FundsToppedUp,
    LimitsSet,
    OwnerStarted,
    SoftLimitAnswered,
)
from .records import Event
from .slot_events import SlotReleased
from .task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    TaskSubmitted,
)
from .values import TaskSpec, attempt_id
from .violations import Violation

AUDITED = (
    FundsReserved, FundsToppedUp, FundsSettled, FundsCharged, BudgetOpened, BudgetLimitChanged, LimitsSet,
    SoftLimitAnswered, OwnerStarted, TaskSubmitted, ChainSubmitted, StepStarted, AttemptStarted,
    AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed, SlotReleased, StepCompleted, StepFailed,
    StepCancelled,
)  # fmt: skip
"""The events that `Audit` looks at."""

POOL = "pool"
DAY = "day"
TAG = "tag:"


@dataclass(slots=True)
class Account:
    """What is set aside and what is gone."""

    reserved: int = 0
    spent: int = 0


@dataclass(slots=True)
class Entry:
    """An attempt as its facts have it so far.

    `promised` is what its start says was set aside, `reserved` what was (None: nothing ever), `posted` the
    accounts that its reservation names; `cost` is what its end says, `settled` what was settled.
    """

    task_id: str
    promised: int = 0
    reserved: int | None = None
    posted: tuple[str, ...] = ()
    cost: int | None = None
    settled: int | None = None
    position: int = 0


@dataclass(slots=True)
class Audit:
    """The books of one log. `observe` takes its events in order; `close` looks at what is left at the end.

    `accounts` has a name for each of the pool, chains, tasks and attempts (their ids), tags (`tag:…`) and
    days (`day:…`), over the whole log; `levels` has those with limits, as of the last `budget.opened`.
    """

    findings: list[Violation] = field(default_factory=list[Violation])
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    levels: dict[str, Account] = field(default_factory=dict[str, Account])
    limits: dict[str, int | None] = field(default_factory=dict[str, int | None])
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _specs: dict[str, TaskSpec] = field(default_factory=dict[str, TaskSpec])
    _chains: dict[str, int | None] = field(default_factory=dict[str, int | None])
    _steps: dict[tuple[str, str, int], str] = field(default_factory=dict[tuple[str, str, int], str])
    _rulings: dict[str, tuple[str, int | None]] = field(default_factory=dict[str, tuple[str, int | None]])
    _task_budget: int | None = None
    _today: str = ""

    def observe(self, position: int, stream: str, event: Event) -> None:
        """Post an event."""
        match event:
            case FundsReserved():
                self._reserve(position, event)
            case FundsToppedUp():
                self._top_up(position, event)
            case FundsSettled():
                self._settle(position, event)
            case FundsCharged():
                self._charge(position, event)
            case BudgetOpened(limit):
                self.limits[POOL] = limit
                self._rulings.clear()
                for level in self.levels.values():
                    level.spent = 0
            case BudgetLimitChanged(limit):
                self._limit(POOL, limit)
            case LimitsSet(scope, limit):
                self._limit(scope, limit)
            case SoftLimitAnswered():
                self._rulings[event.scope] = (event.account or POOL, event.limit)
            case OwnerStarted():
                self._task_budget = event.settings.task_budget
            case TaskSubmitted(task_id, spec):
                self._specs[task_id] = spec
            case ChainSubmitted(chain_id, plan):
                self._chains[chain_id] = plan.max_budget
            case StepStarted(step, run, task_id):
                self._steps[stream, step, run] = task_id
            case AttemptStarted(number, reserved=reserved):
                self.entries[attempt_id(stream, number)] = Entry(stream, reserved, position=position)
            case (
                AttemptSucceeded(number, outcome)
                | AttemptFailed(number, outcome)
                | AttemptCancelled(number, outcome)
                | AttemptSealed(number, outcome)
            ):
                self._end(position, stream, number, outcome.cost)
            case SlotReleased():
                self._release(position, stream, event)
            case StepCompleted() | StepFailed() | StepCancelled():
                task_id = self._steps.get((stream, event.step, event.run), "")
                self._end_step(position, stream, task_id, event.cost)
            case _:
                pass

    def close(self) -> tuple[Violation, ...]:
        """All findings so far, and what is missing."""
        return (*self.findings, *self.missing())

    def missing(self) -> tuple[Violation, ...]:
        """Attempts whose settlement is missing: none may be after an append."""
        return tuple(
            Violation(
                entry.position,
                "not_settled",
                f"{name} ended and was not settled; {entry.reserved or 0} stay reserved for it",
            )
            for name, entry in self.entries.items()
            if entry.cost is not None and entry.settled is None
        )

    def level(self, name: str) -> Account:
        """What counts against the limit of the pool, a day or a tag."""
        return self.levels.get(name, Account())

    def account(self, name: str) -> Account:
        """What was ever posted to an account."""
        return self.accounts.get(name, Account())

    def _object(self, position: int, code: str, text: str) -> None:
        self.findings.append(Violation(position, code, text))

    # What others say that attempts cost.

    def _end(self, position: int, stream: str, number: int, cost: int) -> None:
        name = attempt_id(stream, number)
        entry = self.entries.setdefault(name, Entry(stream))
        if entry.cost is not None:
            self._object(position, "ended_twice", f"{name} ended before, at a cost of {entry.cost}")
        entry.cost, entry.position = cost, position

    def _release(self, position: int, stream: str, event: SlotReleased) -> None:
        entry = self.entries.get(event.attempt)
        if entry is not None and entry.settled != event.cost:
            text = f"{stream} counts {event.cost} for {event.attempt}, which settled {entry.settled}"
            self._object(position, "slot_differs", text)

    def _end_step(self, position: int, stream: str, task_id: str, cost: int) -> None:
        spent = self.account(task_id).spent
        if spent != cost:
            text = f"{stream} counts {cost} for {task_id or 'a step'}, which has spent {spent}"
            self._object(position, "chain_differs", text)

    # Postings.

    def _reserve(self, position: int, event: FundsReserved) -> None:
        name, amount = event.attempt, event.amount
        entry = self.entries.get(name)
        if entry is None or entry.cost is not None:
            self._object(position, "not_running", f"{amount} were reserved for {name}, which does not run")
            return
        if entry.reserved is not None:
            self._object(position, "reserved_twice", f"{name} had {entry.reserved} reserved before")
        if amount != entry.promised:
            text = f"{name} has {amount} reserved, but its start says {entry.promised}"
            self._object(position, "start_differs", text)
        self._check_accounts(position, entry, event.accounts)
        entry.reserved, entry.posted = (entry.reserved or 0) + amount, event.accounts
        self._set_aside(position, name, entry, amount)

    def _top_up(self, position: int, event: FundsToppedUp) -> None:
        entry = self.entries.get(event.attempt)
        if entry is None or entry.cost is not None or entry.reserved is None:
            text = f"{event.amount} more were reserved for {event.attempt}, which has no reservation"
            self._object(position, "not_reserved", text)
            return
        entry.reserved += event.amount
        self._set_aside(position, event.attempt, entry, event.amount)

    def _set_aside(self, position: int, name: str, entry: Entry, amount: int) -> None:
        if amount <= 0:
            self._object(position, "no_amount", f"{amount} were reserved for {name}")
        self._post(name, entry, amount, 0)
        for account, held, limit in self._limits_of(entry):
            if held.reserved + held.spent > limit:
                text = (
                    f"{amount} reserved for {name} took {account} above its limit of {limit}:"
                    f" {held.spent} spent, {held.reserved} reserved"
                )
                self._object(position, "over_limit", text)

    def _limits_of(self, entry: Entry) -> Iterator[tuple[str, Account, int]]:
        """The accounts of an attempt that have limits."""
        spec = self._specs.get(entry.task_id)
        own = None if spec is None else spec.options.max_budget
        named: list[tuple[str, Account, int | None]] = [
            (entry.task_id, self.account(entry.task_id), self._task_budget if own is None else own),
            *((account, self.level(account), self._in_force(account)) for account in (POOL, *entry.posted)),
        ]
        # Logs that name no accounts are of a time when a chain's budget was no limit of reservations.
        if spec is not None and spec.part is not None and entry.posted:
            chain_id = spec.part.chain_id
            named.append((chain_id, self.account(chain_id), self._chains.get(chain_id)))
        return ((name, account, limit) for name, account, limit in named if limit is not None)

    def _limit(self, scope: str, limit: int | None) -> None:
        self.limits[scope] = limit
        self._rulings.pop(scope, None)

    def _in_force(self, account: str) -> int | None:
        """The limit of an account: where somebody stopped it, what they said; else that of its scope."""
        scope = DAY if account.startswith(f"{DAY}:") else account
        whose, stopped = self._rulings.get(scope, ("", None))
        return stopped if whose == account and stopped is not None else self.limits.get(scope)

    def _settle(self, position: int, event: FundsSettled) -> None:
        name = event.attempt
        entry = self.entries.setdefault(name, Entry(name.rpartition(".")[0]))
        if entry.settled is not None:
            self._object(position, "settled_twice", f"{name} had settled {entry.settled} before")
        if entry.cost != event.cost:
            text = f"{name} settled {event.cost}, but its end says {entry.cost}"
            self._object(position, "end_differs", text)
        if entry.reserved is None and entry.promised and entry.settled is None:
            self._object(position, "not_reserved", f"{name} began with {entry.promised} that nobody reserved")
        overdrawn = 0 if entry.reserved is None else max(0, event.cost - entry.reserved)
        if event.overdrawn != overdrawn:
            text = f"{name} is recorded as overdrawn by {event.overdrawn}, which is {overdrawn}"
            self._object(position, "overdrawn_differs", text)
        if entry.reserved is None:
            self._check_accounts(position, entry, event.accounts)
        elif event.accounts != entry.posted:
            text = f"{name} has its money in {entry.posted}, and settled in {event.accounts}"
            self._object(position, "wrong_accounts", text)
        entry.posted = event.accounts
        self._post(name, entry, -(entry.reserved or 0), event.cost)
        self._today = max(self._today, *event.accounts[:1], "")
        entry.reserved, entry.settled = None, event.cost

    def _charge(self, position: int, event: FundsCharged) -> None:
        self._check_day(position, event.accounts)
        for name in (POOL, *event.accounts):
            _move(self.accounts, name, 0, event.cost)
            _move(self.levels, name, 0, event.cost)
        self._today = max(self._today, *event.accounts[:1], "")

    def _check_accounts(self, position: int, entry: Entry, accounts: tuple[str, ...]) -> None:
        """A posting names its day, and those tags of the task that are limited. Older logs name nothing."""
        self._check_day(position, accounts)
        wanted = tuple(tag for tag in self._tags(entry.task_id) if tag in self.limits)
        if accounts and accounts[1:] != wanted:
            text = f"money of {entry.task_id} is posted to {accounts[1:]}, not {wanted}"
            self._object(position, "wrong_accounts", text)

    def _check_day(self, position: int, accounts: tuple[str, ...]) -> None:
        if accounts and not (accounts[0].startswith(f"{DAY}:") and accounts[0] >= self._today):
            text = f"money is posted to {accounts[0]} after {self._today or 'no day'}"
            self._object(position, "wrong_day", text)

    def _tags(self, task_id: str) -> tuple[str, ...]:
        spec = self._specs.get(task_id)
        return () if spec is None else tuple(TAG + tag for tag in dict.fromkeys(spec.tags))

    def _post(self, name: str, entry: Entry, reserved: int, spent: int) -> None:
        spec = self._specs.get(entry.task_id)
        chain = () if spec is None or spec.part is None else (spec.part.chain_id,)
        tags, day = self._tags(entry.task_id), entry.posted[:1]
        for account in (POOL, *chain, entry.task_id, name, *tags, *day):
            _move(self.accounts, account, reserved, spent)
        for account in (POOL, *entry.posted):
            _move(self.levels, account, reserved, spent)


def _move(accounts: dict[str, Account], name: str, reserved: int, spent: int) -> None:
    account = accounts.setdefault(name, Account())
    account.reserved += reserved
    account.spent += spent


def audit(events: Iterable[tuple[int, str, Event]]) -> tuple[Violation, ...]:
    """What is wrong with the money of a log, given its events with their positions and streams, in order."""
    books = Audit()
    for position, stream, event in events:
        books.observe(position, stream, event)
    return books.close()
