"""What a turn was served, call by call, read from the lines of its slot while they come.

The CLI's account is authoritative where it is complete; it leaves out what a broken or interrupted stream
had served, and some calls altogether. Our meter reads the usage in the partial messages, so it is there
while the turn runs and when no account ever comes. All sums are in nanodollars.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from claude_pool.domain.prices import NANODOLLARS_PER_MICRODOLLAR, PriceList, Served
from claude_pool.domain.values import Tokens

from .stream import Message, count, part, text

BYTES_PER_TOKEN = 4
"""A usual ratio; only for what the API never got to count."""

CHECK = Served(input=100, output=1)
"""The call by which the CLI sees whether a model exists that it is to change to: one greeting, rounded up."""

_MOST_TOKENS = 100_000_000
_ASKING = ("requesting", "compacting")
_NOBODYS = "<synthetic>"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a turn before its first answer: the model that it asks for (None: the CLI's own), its
    permission mode, and the tokens that its first call will read at the least."""

    model: str | None = None
    permission_mode: str | None = None
    tokens: int = 0


@dataclass(slots=True)
class _Call:
    """One API call as far as it was seen: each count only grows, a finished one is exact.

    The CLI ends a stream that broke like one that came to its end, only without its counts.
    """

    model: str = ""
    served: Served = Served()
    characters: int = 0
    counted: bool = False
    stopped: bool = False

    @property
    def finished(self) -> bool:
        return self.counted and self.stopped

    def see(self, usage: Message) -> None:
        creation = part(usage, "cache_creation")
        one_hour = _tokens(creation, "ephemeral_1h_input_tokens")
        five_minutes = max(
            _tokens(creation, "ephemeral_5m_input_tokens"),
            _tokens(usage, "cache_creation_input_tokens") - one_hour,
        )
        seen = self.served
        self.served = Served(
            max(seen.input, _tokens(usage, "input_tokens")),
            max(seen.output, _tokens(usage, "output_tokens")),
            max(seen.cache_read, _tokens(usage, "cache_read_input_tokens")),
            max(seen.cache_write_5m, five_minutes),
            max(seen.cache_write_1h, one_hour),
        )

    def billed(self) -> Served:
        if self.finished:
            return self.served
        output = max(self.served.output, self.characters // BYTES_PER_TOKEN)
        return Served(
            self.served.input,
            output,
            self.served.cache_read,
            self.served.cache_write_5m,
            self.served.cache_write_1h,
        )


@dataclass(slots=True)
class Aside:
    """Calls that no line shows, by what they are thought to have been served."""

    tokens: Tokens = field(default_factory=Tokens)
    nanodollars: int = 0

    def add(self, prices: PriceList, model: str | None, served: Served) -> None:
        """Count one call; it costs a microdollar at the least."""
        self.tokens += Tokens(served.input, served.output)
        self.nanodollars += max(NANODOLLARS_PER_MICRODOLLAR, prices.cost(model, served))


class Meter:
    """Counts the API calls of one turn from the lines of the slot. `take` every message of it, in order.

    `model` is the one that answered last; `guessed` says that a model was used which the price list does not
    name. `checks` are calls that the CLI never accounts for, `summaries` those that it makes unseen and
    accounts for in the end.
    """

    def __init__(self, prices: PriceList, asked: Asked | None = None) -> None:
        """`prices` turn tokens into money; `asked` is what is known of the turn so far."""
        self._prices = prices
        self._asked = asked or Asked()
        self._calls: dict[str, _Call] = {}
        self._streaming: dict[str, str] = {}
        self._costs: dict[str, int] = {}
        self._last = ""
        self._waiting = False
        self._served = 0
        self.model: str | None = None
        self.guessed = False
        self.checks = Aside()
        self.summaries = Aside()

    def take(self, message: Message) -> None:
        """Count what `message` says of served tokens; others change nothing."""
        kind = text(message, "type")
        if kind == "stream_event":
            name = text(message, "api_message_id")
            self._take_event(part(message, "event"), text(message, "parent_tool_use_id"), name)
        elif kind == "assistant":
            self._take_whole(part(message, "message"), text(message, "parent_tool_use_id"))
        elif kind == "system":
            self._take_system(message)

    def check(self, model: str) -> None:
        """The CLI asked the API whether it has `model`."""
        self.checks.add(self._prices, model, CHECK)

    @property
    def nanodollars(self) -> int:
        """The cost so far."""
        return self._served + self.checks.nanodollars

    @property
    def seen(self) -> int:
        """The cost of the calls that were seen: what the CLI's account should hold, too."""
        return self._served

    @property
    def tokens(self) -> Tokens:
        """What was served so far, in the calls that were seen."""
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

    @property
    def unanswered(self) -> Aside:
        """The call that was sent and of which nothing came yet, by what it is thought to read."""
        call = Aside()
        if self._waiting:
            model = self.model or self._prices.turned_to(self._asked.model, self._asked.permission_mode)
            call.add(self._prices, model, Served(input=max(1, self.context or self._asked.tokens)))
        return call

    def _take_system(self, message: Message) -> None:
        match text(message, "subtype"):
            case "status":
                self._waiting = text(message, "status") in _ASKING
            case "api_retry":
                self._waiting = False  # it failed, and is not asked again yet
            case "compact_boundary":
                about = part(message, "compact_metadata")
                served = Served(input=_tokens(about, "pre_tokens"), output=_tokens(about, "post_tokens"))
                self.summaries.add(self._prices, self.model or self._asked.model, served)
            case _:
                pass

    def _take_event(self, event: Message, parent: str, name: str) -> None:
        kind = text(event, "type")
        self._waiting = False
        if kind == "message_start":
            started = part(event, "message")
            name = text(started, "id") or name or f"#{len(self._calls)}"
            self._streaming[parent] = name
            self._see(name, text(started, "model"), part(started, "usage"), main=not parent)
            return
        name = name or self._streaming.get(parent, "")
        if not name:
            return
        call = self._calls.setdefault(name, _Call())
        if kind == "content_block_delta":
            delta = part(event, "delta")
            call.characters += sum(len(text(delta, key)) for key in ("text", "thinking", "partial_json"))
        elif kind == "message_delta":
            call.counted = call.counted or "output_tokens" in part(event, "usage")
            call.see(part(event, "usage"))
        elif kind == "message_stop":
            call.stopped = True
        self._price(name, call)

    def _take_whole(self, message: Message, parent: str) -> None:
        """A whole message. Streamed ones only repeat their beginning; others say here what they used."""
        self._waiting = False
        model = text(message, "model")
        name = text(message, "id") or self._streaming.get(parent, "") or f"#{len(self._calls)}"
        if model == _NOBODYS or not message:
            return
        streamed = name in self._calls
        self._see(name, model, part(message, "usage"), main=not parent)
        if not streamed:
            self._calls[name].counted = self._calls[name].stopped = True
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
        model = call.model or self.model or self._asked.model
        cost = self._prices.cost(model, call.billed())
        self.guessed = self.guessed or not self._prices.knows(model)
        self._served += cost - self._costs.get(name, 0)
        self._costs[name] = cost


def _tokens(usage: Message, key: str) -> int:
    """The tokens under `key`; none where the number can be none."""
    number = count(usage, key)
    return number if number <= _MOST_TOKENS else 0
