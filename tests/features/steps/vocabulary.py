"""The kinds of words that phrases are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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


def _ways(ways: Mapping[str, T]) -> Callable[[str], T]:
    """One of several words, each for what it means."""
    return _kind("|".join(ways), lambda text: ways[text])


def _behaviour() -> str:
    clause = "|".join(re.sub(r"\(\?P<\w+>", "(?:", pattern) for pattern in behaviours())
    return rf"(?:{clause})(?: and (?:{clause}))*"


_CALLS = {"runs": "pool_run", "submits for review": "pool_submit_with_review", "submits": "pool_submit"}
_HAND_INS = {"submits": None, "fans out without waiting": 0.0, "fans out": 50.0}
"""How long the coordinator waits for what it hands in together; None where it asks for one after another."""
_ENDS = {"stopped": "finish", "stopped at once": "now"}
_SCALES = {"adds": "pool_scale_up", "removes": "pool_scale_down", "wants": "pool_set_target_slots"}

_ANSWER = r'(?:allow|deny|resume|rerun|cancel|continue|stop)(?:, saying "[^"]*"| and \$[0-9.]+ more)?'


def _answer(text: str) -> dict[str, object]:
    """The arguments of an answer: the choice, what is said with it, the money that it adds."""
    choice, _, said = text.partition(", saying ")
    choice, _, more = choice.partition(" and ")
    amount = float(more.removeprefix("$").removesuffix(" more")) if more else None
    return {"choice": choice, "message": said[1:-1] if said else None, "amount_usd": amount}


_SETTING = r"(?: in a (?:worktree|clone)(?: that is merged by (?:ff|merge))?)?(?: within \d+ seconds)?"


def _setting(text: str) -> dict[str, object]:
    """The options of a chain: the copy of the repository it works in, and its deadline."""
    found: dict[str, object] = {}
    if copy := re.search(r"in a (worktree|clone)(?: that is merged by (ff|merge))?", text):
        found |= {"isolation": copy[1], "merge": copy[2] or "none"}
    if deadline := re.search(r"within (\d+) seconds", text):
        found["timeout_seconds"] = int(deadline[1])
    return found


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
    "Setting": _kind(_SETTING, _setting),
    "Money": _kind(r"\$[0-9.]+", lambda text: text),
    "Price": _kind(r"\$[0-9.]+|between \$[0-9.]+ and \$[0-9.]+", lambda text: re.findall(r"\$[0-9.]+", text)),
    "Subject": _kind(r"[A-Z]|slot-\d+", lambda text: text),
    "Tool": _kind(r"[a-z]+_[a-z_]+", lambda text: text),
    "Address": _kind(r"pool://\S+", lambda text: text),
    "Who": _kind(r"the coordinator|slot-\d+|everyone", lambda text: text.removeprefix("the ")),
    "Slot": _kind(r"slot-\d+", lambda text: text),
    "Count": _kind(r"\d+", lambda text: int(text)),
    "Asker": _kind(r"[A-Z]|the pool", lambda text: None if text == "the pool" else text),
    "Answer": _kind(_ANSWER, _answer),
    "Drains": _kind(r"finish|cancel|undo", lambda text: text),
    "Listed": _kind(
        r"(?:[A-Z]|slot-\d+)(?:(?:, | and )(?:[A-Z]|slot-\d+))*|nothing",
        lambda text: re.findall(r"\b[A-Z]\b|slot-\d+", text),
    ),
    "Lists": _ways({"lists tasks": "pool_list_tasks", "finds slots": "pool_find_slots"}),
    "Awaited": _kind(r"(?: for [A-Z](?:(?:, | and )[A-Z])*)?", lambda text: _tasks(text)),
    "With": _kind(r"(?:,? with)?", lambda text: text),
    "Scales": _ways(_SCALES),
    "Slots": _kind(r"slots?", lambda text: text),
    "Ways": _ways({"forward": 1, "back": -1}),
    "Seconds": _kind(r"seconds pass|second passes", lambda text: text),
    "Calls": _ways(_CALLS),
    "HandsIn": _ways(_HAND_INS),
    "Ends": _ways(_ENDS),
    "Many": _kind(r"one task|two tasks", lambda text: text),
    "How": _kind(r"for now|for good", lambda text: text),
    "Behaviour": _kind(_behaviour(), lambda text: text),
}
"""Names of kinds, as they stand in the braces of a phrase."""


def phrase(words: str) -> parsers.parse:
    """A phrase with kinds of words in braces: `{name:Kind}`."""
    return parsers.parse(words, KINDS)
