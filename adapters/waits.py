"""Waiting for tasks and chains to end, or to need someone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from claude_pool.domain import task
from claude_pool.domain.provider import ENDLESS

from .service import Service
from .store.index import ChainRow, Index, TaskRow
from .waiting import capped


class Waits:
    """Bounded waits over the live view and the lists over history."""

    def __init__(self, service: Service, index: Index) -> None:
        self._service = service
        self._index = index

    async def finished(
        self, task_ids: Sequence[str], wait_seconds: float, or_asking: bool = False
    ) -> float | None:
        """Wait, at most so long, until all `task_ids` ended or need someone; the cap if one applied.

        `or_asking`: a task that runs and has an open question needs someone, too.
        """
        seconds, cap = capped(wait_seconds)
        watch = self._service.bell.watch(task_ids)
        try:
            async with asyncio.timeout(seconds):
                while any(
                    self._still_going(task_id) and not (or_asking and self._asks(task_id))
                    for task_id in task_ids
                ):
                    await watch.rang.wait()
                    watch.rang.clear()
        except TimeoutError:
            return cap
        finally:
            self._service.bell.unwatch(watch)
        return None

    async def attention(
        self,
        after: int,
        task_ids: Sequence[str] | None,
        chain_ids: Sequence[str] | None,
        wait_seconds: float,
        limit: int,
    ) -> tuple[Sequence[TaskRow | ChainRow], float | None]:
        """What ended or needs someone since `after`, waiting at most so long for the first of it.

        None stands for all ids. Nothing after the wait: no rows, and the cap (seconds) if one applied.
        """
        seconds, cap = capped(wait_seconds)
        ids = None if task_ids is None or chain_ids is None else [*task_ids, *chain_ids]
        watch = self._service.bell.watch(ids)
        try:
            # The first look is not under the timeout: a wait of 0 seconds still tells what there is.
            rows = await self._rows(after, task_ids, chain_ids, limit)
            async with asyncio.timeout(seconds):
                while not rows:
                    await watch.rang.wait()
                    watch.rang.clear()
                    rows = await self._rows(after, task_ids, chain_ids, limit)
        except TimeoutError:
            return (), cap
        finally:
            self._service.bell.unwatch(watch)
        return rows, None

    def _still_going(self, task_id: str) -> bool:
        world = self._service.world
        state, pause = world.tasks.get(task_id), world.open_pool().paused
        if isinstance(state, (task.Pending, task.Parked)):
            return pause is None or pause.reason not in ENDLESS
        return isinstance(state, task.Running)

    def _asks(self, task_id: str) -> bool:
        return task_id in self._service.world.questions.values()

    async def _rows(
        self, after: int, task_ids: Sequence[str] | None, chain_ids: Sequence[str] | None, limit: int
    ) -> Sequence[TaskRow | ChainRow]:
        def read() -> Sequence[TaskRow | ChainRow]:
            found: list[TaskRow | ChainRow] = [*self._index.attention_since(after, task_ids, limit)]
            found += self._index.chains_since(after, chain_ids, limit)
            return sorted(found, key=lambda row: row.attention_position or 0)[:limit]

        return await self._service.on_log(read)
