"""Whether a case played again comes to the same events: all but their times, and names that nobody gave."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, cast

import msgspec
from claude_pool.domain.records import Recorded

from ..store.registry import default_codec
from .archive import read_case
from .case import Case
from .playing import Played, play

_TIMES = ("at", "until", "deadline")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a rerun is not what was recorded: at a position of the recording (None: it came in addition), in
    an event of `stream`; `recorded` and `rerun` are what both say (None: nothing)."""

    position: int | None
    stream: str
    event: str
    recorded: str | None
    rerun: str | None

    @property
    def text(self) -> str:
        """One line for a person, or two."""
        where = f"{self.position if self.position is not None else '-':>6}  {self.stream}  {self.event}"
        if self.rerun is None:
            return f"{where}: it did not come"
        if self.recorded is None:
            return f"{where}: it came in addition"
        return f"{where}\n        recorded {self.recorded}\n        now      {self.rerun}"


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of a rerun: how many events were compared, how they differ, and what could not be done."""

    events: int
    differences: tuple[Difference, ...]
    refused: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it came to the same."""
        return not self.differences

    @property
    def text(self) -> str:
        """All of it, for a person."""
        return "\n".join([*(each.text for each in self.differences), *self.refused])


def rerun(path: str, content: bytes | None = None, say: Callable[[str], None] = lambda _: None) -> Rerun:
    """Play the case in the file at `path` (or in `content`) again, in memory, without a CLI or a network.

    Raises:
        NoCase, CaseDamaged, CaseNewer: it is none that can be played.
    """
    return rerun_case(read_case(path, content), say)


def rerun_case(case: Case, say: Callable[[str], None] = lambda _: None) -> Rerun:
    """Play a case again; see `rerun`. What the pool would log meanwhile has not happened, and is not told."""
    logging.disable()
    try:
        return compared(_played(case, say))
    finally:
        logging.disable(logging.NOTSET)


def _played(case: Case, say: Callable[[str], None]) -> Played:
    with tempfile.TemporaryDirectory(prefix="claude-pool-rerun-") as folder:
        return asyncio.run(play(case, Path(folder), say))


def compared(played: Played) -> Rerun:
    """Both sides of a rerun held against each other."""
    left, right = _plain(played.recorded), _plain(played.events)
    found: list[Difference] = []
    matcher = SequenceMatcher(None, [key for key, _ in left], [key for key, _ in right], autojunk=False)
    for how, begin, end, there, until in matcher.get_opcodes():
        if how == "equal":
            for recorded, ours, theirs in zip(
                played.recorded[begin:end], left[begin:end], right[there:until], strict=True
            ):
                now = theirs[1]
                if ours[1]["cause"] is None:
                    now = {**now, "cause": None}  # earlier versions did not tell every cause
                if ours[1] != now:
                    found.append(_changed(recorded, ours[1], now))
            continue
        found += [
            Difference(r.position, r.stream, r.event.NAME, r.event.NAME, None)
            for r in played.recorded[begin:end]
        ]
        found += [
            Difference(None, r.stream, r.event.NAME, None, r.event.NAME) for r in played.events[there:until]
        ]
    return Rerun(len(played.recorded), tuple(found), tuple(played.refused))


_Key = tuple[str, str, str]


def _plain(events: Sequence[Recorded]) -> list[tuple[_Key, Any]]:
    """Each event's place in the story, and what it says; a cause is told by its place, as positions shift."""
    codec, keys = default_codec(), dict[str, str]()
    places = {r.position: " ".join(_key(r)).strip() for r in events}
    told: list[tuple[_Key, Any]] = []
    for r in events:
        envelope = msgspec.json.decode(codec.encode(r.event, r.meta)[1])
        cause = places.get(r.meta.cause or 0, r.meta.cause)
        said = {"actor": envelope["a"], "cause": cause, **envelope["d"]}
        told.append((_key(r), _timeless(said, keys)))
    return told


def _key(recorded: Recorded) -> _Key:
    attempt = getattr(recorded.event, "attempt", "")
    return recorded.stream, recorded.event.NAME, str(attempt)


def _timeless(value: Any, keys: dict[str, str]) -> Any:
    """A value without times; launch keys, which depend on the machine, are told apart and no more."""
    if isinstance(value, list):
        return [_timeless(each, keys) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, each in cast("dict[str, object]", value).items():
        if name in _TIMES and isinstance(each, int):
            found[name] = "a time"
        elif name == "key" and isinstance(each, str) and "launch" in value:
            found[name] = keys.setdefault(each, f"key {len(keys) + 1}")
        else:
            found[name] = _timeless(each, keys)
    return found


def _changed(recorded: Recorded, ours: Any, theirs: Any) -> Difference:
    left, right = _parted(ours, theirs)
    shown = (msgspec.json.encode(each).decode() for each in (left, right))
    return Difference(recorded.position, recorded.stream, recorded.event.NAME, *shown)


def _fields(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _parted(left: object, right: object) -> tuple[object, object]:
    """Both sides reduced to what differs."""
    ours, theirs = _fields(left), _fields(right)
    if ours is None or theirs is None:
        return left, right
    found: tuple[dict[str, Any], dict[str, Any]] = {}, {}
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            found[0][name], found[1][name] = _parted(ours.get(name), theirs.get(name))
    return found
