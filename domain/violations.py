"""What may be true of no log, and the shape that every check of one has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that may never be true, and at which event it was seen. Amounts are in microdollars."""

    position: int
    code: str
    text: str


Rule = Callable[[int, str, Any], object]
"""Looks at one event: its position, its stream, and itself."""

Rules = Mapping[type[Any], Rule]
"""Which rule looks at which kind of event."""
