"""What signals mean to an owner: it ends by steps, each further signal one step on, and within a bound."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

END_WITHIN_SECONDS = 9.5
"""So long what is interrupted may take to be recorded; then the owner ends as it is, and its keepers end
every slot. The next owner finds in the log what was open."""


class Signals:
    """The first signal lets what runs end for `drain_seconds`, then interrupts it; the second interrupts it
    now; the third ends the process at once with exit code 128 and its number."""

    def __init__(self, stop: Callable[[bool], None], drain_seconds: float) -> None:
        """`stop(now)` ends the owner: when what runs has ended, or (`now`) by interrupting it."""
        self._stop = stop
        self._drain_seconds = drain_seconds
        self._heard = 0
        self._bound: threading.Timer | None = None

    def listen(self, *numbers: signal.Signals) -> None:
        """From now on these signals mean this. For the running loop."""
        loop = asyncio.get_running_loop()
        for number in numbers:
            loop.add_signal_handler(number, self.hear, number)

    def hear(self, number: signal.Signals) -> None:
        """One signal came."""
        self._heard += 1
        if self._heard == 1 and self._drain_seconds:
            self._stop(False)
            asyncio.get_running_loop().call_later(self._drain_seconds, self._stop, True)
            self._end_within(self._drain_seconds + END_WITHIN_SECONDS, number)
        elif self._heard <= 2:
            self._stop(True)
            self._end_within(END_WITHIN_SECONDS, number)
        else:
            os._exit(128 + number)

    def close(self) -> None:
        """The owner ends in order: no bound is needed any more."""
        if self._bound is not None:
            self._bound.cancel()

    def _end_within(self, seconds: float, number: signal.Signals) -> None:
        """A thread sees to the bound, so that nothing that hangs in the loop can hold it up."""
        self.close()
        self._bound = threading.Timer(seconds, os._exit, [128 + number])
        self._bound.daemon = True
        self._bound.start()
