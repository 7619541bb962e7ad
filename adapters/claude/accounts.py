"""What the CLI says that it was billed: its result lines, each as the difference from the one before.

Numbers that can be no amount (negative, no numbers, absurdly large) are as good as none.
"""

from __future__ import annotations

from dataclasses import dataclass

from claude_pool.domain.values import Tokens

from .stream import Message, count, nanodollars, part

_MOST_NANODOLLARS = 10_000 * 1_000_000_000
"""More than this no turn costs; whoever says so miscounted."""

_MOST_TOKENS = 10**10


@dataclass(frozen=True, slots=True)
class Account:
    """What the CLI says that it was billed since its last account, in nanodollars and tokens."""

    nanodollars: int = 0
    tokens: Tokens = Tokens()


class CliAccounts:
    """Differences of the running totals in the CLI's result lines.

    Newer CLIs state the difference themselves. Others state a total that grows with the process or the
    conversation and falls to zero at moments that depend on the version: every fall opens a new epoch.
    """

    def __init__(self, *, resumed: bool) -> None:
        """`resumed`: the process continues a conversation, whose earlier cost its totals may include."""
        self._known = not resumed
        self._total = 0
        self._tokens = Tokens()

    def take(self, result: Message) -> Account | None:
        """The difference that one result line makes, or None where it cannot be known."""
        total = nanodollars(result, "total_cost_usd")
        if total is not None and total - self._total > _MOST_NANODOLLARS:
            total = None
        tokens = _tokens(part(result, "modelUsage"))
        since = result.get("model_usage_since_last_result")
        before, tokens_before, known = self._total, self._tokens, self._known
        if total is not None:
            self._total, self._tokens, self._known = total, tokens, True
        if isinstance(since, dict):
            usage = part(result, "model_usage_since_last_result")
            billed = sum(nanodollars(part(usage, model), "costUSD") or 0 for model in usage)
            return Account(billed, _tokens(usage)) if billed <= _MOST_NANODOLLARS else None
        if total is None or not known:
            return None
        if total < before:
            before, tokens_before = 0, Tokens()
        return Account(total - before, _minus(tokens, tokens_before))


def _tokens(usage: Message) -> Tokens:
    total = Tokens()
    for model in usage:
        one = part(usage, model)
        total += Tokens(
            _sound(one, "inputTokens"),
            _sound(one, "outputTokens"),
            _sound(one, "cacheReadInputTokens"),
            _sound(one, "cacheCreationInputTokens"),
        )
    return total


def _sound(usage: Message, key: str) -> int:
    number = count(usage, key)
    return number if number <= _MOST_TOKENS else 0


def _minus(tokens: Tokens, before: Tokens) -> Tokens:
    return Tokens(
        max(0, tokens.input - before.input),
        max(0, tokens.output - before.output),
        max(0, tokens.cache_read - before.cache_read),
        max(0, tokens.cache_write - before.cache_write),
    )
