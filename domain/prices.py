"""What one API call costs, from the tokens it served and a list of prices.

Prices are integers in nanodollars per token (0.10 USD per million tokens = 100), so that nothing is
rounded before the end: `microdollars` rounds up, once per attempt, so that served tokens are never free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

NANODOLLARS_PER_MICRODOLLAR = 1_000

MAX_OUTPUT = 32_000
"""Tokens of output that one call of a model can have of which nothing else is known."""

SHORT_OUTPUT = 1
"""Tokens of the shortest answer: without money for that, a call is not worth its input."""

_DEFAULT = "default"


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
    """Nanodollars per token; above `long_above` tokens of context a call costs `long_factor` times that.

    `max_output` is the most output that one call can have, in tokens.
    """

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    long_above: int | None = None
    long_factor: int = 1
    max_output: int = MAX_OUTPUT


@dataclass(frozen=True, slots=True)
class PriceList:
    """Rates by the model's name as the API gets it, and the dearest ones for names that are not listed.

    `aliases` are the CLI's own names for models, `default` among them for where none is named. `plan` says
    which other model the CLI turns to in permission mode `plan`, by the name that was asked for.
    """

    models: Mapping[str, Rates]
    unknown: Rates
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    plan: Mapping[str, str] = field(default_factory=dict[str, str])

    def rates(self, model: str | None) -> Rates:
        """The rates of a model: its own, or those of the longest listed name that it continues with `-`.

        None, the same as `default`, is the model that the CLI takes where none is named. An alias has the
        rates of what it stands for.
        """
        name = _plain(model)
        name = self.aliases.get(name.lower(), name)
        if name in self.models:
            return self.models[name]
        prefixes = [known for known in self.models if name.startswith(known + "-")]
        return self.models[max(prefixes, key=len)] if prefixes else self.unknown

    def knows(self, model: str | None) -> bool:
        """Whether the list has rates of the model, rather than the dearest ones of all."""
        return self.rates(model) is not self.unknown

    def cost(self, model: str | None, served: Served) -> int:
        """What one call cost, in nanodollars."""
        return _cost(self.rates(model), served)

    def next_call(self, model: str | None, context: int, permission_mode: str | None = None) -> int:
        """The most that one call can cost, in microdollars, rounded up.

        The whole `context` (tokens, >= 0) counts as plain input, and the output is as long as the model
        allows. In mode `plan` the dearer of the model and what the CLI turns to then holds.
        """
        return max(_call(rates, context, rates.max_output) for rates in self._either(model, permission_mode))

    def least_call(self, model: str | None, context: int, permission_mode: str | None = None) -> int:
        """What a call with a short answer costs, in microdollars; else like `next_call`."""
        return max(_call(rates, context, SHORT_OUTPUT) for rates in self._either(model, permission_mode))

    def turned_to(self, model: str | None, permission_mode: str | None) -> str | None:
        """The model that the CLI asks where `model` is wanted in that mode."""
        return self.plan.get(_plain(model).lower(), model) if permission_mode == "plan" else model

    def _either(self, model: str | None, permission_mode: str | None) -> tuple[Rates, Rates]:
        return self.rates(model), self.rates(self.turned_to(model, permission_mode))


def dearest(rates: Iterable[Rates]) -> Rates:
    """The highest rate of every class, long contexts included. `rates` must not be empty."""
    every = tuple(rates)

    def most(value: Callable[[Rates], int]) -> int:
        return max(value(each) * each.long_factor for each in every)

    return Rates(
        most(lambda each: each.input),
        most(lambda each: each.output),
        most(lambda each: each.cache_read),
        most(lambda each: each.cache_write_5m),
        most(lambda each: each.cache_write_1h),
    )


def microdollars(nanodollars: int) -> int:
    """Nanodollars as whole microdollars, rounded up."""
    return -(-nanodollars // NANODOLLARS_PER_MICRODOLLAR)


def _plain(model: str | None) -> str:
    return (model or _DEFAULT).removesuffix("[1m]")


def _cost(rates: Rates, served: Served) -> int:
    cost = (
        served.input * rates.input
        + served.output * rates.output
        + served.cache_read * rates.cache_read
        + served.cache_write_5m * rates.cache_write_5m
        + served.cache_write_1h * rates.cache_write_1h
    )
    long = rates.long_above is not None and served.context > rates.long_above
    return cost * rates.long_factor if long else cost


def _call(rates: Rates, context: int, output: int) -> int:
    return microdollars(_cost(rates, Served(input=context, output=min(output, rates.max_output))))
