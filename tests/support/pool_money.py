"""Money as features write it: `$0.0004`."""

from __future__ import annotations

from decimal import Decimal


def microdollars(text: str) -> int:
    """`$0.0004` as 400."""
    return int(Decimal(text.removeprefix("$")) * 1_000_000)


def dollars(amount: int) -> str:
    """400 as `$0.0004`."""
    value = Decimal(amount) / 1_000_000
    return f"${value.normalize():f}"
