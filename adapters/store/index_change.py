"""What a rule of the index is: an event in, a statement out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Change = tuple[str, tuple[object, ...]]
"""A statement and its parameters."""

Rule = Callable[[int, str, Any, int], Change]
"""Position, stream, event, recorded_at (ms) -> change."""
