"""What the runtime does when the store refuses what came of an attempt."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool.adapters.requests import TaskRequest
from claude_pool.domain.errors import PoolError, StoreFull
from claude_pool.domain.values import Outcome, Text

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import scripted_pool


async def long_answer(_: LiveTurn) -> Outcome:
    """An answer that does not stand in an event."""
    return said("x" * 10_000)


async def refused(folder: Path) -> PoolError:
    """Run a task whose answer finds no room; why the service ends the owner."""
    async with scripted_pool(folder, long_answer) as pool:

        def full(_: str) -> Text:
            raise StoreFull(path="blobs", problem="no space left")

        pool.store.texts.put = full  # type: ignore[method-assign]  # the disk, full from now on
        await pool.application.submit(TaskRequest("a short prompt"))
        return await asyncio.wait_for(pool.service.failure(), 20)


def test_an_answer_that_finds_no_room_ends_the_owner(tmp_path: Path) -> None:
    assert asyncio.run(refused(tmp_path)).code == "store_full"
