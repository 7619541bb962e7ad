"""Money, times and counts as people write them: one reading and one set of ranges for every entrance.

A number is a JSON number, or a text with one in plain ASCII digits, with or without spaces around it. No
truth value, no `1_000`, no `1:30`, no digits of another script, nothing infinite.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from claude_pool.domain.errors import InvalidArgument

LONGEST_TEXT = 40
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Range(NamedTuple):
    """From `least` to `most`, both allowed. `zero`: 0 is too, though it is below `least`."""

    unit: str
    least: float
    most: float
    zero: bool = False
    whole: bool = False

    @property
    def problem(self) -> str:
        """What is said of a number that is not in it; it follows the name of a field."""
        return f"should be {self.bounds}"

    @property
    def bounds(self) -> str:
        """It in words: `dollars from 0.000001 to 1000000`."""
        least = f" from {plain(self.least)}" if math.isfinite(self.least) else ""
        most = f" to {plain(self.most)}" if math.isfinite(self.most) else ""
        return f"{'0 or ' if self.zero else ''}{self.unit}{least}{most}"

    def __contains__(self, number: object) -> bool:
        """Whether a number lies in it; no other value does."""
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            return False
        return self.least <= number <= self.most or (self.zero and number == 0)

    def read(self, raw: object) -> float:
        """The number that `raw` (a number, or text) means; an `int` where it is whole.

        Raises:
            ValueError: it is none of these; the message is `problem`.
        """
        found = _whole(raw) if self.whole else _number(raw)
        if found is None or found not in self:
            raise ValueError(self.problem)
        return found or 0  # -0.0 is 0


DOLLARS = Range("dollars", 0.000_001, 1_000_000)
"""Every budget: 1 to 10^12 microdollars. A budget of 0 would be a pool that does nothing."""

ATTEMPT_SECONDS = Range("seconds", 0.001, 2_592_000)
"""The time of an attempt or a chain, and the pause between attempts: up to 30 days."""

SILENCE_SECONDS = Range("seconds", 0.001, 604_800)
"""Waits for a sign of life, and for a slot: up to 7 days."""

QUESTION_SECONDS = Range("seconds", 0.001, 3_600, zero=True)

DRAIN_SECONDS = Range("seconds", 0.001, 86_400, zero=True)

IDLE_SECONDS = Range("seconds", 0.001, 31_622_400, zero=True)

WAIT_SECONDS = Range("seconds", 0, 1_000_000_000)
"""How long a caller waits. Calls of the pool cap it far below."""

DEPTH = Range("a whole number of pools", 1, 8, whole=True)

SLOTS = Range("a whole number of slots", 1, 1_000, whole=True)

MEGABYTES = Range("a whole number of MB", 1, 100_000_000, zero=True, whole=True)


def given(raw: object, allowed: Range, where: str) -> float:
    """The number that `raw` means, for who has to tell a caller where a wrong one stands.

    Raises:
        InvalidArgument: it is none in that range.
    """
    try:
        return allowed.read(raw)
    except ValueError as error:
        raise InvalidArgument(argument=where, problem=str(error)) from None


def microdollars(usd: float) -> int:
    """Dollars as a whole number of microdollars, never more than was said."""
    return int((Decimal(repr(usd)) * 1_000_000).to_integral_value(ROUND_DOWN))


def milliseconds(seconds: float) -> int:
    """Seconds as a whole number of milliseconds, the nearest."""
    return round(seconds * 1000)


def plain(number: float) -> str:
    """A number without an exponent: `0.000001`, `1000000`."""
    return f"{number:.6f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)


def _number(raw: object) -> float | None:
    text = raw.strip() if isinstance(raw, str) else ""
    if isinstance(raw, str) and (len(text) > LONGEST_TEXT or not _DECIMAL.fullmatch(text)):
        return None
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        return None
    try:
        value = float(raw)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def _whole(raw: object) -> int | None:
    if isinstance(raw, str):
        return int(raw) if _WHOLE.fullmatch(raw.strip()) else None
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else None
