"""Bounded waits for what other processes and threads do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

STEP_SECONDS = 0.01


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until `condition` holds, looking often; TimeoutError where it never does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what happens in another process sets no event here
            await asyncio.sleep(STEP_SECONDS)


def until_sync(
    condition: Callable[[], bool], seconds: float = 20.0, what: str = "", step: float = STEP_SECONDS
) -> None:
    """The same outside of an event loop. The error says `what` never came."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s{what and ': ' + what}")
        time.sleep(step)
