"""The Pool aggregate: its owner, settings, budget, shared context, drain, pause and capacity.

Invariant: no reservation raises spent + reserved above the limit in force. See `pool_events`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from . import inbox
from .errors import BudgetExceeded, IdempotencyConflict, InvalidArgument, NotFound, WrongState
from .message_events import MessageAccepted, MessagesDelivered, MessagesRead, MessagesReturned
from .pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    CliIdentified,
    ContextValueDeleted,
    ContextValueSet,
    DrainLifted,
    DrainStarted,
    FundsCharged,
    FundsReserved,
    FundsSettled,
    OwnerStarted,
    OwnerStopped,
    OwnerStopping,
    PoolEvent,
    PoolOpened,
    PoolPaused,
    PoolResumed,
    Settings,
    TargetSlotsSet,
)

CONTEXT_VALUES = 100
"""At most so many values in the shared context."""
KEYS_KEPT = 100
"""So many of the last idempotency keys of scalings are remembered."""
CONTEXT_BYTES = 32_768
"""At most so many UTF-8 bytes in all keys and values of the shared context together."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why no attempt starts, and until when (None: until someone resumes the pool)."""

    reason: str
    until: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """Money since the last `budget.opened`: what is spent, what attempts have reserved, and the limit."""

    limit: int | None = None
    spent: int = 0
    reservations: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def reserved(self) -> int:
        """All open reservations together."""
        return sum(self.reservations.values())

    @property
    def free(self) -> int | None:
        """What may still be reserved, never below 0; None where there is no limit."""
        return None if self.limit is None else max(0, self.limit - self.spent - self.reserved)

    @property
    def unspent(self) -> int | None:
        """The limit less what is spent, never below 0; None where there is no limit."""
        return None if self.limit is None else max(0, self.limit - self.spent)


@dataclass(frozen=True, slots=True)
class Unopened:
    """An empty log. `StartOwner` ends it."""


@dataclass(frozen=True, slots=True)
class Open:
    """A pool with its settings. `owner` is None between owners.

    `stopping` is None, "finish" or "now"; `draining` None, "finish" or "cancel".
    `context_version` counts changes of the shared context.
    """

    pool_id: str
    owner: str | None = None
    settings: Settings = Settings()
    budget: Budget = Budget()
    budget_opened: bool = False
    context: dict[str, str] = field(default_factory=dict[str, str])
    context_version: int = 0
    draining: str | None = None
    stopping: str | None = None
    paused: Pause | None = None
    target: int = 0
    owners: int = 0
    cli: CliIdentified | None = None
    scalings: dict[str, int] = field(default_factory=dict[str, int])
    inbox: inbox.Inbox = inbox.EMPTY


Pool = Unopened | Open

UNOPENED = Unopened()


@dataclass(frozen=True, slots=True)
class StartOwner:
    """A process takes the pool. `limit_given` says that `limit` was chosen rather than left out."""

    pool_id: str
    owner: str
    pid: int
    version: str
    settings: Settings
    limit: int | None
    limit_given: bool
    now: int


@dataclass(frozen=True, slots=True)
class IdentifyCli:
    """Slots run this program from now on."""

    path: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class StopOwner:
    """Admit nothing new and end; `now` interrupts what runs."""

    now: bool = False


@dataclass(frozen=True, slots=True)
class RecordOwnerStopped:
    """The owner has no slot with a process any more."""


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Change the limit (microdollars, above 0; None: no limit); the spend stays."""

    limit: int | None


@dataclass(frozen=True, slots=True)
class ResetBudget:
    """Count the spend anew, from 0."""


@dataclass(frozen=True, slots=True)
class ReserveFunds:
    """Set `amount` aside for an attempt."""

    attempt: str
    amount: int


@dataclass(frozen=True, slots=True)
class SettleFunds:
    """The attempt is over and cost `cost`."""

    attempt: str
    cost: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class ChargeFunds:
    """A slot spent `cost` (microdollars) outside of any attempt, because of `why`."""

    slot_id: str
    cost: int
    why: str


@dataclass(frozen=True, slots=True)
class SetContext:
    """Show a value to every task from now on."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class DeleteContext:
    """Show the value no more."""

    key: str


@dataclass(frozen=True, slots=True)
class StartDrain:
    """Admit nothing new; end (`finish`) or cancel (`cancel`) what is accepted."""

    mode: str


@dataclass(frozen=True, slots=True)
class LiftDrain:
    """Admit work again."""


