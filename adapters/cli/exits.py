"""Exit codes of the command line: what a script learns without reading a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from claude_pool.domain.provider import ENDLESS

DONE = 0
FAILED = 1
USAGE = 2
REFUSED = 3
BROKEN = 4
CHECK_FAILED = 5
NEWER = 6
NEEDS_SOMEONE = 7
TIMED_OUT = 124
INTERRUPTED = 130

_OF_CODE = {
    "invalid_argument": USAGE,
    "not_found": USAGE,
    "budget_exceeded": REFUSED,
    "draining": REFUSED,
    "paused": REFUSED,
    "store_in_use": REFUSED,
    "store_unreadable": REFUSED,
    "store_full": REFUSED,
    "config_conflict": REFUSED,
    "log_broken": BROKEN,
    "log_newer": NEWER,
}


def of_error(code: str) -> int:
    """The exit code of a refusal with this code."""
    return TIMED_OUT if code.startswith("timed_out_") else _OF_CODE.get(code, FAILED)


def of_task(view: Mapping[str, object]) -> int:
    """The exit code of a task that has come to rest."""
    match view.get("state"):
        case "completed":
            return DONE
        case "sealed" | "pending_review":
            return NEEDS_SOMEONE
        case "pending" | "parked" if view.get("reason") in ENDLESS:
            return NEEDS_SOMEONE
        case _:
            error = cast("Mapping[str, object]", view.get("error") or {})
            return TIMED_OUT if str(error.get("code")).startswith("timed_out_") else FAILED


def of_tasks(views: Iterable[Mapping[str, object]]) -> int:
    """The exit code of several: someone needed over failed over timed out over done."""
    codes = {of_task(view) for view in views}
    return next((code for code in (NEEDS_SOMEONE, FAILED, TIMED_OUT) if code in codes), DONE)
