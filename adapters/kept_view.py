"""The live view, kept beside the log from time to time, so that the next start need not fold all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from claude_pool.domain.ports import Head
from claude_pool.domain.records import Recorded
from claude_pool.domain.world import World

from .store.snapshots import EVERY, Snapshot


class KeptView:
    """Keeps a view every `EVERY` events, one at a time, on a thread of its own."""

    def __init__(self) -> None:
        self.load: Callable[[], Snapshot | None] = lambda: None
        self.save: Callable[[Snapshot], object] | None = None
        """None: nobody keeps it."""
        self.damage: Callable[[], str | None] = lambda: None
        """What is wrong with the view that `load` passes over, if anything."""
        self._at = 0
        self._last: Recorded | None = None
        self._keeping: asyncio.Future[object] | None = None

    def begin(self) -> Snapshot | None:
        """The view to start from, where one counts."""
        snapshot = self.load()
        self._at = 0 if snapshot is None else snapshot.world.position
        return snapshot

    def follow(self, last: Recorded, world: World, correlations: dict[str, str]) -> None:
        """`world` has folded the event `last`; it is kept where that is due."""
        self._last = last
        idle = self._keeping is None or self._keeping.done()
        if idle and last.position - self._at >= EVERY:
            self._keep(world, correlations)

    async def keep_last(self, world: World, correlations: dict[str, str]) -> None:
        """Keep the view that this owner leaves; whatever becomes of that, it is over then."""
        await self.settled()
        self._keep(world, correlations)
        await self.settled()

    async def settled(self) -> None:
        """Wait until what is being kept is on disk, or has failed."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])

    def _keep(self, world: World, correlations: dict[str, str]) -> None:
        if self.save is None or self._last is None:
            return
        last = self._last
        head = Head(last.position, last.hash)
        view = Snapshot(world.copy(), head, last.meta.recorded_at, correlations.copy())
        self._at = last.position
        self._keeping = asyncio.ensure_future(asyncio.to_thread(self.save, view))
