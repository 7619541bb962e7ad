"""An event loop in a thread of its own, so that synchronous steps can drive a pool that is at work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds that any single wait of a scenario may take at most."""


class LoopThread:
    """A running loop. Whoever makes it closes it."""

    def __init__(self) -> None:
        """Returns once the loop runs."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="pool-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start `work`; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T], seconds: float = PATIENCE) -> T:
        """The result of `work`.

        Raises:
            TimeoutError: there is none after `seconds`; the work is cancelled.
        """
        running = self.begin(work)
        try:
            return running.result(seconds)
        except TimeoutError:
            running.cancel()
            raise

    def close(self) -> None:
        """Stop the loop. Nothing may be left running in it."""
        left = [task.get_name() for task in asyncio.all_tasks(self.loop)]
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()
        if left:
            raise AssertionError(f"left running in the loop: {left}")
