"""Why attempts cost what they did: what was reserved, what was charged, and the prices that explain it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .answers import Because
from .pool_events import FundsReserved, FundsSettled, FundsToppedUp
from .prices import PriceList, Rates, microdollars
from .records import Recorded
from .slot_events import SlotClaimed
from .task_events import AttemptCancelled, AttemptFailed, AttemptSealed, AttemptStarted, AttemptSucceeded
from .values import Outcome, Tokens, attempt_id, dollars

Terms = tuple[tuple[int, int], ...]
"""Tokens of each class, and nanodollars per token of it."""


def money_of(events: Sequence[Recorded], prices: PriceList) -> tuple[Because, ...]:
    """What each attempt had reserved, was given on top, and was settled at, for which tokens at which rates.

    `prices` are those of now; the log holds none.
    """
    found: list[Because] = []
    served: dict[str, str] = {}
    started: dict[str, AttemptStarted] = {}
    for each in events:
        match each.event:
            case AttemptStarted(number):
                started[attempt_id(each.stream, number)] = each.event
            case (
                AttemptSucceeded(number, outcome)
                | AttemptFailed(number, outcome)
                | AttemptCancelled(number, outcome)
                | AttemptSealed(number, outcome)
            ):
                attempt = attempt_id(each.stream, number)
                served[attempt] = _served(outcome, started.get(attempt), prices)
            case FundsReserved(attempt, amount):
                found.append(Because("reserved", f"{attempt} had {dollars(amount)} reserved", each.position))
            case FundsToppedUp(attempt, amount):
                found.append(Because("topped_up", f"{attempt} got {dollars(amount)} more", each.position))
            case FundsSettled(attempt, cost, estimated, overdrawn):
                how = "estimated from its meter" if estimated else "as the CLI says"
                over = f"{dollars(overdrawn)} above what was reserved, " if overdrawn else ""
                text = f"{attempt} was settled at {dollars(cost)}, {over}{how}{served.get(attempt, '')}"
                found.append(Because("settled", text, each.position))
            case SlotClaimed(attempt, _, launch, _, replaces):
                how = "a new process" if replaces else "the warm process"
                found.append(
                    Because("claimed", f"{attempt} got {each.stream}, {how} {launch}", each.position)
                )
            case _:
                pass
    return tuple(found)


def _served(outcome: Outcome, started: AttemptStarted | None, prices: PriceList) -> str:
    """What an attempt's cost is the price of, as far as that is known."""
    if outcome.model is None:
        return ""
    tokens = outcome.tokens
    classes = {
        "input": tokens.input,
        "output": tokens.output,
        "cache read": tokens.cache_read,
        "cache written": tokens.cache_write,
    }
    told = ", ".join(f"{count} {name}" for name, count in classes.items() if count)
    unlisted = ", which the price list does not name" if outcome.unpriced else ""
    turned = _turned(outcome.model, started, prices)
    sums = _sums(tokens, outcome, prices) if told else ""
    return f", for {told or 'no'} tokens of {outcome.model}{turned}{unlisted}{sums}"


def _turned(model: str, started: AttemptStarted | None, prices: PriceList) -> str:
    """Which model was asked for, where the CLI turns to another in the mode of the attempt."""
    if started is None:
        return ""
    to = prices.turned_to(started.model, started.permission_mode)
    if to == started.model or prices.rates(to) is not prices.rates(model):
        return ""
    return f" (asked for {started.model}; the CLI turns to this one in permission mode plan)"


def _sums(tokens: Tokens, outcome: Outcome, prices: PriceList) -> str:
    """The sum that makes the cost by the prices of now, or what those come to where it is not the cost."""
    rates = prices.rates(outcome.model)
    ways = tuple(_ways(tokens, rates))
    for factor, terms in ways:
        if _total(factor, terms) == outcome.cost:
            return f": {_written(factor, terms)} a million"
    factor, terms = ways[0]
    would = (
        f"by the price list of now {_written(factor, terms)} a million are {dollars(_total(factor, terms))}"
    )
    if outcome.estimated:
        return f"; {would}: the rest is an estimate of what the CLI did not tell"
    long = " or long contexts" if rates.long_factor > 1 else ""
    return f"; {would}: it has changed since, or other models{long} had a part"


def _ways(tokens: Tokens, rates: Rates) -> Iterator[tuple[int, Terms]]:
    """How tokens may be charged: as short or long contexts, with writes that live short or long."""
    for factor in dict.fromkeys((1, rates.long_factor)):
        for write in dict.fromkeys((rates.cache_write_5m, rates.cache_write_1h)):
            classes = (
                (tokens.input, rates.input),
                (tokens.output, rates.output),
                (tokens.cache_read, rates.cache_read),
                (tokens.cache_write, write),
            )
            yield factor, tuple(term for term in classes if term[0])


def _total(factor: int, terms: Terms) -> int:
    return microdollars(factor * sum(count * rate for count, rate in terms))


def _written(factor: int, terms: Terms) -> str:
    sums = " + ".join(f"{count} × {_a_million(rate)}" for count, rate in terms)
    return sums if factor == 1 else f"{factor} × ({sums})"


def _a_million(rate: int) -> str:
    """Nanodollars per token as dollars per million tokens: `$2`, `$0.125`."""
    whole, rest = divmod(rate, 1_000)
    return f"${whole:,}" + (f".{rest:03}".rstrip("0") if rest else "")
