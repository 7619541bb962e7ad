"""Refusals and failures, with stable codes. The docstring of each class is its message's template.

`PoolError`
├── `InvalidArgument`, `NotFound`, `WrongState`
├── `BudgetExceeded`, `Draining`, `Paused`, `SlotsFailed`, `CliMissing`
├── `SessionBusy`, `InboxFull`, `IdempotencyConflict`, `ConfigConflict`, `SafeMode`,
│   `IsolationFailed`
└── `StoreError`
    ├── `VersionConflict` (decide again), `StoreInUse`, `StoreUnreadable`, `StoreFull`
    ├── `StoreBusy` (call again), `StoreFailed` (the owner ends)
    └── `LogBroken`, `LogNewer`
"""

from __future__ import annotations

import re
from typing import ClassVar

_PLACEHOLDER = re.compile(r"\{(\w+)\}")

CODES = (
    "invalid_argument", "not_found", "wrong_state", "budget_exceeded", "task_budget_reached", "draining",
    "paused", "store_in_use", "store_unreadable", "store_full", "log_broken", "log_newer",
    "version_conflict", "idempotency_conflict", "config_conflict", "cli_missing", "not_logged_in",
    "isolation_failed", "merge_conflict", "timed_out_queue", "timed_out_start", "timed_out_silence",
    "timed_out_task", "timed_out_chain", "slot_failed", "session_not_found", "session_busy",
    "model_not_found", "provider_limit", "provider_error", "permission_denied", "output_limit",
    "turn_limit", "prompt_too_long", "model_refused", "no_result", "schema_mismatch", "review_rejected",
    "step_failed", "interrupted", "internal",
)  # fmt: skip
"""Every code a caller can meet, in refusals and in the `error` of a view. The list is closed."""


class PoolError(Exception):
    """Something in claude-pool failed; this is a fault of the program, please report it."""

    code: ClassVar[str] = "internal"

    def __init__(self, **facts: object) -> None:
        """Keep `facts` as data; they fill the placeholders of the class's docstring."""
        self.facts = facts
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One paragraph for a person: what is wrong and what to do next."""
        template = " ".join((type(self).__doc__ or "").split())
        return _PLACEHOLDER.sub(lambda place: str(self.facts.get(place[1], place[0])), template)


class InvalidArgument(PoolError):
    """{argument}: {problem}"""

    code = "invalid_argument"


class NotFound(PoolError):
    """There is no {kind} {id}. {hint}"""

    code = "not_found"


class WrongState(PoolError):
    """{subject} is {state}: {problem}"""

    code = "wrong_state"


class BudgetExceeded(PoolError):
    """The budget of {whose} cannot cover this: {spent_usd} spent, {reserved_usd} reserved, limit
    {limit_usd}, needed {needed_usd}. Raise the limit, lower the task's max_budget_usd, or reset the
    budget."""

    code = "budget_exceeded"


class Draining(PoolError):
    """The pool is draining and admits nothing new. Undo it with pool_drain(mode="undo") to go on."""

    code = "draining"


class Paused(PoolError):
    """The pool is paused: {reason}. Lift it with pool_resume once the reason is gone."""

    code = "paused"


class SlotsFailed(PoolError):
    """Every slot of the pool has failed ({problem}). Mend that. {hint}"""

    code = "slot_failed"


class CliMissing(PoolError):
    """{problem} {hint}"""

    code = "cli_missing"


class SessionBusy(PoolError):
    """Session {session} has a live attempt ({attempt}). Wait for it, or resume another session."""

    code = "session_busy"


class InboxFull(PoolError):
    """The inbox of {owner} is full: {messages} messages of {bytes} bytes wait in it. Have them read with
    pool_read_messages, or let the slot run a task, then send again."""

    code = "wrong_state"


class IdempotencyConflict(PoolError):
    """The idempotency key was used before with other arguments (it made {id}). Use a new key."""

    code = "idempotency_conflict"


class ConfigConflict(PoolError):
    """The pool's owner runs otherwise: {differences}. Reading works. To change something, stop the owner with
    `claude-pool stop`, or come with the same version and options."""

    code = "config_conflict"


class SafeMode(PoolError):
    """The pool is in safe mode, because its last starts came to nothing ({problem}). Reading works and
    nothing runs. Mend the cause, then `claude-pool resume` (or pool_resume) starts it normally."""

    code = "wrong_state"


class IsolationFailed(PoolError):
    """{problem} {hint}"""

    code = "isolation_failed"


class StoreError(PoolError):
    """{path}: {problem}. Nothing was written."""

    code = "internal"


class VersionConflict(StoreError):
    """Stream {stream} is at version {actual}, not {expected}: decide again on its present state."""

    code = "version_conflict"


class StoreInUse(StoreError):
    """{path} is held by another owner (pid {pid}). Connect to it, or stop it with `claude-pool stop`."""

    code = "store_in_use"


class StoreUnreadable(StoreError):
    """{path}: {problem}. Nothing was written. {hint}"""

    code = "store_unreadable"


class StoreBusy(StoreError):
    """{path}: another program holds the log ({problem}), so nothing was done. End it, or call again."""

    code = "store_in_use"


class StoreFailed(StoreError):
    """{path}: {problem}. What the disk holds is not known until the log is read anew: the pool's owner ends,
    and the next call starts another."""

    code = "store_unreadable"


class StoreFull(StoreError):
    """{path}: there is no room ({problem}), so nothing was done. Free space on that disk, then call again."""

    code = "store_full"


class LogBroken(StoreError):
    """{path}: the log is damaged at position {position}: {problem}. Restore a backup, or look with
    `claude-pool replay --check`; `claude-pool backup --salvage` keeps what lies before the damage."""

    code = "log_broken"


class LogNewer(StoreError):
    """{path} was written by a newer version (schema {found}, this program knows up to {known}). Upgrade
    claude-pool; nothing was changed."""

    code = "log_newer"
