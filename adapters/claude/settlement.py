"""What a turn is charged in the end: our count of what it was served, against the CLI's account of the same.

The larger of the two holds. Neither an account that is missing, too small or absurd, nor a price that had to
be guessed, makes a turn cheaper than what was seen of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from claude_pool.domain.prices import PriceList, microdollars
from claude_pool.domain.values import Tokens

from .accounts import Account
from .meter import Aside, Asked, Meter
from .stream import LineSplitter, LineTooLong, parse

_READ_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a turn is charged, in microdollars.

    `estimated`: it rests on our meter, not on the CLI's account alone. `unpriced`: a model was used that the
    price list does not name, and was charged at the dearest price known.
    """

    cost: int
    tokens: Tokens
    estimated: bool
    unpriced: bool = False


def settle(meter: Meter, account: Account | None, *, cut_off: bool) -> Settlement:
    """The larger of the two counts, and what neither can hold; never nothing where tokens were served.

    `cut_off` says that the turn was interrupted or lost its process: then even the CLI only estimates, and a
    call that was under way has read its input although nothing came of it.
    """
    seen, tokens = meter.seen, meter.tokens
    if account is None:
        seen += meter.summaries.nanodollars
        tokens += meter.summaries.tokens
    elif account.tokens.total >= tokens.total:
        tokens = account.tokens
    billed = account.nanodollars if account is not None else 0
    lost = meter.unanswered if cut_off else Aside()
    tokens += lost.tokens + meter.checks.tokens
    cost = microdollars(max(seen, billed) + lost.nanodollars + meter.checks.nanodollars)
    if tokens.total > 0:
        cost = max(cost, 1)
    doubtful = cut_off or meter.unfinished or meter.guessed or meter.checks.nanodollars > 0
    estimated = microdollars(seen) > microdollars(billed) or (doubtful and tokens.total > 0)
    return Settlement(cost, tokens, estimated, meter.guessed)


def settle_transcript(path: Path, prices: PriceList, asked: Asked) -> tuple[Settlement, Meter]:
    """What a turn is charged by the lines that it left behind; for recovery.

    An unfinished last line is ignored.

    Raises:
        OSError: the file cannot be read.
    """
    meter = Meter(prices, asked)
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
    return settle(meter, None, cut_off=True), meter
