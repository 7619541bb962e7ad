"""Times that a person gives: a moment, a day, or how long ago."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from claude_pool.domain.errors import InvalidArgument

if TYPE_CHECKING:
    from ..reading import At

AsOf = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="SEQ|TIME",
        help="As it stood after this event, or then (2h: ago).",
        show_default=False,
    ),
]
"""The flag of the verbs that can look back."""

_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
_LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which no time can be written."""


def parse_at(text: str) -> At:
    """The position (`120`) or the time (`2026-11-22T10:53:01Z`, `2h` ago) that `--at` means.

    Raises:
        InvalidArgument: it is neither.
    """
    from ..reading import At

    if text.isascii() and text.isdigit():
        return At(min(int(text[:19]), (1 << 63) - 1), None)
    try:
        return At(None, parse_moment(text, "--at", time.time_ns() // 1_000_000, end=True))
    except InvalidArgument:
        problem = (
            f"{text!r} is neither a position of the log nor a time; say 120, 2026-11-22T10:53:01Z,"
            " or 2h for two hours ago"
        )
        raise InvalidArgument(argument="--at", problem=problem) from None


def parse_moment(text: str, flag: str, now: int, *, end: bool = False) -> int:
    """The time (ms since the epoch) that `text` means: `2026-11-22T10:53:01Z`, `2026-11-22`, or `7d` ago.

    Units are s, m, h, d and w; a time without a zone is UTC. A day is its first millisecond, or with `end`
    its last one. `flag` is named in errors.

    Raises:
        InvalidArgument: it is none of these.
    """
    if ago := _AGO.fullmatch(text):
        return max(0, now - int(ago[1]) * _UNITS_MS[ago[2]])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        problem = f"{text!r} is no time; say 2026-11-22, 2026-11-22T10:53:01Z, or 7d for seven days ago"
        raise InvalidArgument(argument=flag, problem=problem) from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    whole_day = _UNITS_MS["d"] - 1 if end and _DAY.fullmatch(text) else 0
    return max(0, min(round(at.timestamp() * 1000) + whole_day, _LATEST_MS))
