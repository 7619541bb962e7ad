"""Tells clients when the skills have changed, on disk or by a call."""

from __future__ import annotations

import asyncio

from ..skills.library import Library
from .changes import ListChanges

LOOK_SECONDS = 2.0
"""So often files are looked at while anyone is connected; a look costs a few system calls a skill."""


class SkillWatch:
    """Looks at the skills while there are connections, and has their prompts asked for again."""

    def __init__(self, library: Library, changes: ListChanges, look_seconds: float = LOOK_SECONDS) -> None:
        """Nobody is connected yet."""
        self._library = library
        self._changes = changes
        self._seconds = look_seconds
        self._told = library.version
        self._connections = 0
        self._looking: asyncio.Task[None] | None = None

    def enter(self) -> None:
        """A connection has begun."""
        self._connections += 1
        if self._looking is None:
            self._told = self._library.version
            self._looking = asyncio.create_task(self._look())

    def leave(self) -> None:
        """A connection has ended."""
        self._connections -= 1
        if self._connections == 0 and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def tell(self) -> None:
        """Tell every client, if a skill has changed since they were told last."""
        if self._library.version != self._told:
            self._told = self._library.version
            await self._changes.prompts_changed()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await asyncio.to_thread(self._library.refresh)
            await self.tell()
