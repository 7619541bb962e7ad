"""What a CLI prints, as messages: one JSON object a line, read with tolerance.

Lines end with the byte `\\n` and nothing else, so any text survives inside them. Unknown types and fields are
normal, a field of another type than expected reads as missing, and a line that is no JSON object is not a
message. Nothing here raises for what a line holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

import msgspec

Message: TypeAlias = Mapping[str, object]

LINE_LIMIT = 32 * 2**20
"""Bytes in one line. More is a broken process, not an answer."""

_BABBLE_LINES = 100
_BABBLE_BYTES = 2**20

_NOTHING: Message = {}


class LineTooLong(Exception):
    """A line passed the limit before it ended."""


class LineSplitter:
    """Cuts a stream of bytes into lines, without their ends."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        """`limit` bounds the bytes of one line."""
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that `chunk` completes. What follows the last end is kept for the next chunk.

        Raises:
            LineTooLong: a line passed the limit; the splitter must not be fed any more.
        """
        first, *rest = chunk.split(b"\n")
        self._hold(first)
        for part in rest:
            line = b"".join(self._parts)
            self._parts, self._held = [], 0
            yield line
            self._hold(part)

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._limit:
            raise LineTooLong
        if part:
            self._parts.append(part)


def parse(line: bytes) -> Message | None:
    """The message in one line, or None where it is no JSON object. Invalid UTF-8 reads as U+FFFD."""
    value: object
    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        try:
            value = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return cast(Message, value) if isinstance(value, dict) else None


def text(message: Message, key: str) -> str:
    """The string under `key`, fit to be stored anywhere; empty where there is none."""
    value = message.get(key)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def part(message: Message, *keys: str) -> Message:
    """The object found by following `keys`; empty where there is none."""
    for key in keys:
        value = message.get(key)
        if not isinstance(value, dict):
            return _NOTHING
        message = cast(Message, value)
    return message


def items(message: Message, key: str) -> tuple[object, ...]:
    """The list under `key`; empty where there is none."""
    value = message.get(key)
    return tuple(cast("list[object]", value)) if isinstance(value, list) else ()


def objects(message: Message, key: str) -> tuple[Message, ...]:
    """The objects in the list under `key`."""
    return tuple(cast(Message, item) for item in items(message, key) if isinstance(item, dict))


def strings(message: Message, key: str) -> tuple[str, ...]:
    """The strings in the list under `key`."""
    return tuple(item for item in items(message, key) if isinstance(item, str))


def count(message: Message, key: str) -> int:
    """The number under `key` as a whole one, 0 where there is none or it is negative."""
    value = message.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return max(0, value)


def nanodollars(message: Message, key: str) -> int | None:
    """The dollars under `key` in nanodollars, None where there is no sound amount."""
    value = message.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        amount = float(value)
    except OverflowError:
        return None
    return round(amount * 1_000_000_000) if math.isfinite(amount) and 0 <= amount < 1e9 else None


def status(message: Message, key: str) -> int | None:
    """The HTTP status under `key`, None where there is none."""
    value = message.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Babble:
    """What a slot printed that is no message. A little is overlooked."""

    def __init__(self) -> None:
        self._lines = 0
        self._bytes = 0

    def too_much(self, line: bytes) -> bool:
        """Whether it is too much, with this line."""
        if not line.strip():
            return False
        self._lines += 1
        self._bytes += len(line)
        return self._lines > _BABBLE_LINES or self._bytes > _BABBLE_BYTES
