"""The kinds of words that phrases are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pytest_bdd import parsers

from tests.support.pool_model import behaviours

T = TypeVar("T")


def _kind(pattern: str, convert: Callable[[str], T]) -> Callable[[str], T]:
    convert.pattern = pattern  # type: ignore[attr-defined]  # how the library `parse` is told
    return convert


def _text(quoted: str) -> str:
    return quoted[1:-1]


def _tasks(letters: str) -> list[str]:
    return re.findall(r"\b[A-Z]\b", letters)


def _behaviour() -> str:
    clause = "|".join(re.sub(r"\(\?P<\w+>", "(?:", pattern) for pattern in behaviours())
    return rf"(?:{clause})(?: and (?:{clause}))*"


_CALLS = {"runs": "pool_run", "submits": "pool_submit", "submits for review": "pool_submit_with_review"}
_SCALES = {"adds": "pool_scale_up", "removes": "pool_scale_down", "wants": "pool_set_target_slots"}

KINDS = {
    "Task": _kind(r"[A-Z]\b", lambda text: text),
    "Tasks": _kind(r"[A-Z](?:(?:, | and )[A-Z])*|nothing", _tasks),
    "Are": _kind(r"is|are", lambda text: text),
    "State": _kind(
        r"pending_review|pending|parked|running|sealed|completed|failed|cancelled|waiting|skipped",
        lambda text: text,
    ),
    "Text": _kind(r'"[^"]*"', _text),
    "Shown": _kind(r'"[^"]+"|no values', lambda text: text.removeprefix("no values").strip('"')),
    "Code": _kind(r"[a-z_]+", lambda text: text),
    "Copy": _kind(r"(?:worktree|clone)(?: that is merged by (?:ff|merge))?", lambda text: text),
    "Money": _kind(r"\$[0-9.]+", lambda text: text),
    "Subject": _kind(r"[A-Z]|slot-\d+", lambda text: text),
    "Tool": _kind(r"[a-z]+_[a-z_]+", lambda text: text),
    "Address": _kind(r"pool://\S+", lambda text: text),
    "Who": _kind(r"the coordinator|slot-\d+|everyone", lambda text: text.removeprefix("the ")),
    "Slot": _kind(r"slot-\d+", lambda text: text),
    "Count": _kind(r"\d+", lambda text: int(text)),
    "Choice": _kind(r"allow|deny|resume|rerun|cancel", lambda text: text),
    "Ruling": _kind(r"continue|stop", lambda text: text),
    "Drains": _kind(r"finish|cancel|undo", lambda text: text),
    "SlotList": _kind(
        r"slot-\d+(?:(?:, | and )slot-\d+)*|nothing", lambda text: re.findall(r"slot-\d+", text)
    ),
    "Scales": _kind(r"adds|removes|wants", lambda text: _SCALES[text]),
    "Slots": _kind(r"slots?", lambda text: text),
    "Ways": _kind(r"forward|back", lambda text: {"forward": 1, "back": -1}[text]),
    "Seconds": _kind(r"seconds pass|second passes", lambda text: text),
    "Calls": _kind(r"runs|submits for review|submits", lambda text: _CALLS[text]),
    "Many": _kind(r"one task|two tasks", lambda text: text),
    "How": _kind(r"for now|for good", lambda text: text),
    "Behaviour": _kind(_behaviour(), lambda text: text),
}
"""Names of kinds, as they stand in the braces of a phrase."""


def phrase(words: str) -> parsers.parse:
    """A phrase with kinds of words in braces: `{name:Kind}`."""
    return parsers.parse(words, KINDS)
