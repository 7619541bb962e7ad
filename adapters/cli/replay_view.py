"""Events of the log as people and programs read them, and which of them are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import NamedTuple, cast

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.records import Recorded

from ..event_view import event_view
from ..store.codec import plain
from . import output

_WIDEST_VALUE = 48
_WIDEST_SAID = 200
_LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which no time can be written."""


class Wanted(NamedTuple):
    """Which events: up to a position or a time, those about a task, chain or slot, of a type."""

    until: int | None = None
    before: int | None = None
    subjects: tuple[str, ...] = ()
    type: str | None = None

    def takes(self, recorded: Recorded) -> bool:
        """Whether an event is one of them."""
        if self.type is not None and not fnmatchcase(recorded.event.NAME, self.type):
            return False
        if not self.subjects:
            return True
        named = {recorded.stream, *_texts(plain(recorded.event))}
        return all(
            any(text == each or text.startswith(f"{each}.") for text in named) for each in self.subjects
        )

    def passed(self, recorded: Recorded) -> bool:
        """Whether this event, and so every later one, lies beyond the end that is wanted."""
        if self.until is not None and recorded.position > self.until:
            return True
        return self.before is not None and recorded.meta.recorded_at > self.before


def event_json(recorded: Recorded) -> str:
    """One event as one line of JSON: keys sorted, no spaces, so that the same event is the same text."""
    return json.dumps(event_view(recorded), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def event_line(recorded: Recorded) -> str:
    """One event as one line: position, time, stream, name, and what it says, shortened."""
    at = output.moment(recorded.meta.recorded_at)
    head = f"{recorded.position:>6}  {at}  {recorded.stream:<21}  {recorded.event.NAME:<22}"
    return f"{head}  {said(recorded)}".rstrip()


def said(recorded: Recorded) -> str:
    """What an event says, shortened, on one line: names and values."""
    pairs = _pairs(cast("Mapping[str, object]", plain(recorded.event)))
    text = " ".join(f"{name}={value}" for name, value in pairs if value != recorded.stream)
    return output.line(text, _WIDEST_SAID)


def parse_until(text: str) -> Wanted:
    """Up to a position (`120`) or a time (`2026-11-22`, `2026-11-22T10:53:01Z`; without a zone: UTC).

    Raises:
        InvalidArgument: it is neither.
    """
    if text.isascii() and text.isdigit():
        return Wanted(until=min(int(text[:19]), (1 << 63) - 1))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        problem = f"{text!r} is neither a position nor a time such as 2026-11-22T10:53:01Z"
        raise InvalidArgument(argument="--until", problem=problem) from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return Wanted(before=min(round(at.timestamp() * 1000), _LATEST))


def _pairs(data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Names and values of what an event says; of what is nested, its innermost names."""
    for name, value in data.items():
        if isinstance(value, dict):
            inner = cast("dict[str, object]", value)
            # A text is shown by its beginning, wherever the rest of it lies.
            if (text := inner.get("inline", inner.get("head"))) is not None:
                yield name, _brief(text)
            else:
                yield from _pairs(inner)
        elif name != "at":
            yield name, _brief(value)


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = output.line(text, _WIDEST_VALUE)
    return json.dumps(shown, ensure_ascii=False) if isinstance(value, str) and " " in shown else shown


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