@dataclass(frozen=True, slots=True)
class PausePool:
    """Start no attempt for now."""

    reason: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class ResumePool:
    """Lift a pause."""


@dataclass(frozen=True, slots=True)
class SetTargetSlots:
    """Want `target` slots in service, within the settings' bounds."""

    target: int


@dataclass(frozen=True, slots=True)
class ScaleSlots:
    """Want `by` slots more (or less) in service; the same `key` counts once."""

    by: int
    key: str | None = None


PoolCommand = (
    StartOwner | IdentifyCli | StopOwner | RecordOwnerStopped | SetBudget | ResetBudget | ReserveFunds
    | SettleFunds | ChargeFunds | SetContext | DeleteContext | StartDrain | LiftDrain | PausePool
    | ResumePool | SetTargetSlots | ScaleSlots
)  # fmt: skip


def decide(command: PoolCommand, state: Pool) -> tuple[PoolEvent, ...]:
    """The facts that `command` brings about in `state`.

    Raises:
        InvalidArgument, NotFound, WrongState, BudgetExceeded: as their messages say.
    """
    if isinstance(command, StartOwner):
        return _start_owner(command, state)
    if isinstance(state, Unopened):
        raise WrongState(subject="the pool", state="unopened", problem="start an owner first")
    match command:
        case IdentifyCli(path, version, digest):
            identified = CliIdentified(path, version, digest)
            return () if state.cli == identified else (identified,)
        case StopOwner(now):
            return _stop_owner(state, now)
        case RecordOwnerStopped():
            return () if state.owner is None else (OwnerStopped(),)
        case SetBudget() | ResetBudget() | ReserveFunds() | SettleFunds() | ChargeFunds():
            return _decide_money(command, state)
        case SetContext(key, value):
            return _set_context(state, key, value)
        case DeleteContext(key):
            if key not in state.context:
                raise NotFound(kind="context value", id=key, hint="context_list shows what is there.")
            return (ContextValueDeleted(key),)
        case StartDrain(mode):
            return () if state.draining in (mode, "cancel") else (DrainStarted(mode),)
        case LiftDrain():
            return () if state.draining is None else (DrainLifted(),)
        case PausePool(reason, until):
            return () if state.paused == Pause(reason, until) else (PoolPaused(reason, until),)
        case ResumePool():
            return () if state.paused is None else (PoolResumed(),)
        case SetTargetSlots(target):
            return () if target == state.target else (_target(state, target, 0, None),)
        case ScaleSlots(by, key):
            return _scale(state, by, key)
        case _:
            assert_never(command)


def _start_owner(command: StartOwner, state: Pool) -> tuple[PoolEvent, ...]:
    opened: list[PoolEvent] = []
    if isinstance(state, Unopened):
        opened.append(PoolOpened(command.pool_id, command.now))
        state = Open(command.pool_id)
    started = OwnerStarted(
        command.owner, command.pid, command.version, command.settings
    )  # fmt: skip
    opened.append(started)
    if not state.budget_opened:
        opened.append(BudgetOpened(command.limit))
    elif command.limit_given and command.limit != state.budget.limit:
        opened.append(BudgetLimitChanged(command.limit))
    if state.draining is not None:
        opened.append(DrainLifted())
    return tuple(opened)


def _stop_owner(state: Open, now: bool) -> tuple[PoolEvent, ...]:
    if state.stopping == "now" or (state.stopping == "finish" and not now):
        return ()
    return (OwnerStopping(now),)


def _decide_money(
    command: SetBudget | ResetBudget | ReserveFunds | SettleFunds | ChargeFunds, state: Open
) -> tuple[PoolEvent, ...]:
    budget = state.budget
    match command:
        case SetBudget(limit):
            if limit is not None and limit <= 0:
                raise InvalidArgument(argument="set_usd", problem="a budget is above 0")
            return () if limit == budget.limit else (BudgetLimitChanged(limit),)
        case ResetBudget():
            return (BudgetOpened(budget.limit),)
        case ReserveFunds(attempt, amount):
            if amount < 0 or (budget.free is not None and amount > budget.free):
                raise budget_exceeded(budget, amount)
            return (FundsReserved(attempt, amount),) if amount else ()
        case SettleFunds(attempt, cost, estimated):
            reserved = budget.reservations.get(attempt)
            overdrawn = 0 if reserved is None else max(0, cost - reserved)
            return (FundsSettled(attempt, cost, estimated, overdrawn),)
        case ChargeFunds(slot_id, cost, why):
            return (FundsCharged(slot_id, cost, why),) if cost > 0 else ()
        case _:
            assert_never(command)


