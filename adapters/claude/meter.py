"""What a turn costs: our own count of served tokens, and the CLI's account of the same.

The CLI's account is authoritative where it is complete; it leaves out what a broken or interrupted stream
had served. Our meter reads the usage in the partial messages, so it is there while the turn runs and when no
account ever comes. A turn is settled at the larger of the two. All sums are in nanodollars until the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from claude_pool.domain.prices import PriceList, Served, microdollars
from claude_pool.domain.values import Tokens

from .stream import LineSplitter, LineTooLong, Message, count, nanodollars, parse, part, text

_CHARACTERS_PER_TOKEN = 4  # a usual ratio; only for output whose count the API never got to say
_READ_BYTES = 2**20


@dataclass(slots=True)
class _Call:
    """One API call as far as it was seen: each count only grows, a finished one is exact."""

    model: str = ""
    served: Served = Served()
    characters: int = 0
    finished: bool = False

    def see(self, usage: Message) -> None:
        creation = part(usage, "cache_creation")
        one_hour = count(creation, "ephemeral_1h_input_tokens")
        five_minutes = max(
            count(creation, "ephemeral_5m_input_tokens"),
            count(usage, "cache_creation_input_tokens") - one_hour,
        )
        seen = self.served
        self.served = Served(
            max(seen.input, count(usage, "input_tokens")),
            max(seen.output, count(usage, "output_tokens")),
            max(seen.cache_read, count(usage, "cache_read_input_tokens")),
            max(seen.cache_write_5m, five_minutes),
            max(seen.cache_write_1h, one_hour),
        )

    def billed(self) -> Served:
        if self.finished:
            return self.served
        output = max(self.served.output, self.characters // _CHARACTERS_PER_TOKEN)
        return Served(
            self.served.input,
            output,
            self.served.cache_read,
            self.served.cache_write_5m,
            self.served.cache_write_1h,
        )


class Meter:
    """Counts the API calls of one turn from the lines of the slot. `take` every message of it, in order.

    `model` is the one that answered last, `nanodollars` the cost so far; `guessed` says that it holds calls
    to a model that the price list does not name.
    """

    def __init__(self, prices: PriceList) -> None:
        """`prices` turn tokens into money."""
        self._prices = prices
        self._calls: dict[str, _Call] = {}
        self._streaming: dict[str, str] = {}
        self._last = ""
        self._costs: dict[str, int] = {}
        self.model: str | None = None
        self.nanodollars = 0
        self.guessed = False

    def take(self, message: Message) -> None:
        """Count what `message` says of served tokens; others change nothing."""
        kind = text(message, "type")
        if kind == "stream_event":
            self._take_event(part(message, "event"), text(message, "parent_tool_use_id"))
        elif kind == "assistant":
            self._take_whole(part(message, "message"), text(message, "parent_tool_use_id"))

    @property
    def tokens(self) -> Tokens:
        """What was served so far."""
        total = Tokens()
        for call in self._calls.values():
            served = call.billed()
            total += Tokens(
                served.input,
                served.output,
                served.cache_read,
                served.cache_write_5m + served.cache_write_1h,
            )
        return total

    @property
    def context(self) -> int:
        """Tokens that the conversation held after the main thread's last call; 0: there was none."""
        if self._last not in self._calls:
            return 0
        served = self._calls[self._last].billed()
        return served.context + served.output

    @property
    def unfinished(self) -> bool:
        """Whether a call was seen whose end was not."""
        return any(not call.finished for call in self._calls.values())

    def _take_event(self, event: Message, parent: str) -> None:
        kind = text(event, "type")
        if kind == "message_start":
            started = part(event, "message")
            self._streaming[parent] = text(started, "id")
            self._see(text(started, "id"), text(started, "model"), part(started, "usage"), main=not parent)
            return
        name = self._streaming.get(parent)
        if name is None or (call := self._calls.get(name)) is None:
            return
        if kind == "content_block_delta":
            delta = part(event, "delta")
            call.characters += sum(len(text(delta, key)) for key in ("text", "thinking", "partial_json"))
        elif kind == "message_delta":
            call.see(part(event, "usage"))
        elif kind == "message_stop":
            call.finished = True
        else:
            return
        self._price(name, call)

    def _take_whole(self, message: Message, parent: str) -> None:
        """A whole message. Streamed ones only repeat their beginning; others say here what they used."""
        name, model = text(message, "id"), text(message, "model")
        if not name or model == "<synthetic>":
            return
        streamed = name in self._calls
        self._see(name, model, part(message, "usage"), main=not parent)
        if not streamed:
            self._calls[name].finished = True
            self._price(name, self._calls[name])

    def _see(self, name: str, model: str, usage: Message, *, main: bool) -> None:
        call = self._calls.setdefault(name, _Call())
        call.model = model or call.model
        call.see(usage)
        if main:
            self._last = name
            self.model = model or self.model
        self._price(name, call)

    def _price(self, name: str, call: _Call) -> None:
        cost = self._prices.cost(call.model, call.billed())
        self.guessed = self.guessed or self._prices.rates(call.model) is self._prices.unknown
        self.nanodollars += cost - self._costs.get(name, 0)
        self._costs[name] = cost


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
        tokens = _tokens(part(result, "modelUsage"))
        since = result.get("model_usage_since_last_result")
        before, tokens_before, known = self._total, self._tokens, self._known
        if total is not None:
            self._total, self._tokens, self._known = total, tokens, True
        if isinstance(since, dict):
            usage = part(result, "model_usage_since_last_result")
            return Account(sum(nanodollars(part(usage, m), "costUSD") or 0 for m in usage), _tokens(usage))
        if total is None or not known:
            return None
        if total < before:
            before, tokens_before = 0, Tokens()
        return Account(total - before, _minus(tokens, tokens_before))


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a turn is charged, in microdollars. `estimated`: it rests on our meter, not the CLI's account."""

    cost: int
    tokens: Tokens
    estimated: bool


