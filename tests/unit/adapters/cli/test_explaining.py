"""`task ID --explain` says which skill a task was made of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from claude_pool.adapters.cli.explaining import explain
from claude_pool.adapters.cli.reading import Reader

from tests.support.scripted_pool import scripted_pool, server_of, wired


class Log:
    """As much of a reader as explaining needs."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def events(self, after: int = 0, until: int | None = None) -> Any:
        return self._log.read_all(after, until)


def test_a_task_of_a_skill_says_so_and_another_does_not(tmp_path: Path) -> None:
    async def body() -> None:
        async with scripted_pool(tmp_path) as running, wired(server_of(running)) as wire:
            arguments = {"description": "x"}
            skilled = await wire.view("pool_skill_run", skill="implement", arguments=arguments)
            plain = await wire.view("pool_run", prompt="x")
            reader = cast(Reader, Log(running.store.log))  # explaining reads events only
            explained = explain(reader, skilled["task_id"])
            assert explained["skill"] == {"value": skilled["skill"], "source": "task"}
            assert explained["permission_mode"] == {"value": "acceptEdits", "source": "task"}
            assert "skill" not in explain(reader, plain["task_id"])

    asyncio.run(body())
