"""Turns that nobody asked for: another process's message, or work that finished behind our back.

Newer CLIs let processes message one another, and that starts a billed turn in the one that gets the
message. Such a turn is interrupted at once, and what it was served is told as an outcome of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from claude_pool.domain.ports import ProcessEnd
from claude_pool.domain.prices import PriceList
from claude_pool.domain.values import End, Outcome

from .accounts import Account
from .meter import Meter
from .process import first_of
from .settlement import settle
from .stream import Message, part, text

_END_SECONDS = 2.0


@dataclass(slots=True)
class _Stray:
    meter: Meter
    over: asyncio.Future[None]
    spoke: bool = False


class Strays:
    """Watches a slot for turns that this pool did not start."""

    def __init__(
        self, prices: PriceList, interrupt: Callable[[], object], on_stray: Callable[[Outcome], None]
    ) -> None:
        """`interrupt` asks the slot to stop its turn; `on_stray` is told what came of each stray."""
        self._prices = prices
        self._interrupt = interrupt
        self._on_stray = on_stray
        self._present: _Stray | None = None

    @property
    def present(self) -> bool:
        """Whether such a turn runs."""
        return self._present is not None

    def begins(self, message: Message) -> bool:
        """Whether `message`, printed while no turn of ours runs, belongs to a turn."""
        announced = text(message, "type") == "system" and text(message, "subtype") == "init"
        return announced or _speaks(message)

    def take(self, message: Message, account: Account | None) -> None:
        """Learn from one message of the stray turn; the first one has it interrupted.

        `account` is what the CLI bills with this message, where it is a result.
        """
        if self._present is None:
            loop = asyncio.get_running_loop()
            self._present = _Stray(Meter(self._prices), loop.create_future())
            self._interrupt()
        stray = self._present
        stray.spoke = stray.spoke or _speaks(message)
        stray.meter.take(message)
        if text(message, "type") == "result":
            self._present = None
            stray.over.set_result(None)
            settled = settle(stray.meter, account, cut_off=True)
            asyncio.get_running_loop().call_soon(
                self._on_stray,
                Outcome(
                    End.INTERRUPTED,
                    "interrupted",
                    "A turn that this pool did not start was interrupted.",
                    model=stray.meter.model,
                    cost=settled.cost,
                    estimated=settled.estimated,
                    tokens=settled.tokens,
                    unpriced=settled.unpriced,
                ),
            )

    async def gone(self, ended: asyncio.Future[ProcessEnd]) -> bool:
        """Wait until no stray turn runs, or the process `ended`; False where one does not stop."""
        stray = self._present
        if stray is None:
            return True
        await first_of(stray.over, ended, timeout=_END_SECONDS)
        if stray.over.done() or ended.done():
            return True
        if self._present is stray:
            self._present = None
        return not stray.spoke  # an announcement that nothing followed was no turn


def _speaks(message: Message) -> bool:
    """Whether the model said something, or a turn ended."""
    match text(message, "type"):
        case "stream_event":
            return bool(part(message, "event"))
        case "assistant":
            return bool(part(message, "message"))
        case kind:
            return kind == "result"
