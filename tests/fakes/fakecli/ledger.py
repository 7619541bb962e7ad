"""Models by their aliases, what their tokens cost, and the account of one process."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from claude_pool.adapters.demo.directives import Usage

_HAIKU = "claude-haiku-5-5"
_SONNET = "claude-sonnet-5-5"
_OPUS = "claude-opus-5-5"
_ALIASES = {
    "haiku": _HAIKU,
    "sonnet": _SONNET,
    "opusplan": _SONNET,
    "opus": _OPUS,
    "best": _OPUS,
    "default": _OPUS,
    "fable": "claude-fable-5-2",
}

# US dollars for a million tokens: input, output, cache read, cache write for 5 minutes, for an hour.
_RATES = {
    _HAIKU: (0.1, 0.5, 0.01, 0.125, 0.2),
    _SONNET: (2.0, 10.0, 0.1, 2.5, 4.0),
    _OPUS: (4.0, 20.0, 0.2, 5.0, 8.0),
    "claude-fable-5-2": (8.0, 40.0, 0.2, 10.0, 16.0),
    "claude-opus-5": (5.0, 25.0, 0.5, 6.25, 10.0),
    "claude-sonnet-5": (2.0, 10.0, 0.2, 2.5, 4.0),
    "claude-sonnet-4-5": (3.0, 15.0, 0.3, 3.75, 6.0),
    "claude-haiku-4-5": (1.0, 5.0, 0.1, 1.25, 2.0),
}
_LONG_CONTEXT = 100_000
_LONG_CONTEXT_FACTOR = {_HAIKU: 5.0}


def resolved(model: str | None) -> str:
    """The full name of a model that is given by an alias, or its own name."""
    name = (model or "default").removesuffix("[1m]")
    return _ALIASES.get(name, name)


def price(model: str, usage: Usage) -> float:
    """The price of one call in US dollars. Unknown models cost what the default model does."""
    rates = _RATES.get(model, _RATES[_OPUS])
    context = usage.input + usage.cache_read + usage.cache_write + usage.cache_write_1h
    factor = _LONG_CONTEXT_FACTOR.get(model, 1.0) if context > _LONG_CONTEXT else 1.0
    counts = (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.cache_write_1h)
    return sum(count * rate for count, rate in zip(counts, rates, strict=True)) * factor / 1e6


class Account:
    """Tokens and dollars by model."""

    def __init__(self) -> None:
        """At zero."""
        self._usage: dict[str, Usage] = {}
        self._cost: dict[str, float] = {}

    def charge(self, model: str, usage: Usage, factor: float) -> None:
        """Add one call at `factor` times its price."""
        self._usage[model] = self._usage.get(model, Usage()) + usage
        self._cost[model] = self._cost.get(model, 0.0) + price(model, usage) * factor

    def reset(self) -> None:
        """Begin at zero."""
        self._usage.clear()
        self._cost.clear()

    @property
    def cost(self) -> float:
        """Dollars in all."""
        return sum(self._cost.values())

    def by_model(self) -> dict[str, Any]:
        """The account as a result line shows it."""
        return {
            model: {
                "inputTokens": usage.input,
                "outputTokens": usage.output,
                "cacheReadInputTokens": usage.cache_read,
                "cacheCreationInputTokens": usage.cache_write + usage.cache_write_1h,
                "webSearchRequests": 0,
                "costUSD": self._cost[model],
                "contextWindow": 1_000_000,
                "maxOutputTokens": 128_000 if model in _RATES else 32_000,
                "thinkingTokens": 0,
                "cacheCreationEphemeral5mInputTokens": usage.cache_write,
                "cacheCreationEphemeral1hInputTokens": usage.cache_write_1h,
                "canonicalModel": model,
                "provider": "firstParty",
                "costBasis": "list" if model in _RATES else "unknown",
            }
            for model, usage in self._usage.items()
        }

    def saved(self) -> dict[str, Any]:
        """The account for a conversation's file."""
        return {model: [asdict(usage), self._cost[model]] for model, usage in self._usage.items()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what was saved."""
        for model, (usage, cost) in saved.items():
            self._usage[model] = Usage(**usage)
            self._cost[model] = cost
