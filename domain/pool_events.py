"""The facts of the Pool's stream (`pool`). Names and versions never change once written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .message_events import EVENTS as MESSAGE_EVENTS
from .message_events import MessageEvent
from .values import LimitKind, Options


@dataclass(frozen=True)
class Settings:
    """What an owner runs the pool with. `session` is the policy of tasks that name none.

    With `worktree` every slot works in a work tree of its own.
    A process is recycled after `recycle_turns` turns or above `recycle_rss_mb` of memory. A permission
    question is denied after `question_ms`; 0: at once, and nobody is asked.

    A task that has never run is given up `queue_timeout_ms` after it was submitted. An attempt's slot may be
    silent for `first_output_ms` after the prompt, for `silence_ms` after any line, and for `tool_silence_ms`
    (or `silence_ms`, whichever is longer) while a tool is at work.
    """

    slots: int = 2
    min_slots: int = 1
    max_slots: int = 16
    options: Options = Options()
    session: str = "fresh"
    task_budget: int | None = None
    task_timeout_ms: int | None = None
    queue_timeout_ms: int | None = None
    working_dir: str = "/"
    recycle_turns: int = 200
    recycle_rss_mb: int = 700
    question_ms: int = 0
    worktree: bool = False
    first_output_ms: int = 120_000
    silence_ms: int = 300_000
    tool_silence_ms: int = 660_000


@dataclass(frozen=True)
class PoolOpened:
    """The log begins. `pool_id` is random and tells this pool from every other."""

    NAME: ClassVar[str] = "pool.opened"
    VERSION: ClassVar[int] = 1
    pool_id: str
    at: int


@dataclass(frozen=True)
class OwnerStarted:
    """A process took the pool: who it is and the settings it runs with. It ends a drain.

    `account` is a salted digest of the credentials that its slots use (empty: unknown).
    """

    NAME: ClassVar[str] = "pool.owner_started"
    VERSION: ClassVar[int] = 1
    owner: str
    pid: int
    version: str
    settings: Settings
    account: str = ""


@dataclass(frozen=True)
class CliIdentified:
    """The program that slots run is this one now."""

    NAME: ClassVar[str] = "pool.cli_identified"
    VERSION: ClassVar[int] = 1
    path: str
    version: str
    sha256: str


@dataclass(frozen=True)
class RollbackAccepted:
    """Events that were acknowledged are lost: the log was cut or restored from a backup, and somebody said
    to go on. `acknowledged` was the last position before; `kept` is where this log goes on.
    """

    NAME: ClassVar[str] = "pool.rollback_accepted"
    VERSION: ClassVar[int] = 1
    acknowledged: int
    kept: int
    at: int


@dataclass(frozen=True)
class OwnerStopping:
    """The owner admits nothing new. `now`: running attempts are interrupted; else they may end."""

    NAME: ClassVar[str] = "pool.owner_stopping"
    VERSION: ClassVar[int] = 1
    now: bool = False


@dataclass(frozen=True)
class OwnerStopped:
    """The owner ended in order: no slot of it has a process."""

    NAME: ClassVar[str] = "pool.owner_stopped"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class BudgetOpened:
    """A budget begins: spend is counted from here. `limit` None: count only."""

    NAME: ClassVar[str] = "budget.opened"
    VERSION: ClassVar[int] = 1
    limit: int | None = None


@dataclass(frozen=True)
class BudgetLimitChanged:
    """The limit is now this; the spend stays."""

    NAME: ClassVar[str] = "budget.limit_changed"
    VERSION: ClassVar[int] = 1
    limit: int | None = None


@dataclass(frozen=True)
class LimitsSet:
    """The hard and the soft limit of `scope` are these now: `pool`, `day`, or `tag:` and a tag's name."""

    NAME: ClassVar[str] = "budget.limits_set"
    VERSION: ClassVar[int] = 1
    scope: str
    limit: int | None = None
    soft: int | None = None


@dataclass(frozen=True)
class SoftLimitAsked:
    """The soft limit of `scope` was reached: nothing new starts there, and somebody is asked. `account` is
    the one that reached it: empty for the pool, else the day or the tag."""

    NAME: ClassVar[str] = "budget.soft_limit_asked"
    VERSION: ClassVar[int] = 1
    question_id: str
    scope: str
    account: str
    soft: int
    spent: int
    at: int


@dataclass(frozen=True)
class SoftLimitAnswered:
    """Somebody said `continue` (the soft limit of `account` is `soft` now; None: there is none any more) or
    `stop` (nothing new starts there, and what runs takes it to `limit` at most)."""

    NAME: ClassVar[str] = "budget.soft_limit_answered"
    VERSION: ClassVar[int] = 1
    question_id: str
    scope: str
    account: str
    choice: str
    soft: int | None
    limit: int | None
    at: int


@dataclass(frozen=True)
class FundsReserved:
    """`amount` is set aside for an attempt, in the pool's account and in `accounts` (a day, limited tags)."""

    NAME: ClassVar[str] = "funds.reserved"
    VERSION: ClassVar[int] = 1
    attempt: str
    amount: int
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class FundsToppedUp:
    """`amount` more is set aside for an attempt that runs, in the accounts of its reservation."""

    NAME: ClassVar[str] = "funds.topped_up"
    VERSION: ClassVar[int] = 1
    attempt: str
    amount: int