def budget_exceeded(budget: Budget, needed: int) -> BudgetExceeded:
    """The refusal that says what is spent, reserved, allowed and `needed`."""
    return BudgetExceeded(spent=budget.spent, reserved=budget.reserved, limit=budget.limit, needed=needed)


def _set_context(state: Open, key: str, value: str) -> tuple[PoolEvent, ...]:
    if state.context.get(key) == value:
        return ()
    after = {**state.context, key: value}
    if len(after) > CONTEXT_VALUES:
        raise InvalidArgument(argument="key", problem=f"the context holds {CONTEXT_VALUES} values at most")
    size = sum(
        len(name.encode("utf-8", "replace")) + len(text.encode("utf-8", "replace"))
        for name, text in after.items()
    )
    if size > CONTEXT_BYTES:
        raise InvalidArgument(
            argument="value", problem=f"the context would hold {size} bytes; {CONTEXT_BYTES} are the most"
        )
    return (ContextValueSet(key, value),)


def _scale(state: Open, by: int, key: str | None) -> tuple[PoolEvent, ...]:
    if key is not None and key in state.scalings:
        if state.scalings[key] != by:
            raise IdempotencyConflict(id=f"a change by {state.scalings[key]}")
        return ()
    return (_target(state, state.target + by, by, key),)


def _target(state: Open, target: int, by: int, key: str | None) -> TargetSlotsSet:
    low, high = state.settings.min_slots, state.settings.max_slots
    if not low <= target <= high:
        raise InvalidArgument(
            argument="target", problem=f"{target} slots wanted; the pool is set to between {low} and {high}"
        )
    return TargetSlotsSet(target, by, key)


def evolve(state: Pool, event: PoolEvent) -> Pool:
    """The state after `event`; a fact that makes no sense in `state` leaves it unchanged. Never raises."""
    if isinstance(event, PoolOpened):
        return Open(event.pool_id) if isinstance(state, Unopened) else state
    if isinstance(state, Unopened):
        return state
    match event:
        case FundsReserved() | FundsSettled() | FundsCharged() | BudgetOpened() | BudgetLimitChanged():
            opened = state.budget_opened or isinstance(event, BudgetOpened)
            return replace(state, budget=_evolve_budget(state.budget, event), budget_opened=opened)
        case OwnerStarted(owner, _, _, settings):
            return replace(
                state, owner=owner, settings=settings, stopping=None, target=settings.slots,
                owners=state.owners + 1,
            )  # fmt: skip
        case CliIdentified():
            return replace(state, cli=event)
        case OwnerStopping(now):
            return replace(state, stopping="now" if now else "finish")
        case OwnerStopped():
            return replace(state, owner=None)
        case ContextValueSet(key, value):
            context = {**state.context, key: value}
            return replace(state, context=context, context_version=state.context_version + 1)
        case ContextValueDeleted(key):
            context = {name: text for name, text in state.context.items() if name != key}
            return replace(state, context=context, context_version=state.context_version + 1)
        case DrainStarted(mode):
            return replace(state, draining=mode)
        case DrainLifted():
            return replace(state, draining=None)
        case PoolPaused(reason, until):
            return replace(state, paused=Pause(reason, until))
        case PoolResumed():
            return replace(state, paused=None)
        case TargetSlotsSet(target, by, key):
            scalings = state.scalings if key is None else {**state.scalings, key: by}
            return replace(state, target=target, scalings=dict(list(scalings.items())[-KEYS_KEPT:]))
        case MessageAccepted() | MessagesDelivered() | MessagesReturned() | MessagesRead():
            return replace(state, inbox=inbox.evolve(state.inbox, event))
        case _:
            assert_never(event)


def _evolve_budget(
    budget: Budget, event: FundsReserved | FundsSettled | FundsCharged | BudgetOpened | BudgetLimitChanged
) -> Budget:
    match event:
        case FundsReserved(attempt, amount):
            return Budget(budget.limit, budget.spent, {**budget.reservations, attempt: amount})
        case FundsSettled(attempt, cost):
            left = {name: amount for name, amount in budget.reservations.items() if name != attempt}
            return Budget(budget.limit, budget.spent + cost, left)
        case FundsCharged(_, cost):
            return Budget(budget.limit, budget.spent + cost, budget.reservations)
        case BudgetOpened(limit):
            return Budget(limit, 0, budget.reservations)
        case BudgetLimitChanged(limit):
            return Budget(limit, budget.spent, budget.reservations)
        case _:
            assert_never(event)
