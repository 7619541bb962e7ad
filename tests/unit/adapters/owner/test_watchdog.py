"""A loop that is blocked is told of, with where and for how long."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from claude_pool.adapters.owner.watchdog import watching

WAIT_SECONDS = 20


class Told(logging.Handler):
    """Keeps what is logged, and rings at the first word."""

    def __init__(self) -> None:
        super().__init__()
        self.first = threading.Event()
        self.second = threading.Event()
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self.words.append(record.getMessage())
        (self.second if self.first.is_set() else self.first).set()


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_blocked_loop_is_told_of_with_where_and_for_how_long(told: Told) -> None:
    async def busy_here() -> None:
        with watching(blocked=0.01, every=0.01):
            assert told.first.wait(WAIT_SECONDS)
            await asyncio.to_thread(told.second.wait, WAIT_SECONDS)

    logger = logging.getLogger("claude_pool.adapters.owner.watchdog")
    logger.addHandler(told)
    try:
        asyncio.run(busy_here())
    finally:
        logger.removeHandler(told)
    blocked, again = told.words[:2]
    assert blocked.startswith("the loop has been blocked for ") and "busy_here" in blocked
    assert again.startswith("the loop goes on; it was blocked for ")


def test_nothing_is_told_of_a_loop_that_answers(told: Told) -> None:
    async def beats() -> None:
        with watching(blocked=WAIT_SECONDS, every=0.001):
            for _ in range(50):
                await asyncio.sleep(0)

    logging.getLogger("claude_pool.adapters.owner.watchdog").addHandler(told)
    asyncio.run(beats())
    logging.getLogger("claude_pool.adapters.owner.watchdog").removeHandler(told)
    assert told.words == []