@dataclass(frozen=True)
class FundsSettled:
    """The attempt cost this, and its reservation is gone. `overdrawn` is what it took above it.

    `accounts` are those beside the pool's in which the cost is spent.
    """

    NAME: ClassVar[str] = "funds.settled"
    VERSION: ClassVar[int] = 1
    attempt: str
    cost: int
    estimated: bool = False
    overdrawn: int = 0
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class FundsCharged:
    """A slot spent money on something that no attempt asked for (a turn that started by itself)."""

    NAME: ClassVar[str] = "funds.charged"
    VERSION: ClassVar[int] = 1
    slot_id: str
    cost: int
    why: str
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContextValueSet:
    """A value of the context that every task is shown."""

    NAME: ClassVar[str] = "context.set"
    VERSION: ClassVar[int] = 1
    key: str
    value: str


@dataclass(frozen=True)
class ContextValueDeleted:
    """The value is shown no more."""

    NAME: ClassVar[str] = "context.deleted"
    VERSION: ClassVar[int] = 1
    key: str


@dataclass(frozen=True)
class DrainStarted:
    """Nothing new is admitted; accepted work ends (`finish`) or is cancelled (`cancel`), then slots stop."""

    NAME: ClassVar[str] = "pool.drain_started"
    VERSION: ClassVar[int] = 1
    mode: str


@dataclass(frozen=True)
class DrainLifted:
    """The pool admits work again."""

    NAME: ClassVar[str] = "pool.drain_lifted"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class PoolPaused:
    """No attempt starts, for `reason`, until `until` or until someone resumes the pool."""

    NAME: ClassVar[str] = "pool.paused"
    VERSION: ClassVar[int] = 1
    reason: str
    until: int | None = None


@dataclass(frozen=True)
class PoolResumed:
    """The pause is over."""

    NAME: ClassVar[str] = "pool.resumed"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class LaunchesHeld:
    """Slots without a process get none for now: of memory `available_mb` was left, `needed_mb` was needed."""

    NAME: ClassVar[str] = "pool.launches_held"
    VERSION: ClassVar[int] = 1
    available_mb: int
    needed_mb: int


@dataclass(frozen=True)
class LaunchesAllowed:
    """There is memory for another process again, or no slot waits for one."""

    NAME: ClassVar[str] = "pool.launches_allowed"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class ProviderLimited:
    """The provider would not serve `attempt`; `said` is what it said, `until` (ms) when it said this ends.

    From here `strikes` holds without a known end have followed each other, and `concurrency` attempts may
    run at once (None: as many as there are slots).
    """

    NAME: ClassVar[str] = "provider.limited"
    VERSION: ClassVar[int] = 1
    kind: LimitKind
    until: int | None
    attempt: str
    said: str
    at: int
    strikes: int = 0
    concurrency: int | None = None


@dataclass(frozen=True)
class ProviderServed:
    """An attempt succeeded after a limit; `concurrency` attempts may run at once now (None: no bound)."""

    NAME: ClassVar[str] = "provider.served"
    VERSION: ClassVar[int] = 1
    concurrency: int | None = None


@dataclass(frozen=True)
class AccountChanged:
    """Slots use other credentials from now on; `account` is a salted digest of them."""

    NAME: ClassVar[str] = "provider.account_changed"
    VERSION: ClassVar[int] = 1
    account: str


@dataclass(frozen=True)
class TargetSlotsSet:
    """The pool wants this many slots in service. A change `by` some under a caller's `key` counts once."""

    NAME: ClassVar[str] = "pool.target_slots_set"
    VERSION: ClassVar[int] = 1
    target: int
    by: int = 0
    key: str | None = None


PoolEvent = (
    PoolOpened | OwnerStarted | CliIdentified | RollbackAccepted | OwnerStopping | OwnerStopped | BudgetOpened
    | BudgetLimitChanged | LimitsSet | SoftLimitAsked | SoftLimitAnswered | FundsReserved | FundsToppedUp
    | FundsSettled | FundsCharged | ContextValueSet | ContextValueDeleted | DrainStarted | DrainLifted
    | PoolPaused | PoolResumed | LaunchesHeld | LaunchesAllowed | TargetSlotsSet | ProviderLimited
    | ProviderServed | AccountChanged | MessageEvent
)  # fmt: skip

EVENTS: tuple[type[PoolEvent], ...] = (
    PoolOpened, OwnerStarted, CliIdentified, RollbackAccepted, OwnerStopping, OwnerStopped, BudgetOpened,
    BudgetLimitChanged, LimitsSet, SoftLimitAsked, SoftLimitAnswered, FundsReserved, FundsToppedUp,
    FundsSettled, FundsCharged, ContextValueSet, ContextValueDeleted, DrainStarted, DrainLifted,
    PoolPaused, PoolResumed, LaunchesHeld, LaunchesAllowed, TargetSlotsSet, ProviderLimited,
    ProviderServed, AccountChanged, *MESSAGE_EVENTS,
)  # fmt: skip
