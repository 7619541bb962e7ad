"""Reads the price file: US dollars per million tokens, by model."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from claude_pool.domain.prices import PriceList, Rates

_SHIPPED = Path(__file__).with_name("prices.toml")
_NANODOLLARS = 1_000
"""One dollar per million tokens is a thousand nanodollars per token."""


def price_list(path: Path = _SHIPPED) -> PriceList:
    """The prices in `path`, by default those of the pinned CLI."""
    with path.open("rb") as file:
        document = tomllib.load(file)
    models: dict[str, dict[str, Any]] = document["models"]
    return PriceList({name: _rates(row) for name, row in models.items()}, _rates(document["unknown"]))


def _rates(row: dict[str, Any]) -> Rates:
    def nano(name: str) -> int:
        dollars: float = row[name]
        return round(dollars * _NANODOLLARS)

    return Rates(
        nano("input"), nano("output"), nano("cache_read"), nano("cache_write_5m"), nano("cache_write_1h"),
        row.get("long_above"), row.get("long_factor", 1),
    )  # fmt: skip
