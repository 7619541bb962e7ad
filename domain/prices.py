"""What one API call costs, from the tokens it served and a list of prices.

Prices are integers in nanodollars per token (0.10 USD per million tokens = 100), so that nothing is
rounded before the end: `microdollars` rounds up, once per attempt, so that served tokens are never free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NANODOLLARS_PER_MICRODOLLAR = 1_000


@dataclass(frozen=True, slots=True)
class Served:
    """The tokens of one API call, by price class; cache writes by how long they live."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def context(self) -> int:
        """The tokens that went in, which decide whether the long-context price holds."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Rates:
    """Nanodollars per token; above `long_above` tokens of context a call costs `long_factor` times that."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    long_above: int | None = None
    long_factor: int = 1


@dataclass(frozen=True, slots=True)
class PriceList:
    """Rates by the model's name as the API gets it, and the dearest ones for names that are not listed."""

    models: Mapping[str, Rates]
    unknown: Rates

    def rates(self, model: str | None) -> Rates:
        """The rates of a model: its own, or those of the longest listed name that it continues with `-`."""
        name = (model or "").removesuffix("[1m]")
        if name in self.models:
            return self.models[name]
        prefixes = [known for known in self.models if name.startswith(known + "-")]
        return self.models[max(prefixes, key=len)] if prefixes else self.unknown

    def cost(self, model: str | None, served: Served) -> int:
        """What one call cost, in nanodollars."""
        rates = self.rates(model)
        cost = (
            served.input * rates.input
            + served.output * rates.output
            + served.cache_read * rates.cache_read
            + served.cache_write_5m * rates.cache_write_5m
            + served.cache_write_1h * rates.cache_write_1h
        )
        long = rates.long_above is not None and served.context > rates.long_above
        return cost * rates.long_factor if long else cost


def microdollars(nanodollars: int) -> int:
    """Nanodollars as whole microdollars, rounded up."""
    return -(-nanodollars // NANODOLLARS_PER_MICRODOLLAR)
