"""The Pool aggregate: its owner, settings, budget, shared context, drain, pause and capacity.

Its money is kept by `ledger`. See `pool_events` for the facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from . import inbox, ledger, provider, soft_limits
from .copies import replace
from .errors import IdempotencyConflict, InvalidArgument, NotFound, WrongState
from .message_events import MessageAccepted, MessagesDelivered, MessagesRead, MessagesReturned
from .pool_events import (
    AccountChanged,
    BudgetLimitChanged,
    BudgetOpened,
    CliIdentified,
    ContextValueDeleted,
    ContextValueSet,
    DrainLifted,
    DrainStarted,
    LaunchesAllowed,
    LaunchesHeld,
    LimitsSet,
    OwnerStarted,
    OwnerStopped,
    OwnerStopping,
    PoolEvent,
    PoolOpened,
    PoolPaused,
    PoolResumed,
    ProviderLimited,
    ProviderServed,
    RollbackAccepted,
    Settings,
    TargetSlotsSet,
)
from .provider import Pause, Provider
from .values import Limit

CONTEXT_VALUES = 100
"""At most so many values in the shared context."""
KEYS_KEPT = 100
"""So many of the last idempotency keys of scalings are remembered."""
CONTEXT_BYTES = 32_768
"""At most so many UTF-8 bytes in all keys and values of the shared context together."""


@dataclass(frozen=True, slots=True)
class Unopened:
    """An empty log. `StartOwner` ends it."""


@dataclass(frozen=True)
class Open:
    """A pool with its settings. `owner` is None between owners.

    `stopping` is None, "finish" or "now"; `draining` None, "finish" or "cancel".
    `context_version` counts changes of the shared context. `launches_held`: memory is short, so that a slot
    without a process gets none.
    """

    pool_id: str
    owner: str | None = None
    settings: Settings = Settings()
    budget: ledger.Budget = ledger.Budget()
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
    provider: Provider = Provider()
    launches_held: bool = False


Pool = Unopened | Open

UNOPENED = Unopened()


@dataclass(frozen=True, slots=True)
class StartOwner:
    """A process takes the pool. `limit_given` says that `limit` was chosen rather than left out.

    `soft` is the pool's soft limit (microdollars); None: the one there is, if any, stays.
    """

    pool_id: str
    owner: str
    pid: int
    version: str
    settings: Settings
    limit: int | None
    limit_given: bool
    now: int
    account: str = ""
    soft: int | None = None


@dataclass(frozen=True, slots=True)
class IdentifyCli:
    """Slots run this program from now on."""

    path: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class AcceptRollback:
    """The log goes on after event `kept` although `acknowledged` events were acknowledged."""

    acknowledged: int
    kept: int
    now: int


@dataclass(frozen=True, slots=True)
class StopOwner:
    """Admit nothing new and end; `now` interrupts what runs."""

    now: bool = False


@dataclass(frozen=True, slots=True)
class RecordOwnerStopped:
    """The owner has no slot with a process any more."""


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
class HoldLaunches:
    """Give no slot a process for now: of memory `available_mb` is left, and `needed_mb` is needed."""

    available_mb: int
    needed_mb: int


@dataclass(frozen=True, slots=True)
class AllowLaunches:
    """Give slots processes again."""


@dataclass(frozen=True, slots=True)
class NoteLimit:
    """`attempt` met a limit of the provider, which said `said`, while `running` attempts ran."""

    limit: Limit
    attempt: str
    said: str
    running: int
    now: int


@dataclass(frozen=True, slots=True)
class NoteSuccess:
    """An attempt succeeded."""

    now: int


@dataclass(frozen=True, slots=True)
class ChangeAccount:
    """Slots use other credentials, of which `account` is a salted digest."""

    account: str


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
    StartOwner | IdentifyCli | AcceptRollback | StopOwner | RecordOwnerStopped | ledger.MoneyCommand
    | soft_limits.SoftLimitCommand | SetContext | DeleteContext | StartDrain | LiftDrain | PausePool
    | ResumePool | HoldLaunches | AllowLaunches | NoteLimit | NoteSuccess | ChangeAccount | SetTargetSlots
    | ScaleSlots
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
    if isinstance(command, ledger.MoneyCommand):
        return ledger.decide(command, state.budget)
    if isinstance(command, soft_limits.SoftLimitCommand):
        return soft_limits.decide(command, state.budget)
    match command:
        case IdentifyCli(path, version, digest):
            identified = CliIdentified(path, version, digest)
            return () if state.cli == identified else (identified,)
        case AcceptRollback(acknowledged, kept, now):
            return (RollbackAccepted(acknowledged, kept, now),)
        case StopOwner(now):
            return _stop_owner(state, now)
        case RecordOwnerStopped():
            return () if state.owner is None else (OwnerStopped(),)
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
        case HoldLaunches(available, needed):
            return () if state.launches_held else (LaunchesHeld(available, needed),)
        case AllowLaunches():
            return (LaunchesAllowed(),) if state.launches_held else ()
        case NoteLimit(limit, attempt, said, running, now):
            known, pause, name = state.provider, state.paused, state.pool_id
            return provider.on_limit(known, pause, limit, attempt, said, running, name, now)
        case NoteSuccess(now):
            return provider.on_success(state.provider, state.paused, state.target, now)
        case ChangeAccount(account):
            return provider.on_account(state.provider, state.paused, account)
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
        command.owner, command.pid, command.version, command.settings, command.account
    )  # fmt: skip
    opened += (started, *provider.lifted_by(state.provider, state.paused, command.account))
    if not state.budget_opened:
        opened.append(BudgetOpened(command.limit))
    elif command.limit_given and command.limit != state.budget.limit:
        opened.append(BudgetLimitChanged(command.limit))
    if command.soft is not None and command.soft != state.budget.soft:
        limit = command.limit if command.limit_given else state.budget.limit
        opened.append(LimitsSet(ledger.WHOLE, limit, command.soft))
    if state.draining is not None:
        opened.append(DrainLifted())
    return tuple(opened)


def _stop_owner(state: Open, now: bool) -> tuple[PoolEvent, ...]:
    if state.stopping == "now" or (state.stopping == "finish" and not now):
        return ()
    return (OwnerStopping(now),)


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
    if isinstance(event, ledger.MoneyEvent):
        opened = state.budget_opened or isinstance(event, BudgetOpened)
        return replace(state, budget=ledger.evolve(state.budget, event), budget_opened=opened)
    if isinstance(event, soft_limits.SoftLimitEvent):
        return replace(state, budget=soft_limits.evolve(state.budget, event))
    match event:
        case OwnerStarted(owner, _, _, settings, account):
            return replace(
                state, owner=owner, settings=settings, stopping=None, target=settings.slots,
                owners=state.owners + 1, provider=provider.with_account(state.provider, account),
                launches_held=False,
            )  # fmt: skip
        case CliIdentified():
            return replace(state, cli=event)
        case RollbackAccepted():
            return state
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
        case LaunchesHeld() | LaunchesAllowed():
            return replace(state, launches_held=isinstance(event, LaunchesHeld))
        case ProviderLimited() | ProviderServed() | AccountChanged():
            return replace(state, provider=provider.evolve(state.provider, event))
        case TargetSlotsSet(target, by, key):
            scalings = state.scalings if key is None else {**state.scalings, key: by}
            return replace(state, target=target, scalings=dict(list(scalings.items())[-KEYS_KEPT:]))
        case MessageAccepted() | MessagesDelivered() | MessagesReturned() | MessagesRead():
            return replace(state, inbox=inbox.evolve(state.inbox, event))
        case _:
            assert_never(event)
