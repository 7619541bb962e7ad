"""Answers to the question why something is as it is: what it comes to, and what led there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

_DAY_MS = 86_400_000
_LAST_MS = 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Because:
    """One reason: a word for programs, a sentence for people, and the event that holds it (None: no single
    one does, or it lies too far back)."""

    reason: str
    text: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Why `subject` is as it is, the deciding reason first.

    `question` is the one that its state raises: `waits`, `runs`, `failed`, `completed`, `cancelled`, or
    `stands` for a slot, the pool and money. `do` is what somebody can do about it. `ahead` is how many
    tasks stand before it in the queue.
    """

    subject: str
    state: str
    question: str
    because: tuple[Because, ...]
    do: str | None = None
    ahead: int | None = None


def clock(ms: int | None) -> str:
    """A time (ms) as people read it, by UTC: `2026-01-31 10:15:00Z`; of None, that it is not known."""
    if ms is None or not 0 <= ms <= _LAST_MS:
        return "an unknown time"
    seconds = ms // 1000 % 86_400
    day = date.fromordinal(date(1970, 1, 1).toordinal() + ms // _DAY_MS).isoformat()
    return f"{day} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"


def span(ms: int) -> str:
    """A duration for people: `0.3 s`, `12 s`, `5 min`, `3.0 h`."""
    if ms < 10_000:
        return f"{max(0, ms) / 1000:.1f} s"
    if ms < 600_000:
        return f"{ms // 1000} s"
    return f"{ms // 60_000} min" if ms < 7_200_000 else f"{ms / 3_600_000:.1f} h"