def settle(meter: Meter, account: Account | None, *, cut_off: bool) -> Settlement:
    """The larger of the two counts; never nothing where tokens were served.

    `cut_off` says that the turn was interrupted or lost its process: then even the CLI only estimates. A
    complete account also stands against a meter that had to guess a price.
    """
    metered = meter.nanodollars
    tokens = meter.tokens
    if account is not None and account.tokens.total >= tokens.total:
        tokens = account.tokens
    billed = account.nanodollars if account is not None else 0
    if meter.guessed and billed > 0 and not cut_off:
        metered = 0
    cost = microdollars(max(metered, billed))
    if tokens.total > 0:
        cost = max(cost, 1)
    estimated = microdollars(metered) > microdollars(billed) or (cut_off and tokens.total > 0)
    return Settlement(cost, tokens, estimated)


def meter_transcript(path: Path, prices: PriceList) -> tuple[Tokens, int, str | None]:
    """Tokens, cost (microdollars) and model of a turn from the lines it left behind; for recovery.

    An unfinished last line is ignored.

    Raises:
        OSError: the file cannot be read.
    """
    meter = Meter(prices)
    lines = LineSplitter()
    with open(path, "rb") as file:
        while chunk := file.read(_READ_BYTES):
            try:
                for line in lines.feed(chunk):
                    message = parse(line)
                    if message is not None:
                        meter.take(message)
            except LineTooLong:
                break
    settled = settle(meter, None, cut_off=True)
    return settled.tokens, settled.cost, meter.model


def _tokens(usage: Message) -> Tokens:
    total = Tokens()
    for model in usage:
        one = part(usage, model)
        total += Tokens(
            count(one, "inputTokens"),
            count(one, "outputTokens"),
            count(one, "cacheReadInputTokens"),
            count(one, "cacheCreationInputTokens"),
        )
    return total


def _minus(tokens: Tokens, before: Tokens) -> Tokens:
    return Tokens(
        max(0, tokens.input - before.input),
        max(0, tokens.output - before.output),
        max(0, tokens.cache_read - before.cache_read),
        max(0, tokens.cache_write - before.cache_write),
    )
