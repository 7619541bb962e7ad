"""An owner that dies between two appends: its log takes so many more, and then nothing ever again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from claude_pool.adapters.places import Places
from claude_pool.adapters.store.opening import open_store
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain.errors import StoreUnreadable
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.ports import EventLog
from claude_pool.domain.records import Fact, Meta, Recorded

from .scripted_driver import ScriptedDriver

FOR_EVER = 1_000_000


class DyingLog:
    """A log as an owner sees it that dies after `appends` more of them, or before the event `before`."""

    def __init__(self, log: EventLog, appends: int, before: str = "") -> None:
        """`log` is the real one."""
        self._log = log
        self.left = appends
        self.before = before

    def append(self, facts: Sequence[Fact], expected: Mapping[str, int], meta: Meta) -> tuple[Recorded, ...]:
        """As the real one, until death."""
        if self.before and any(self.before == fact.event.NAME for fact in facts):
            self.left = 0
        if self.left <= 0:
            raise StoreUnreadable(path="log.sqlite", problem="the owner died", hint="Nothing helps.")
        self.left -= 1
        return self._log.append(facts, expected, meta)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the real one's."""
        return getattr(self._log, name)


@contextlib.asynccontextmanager
async def owner(
    folder: Path, driver: ScriptedDriver, appends: int = FOR_EVER, before: str = "", **settings: Any
) -> AsyncGenerator[tuple[Running, DyingLog]]:
    """A pool of one slot at work on the log in `folder`, one after the other; it dies as told.

    `settings` are fields of `Settings`. An owner that dies while it starts raises `StoreUnreadable`.
    """
    state = folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    (state / "transcripts").mkdir(exist_ok=True)
    places = Places(str(state), str(folder / "s"), str(folder), str(folder))
    store, workshop = open_store(places), Workshop(None, {}, folder)
    log = DyingLog(store.log, appends, before)
    dying = replace(store, log=cast("EventLog", log))
    chosen = Settings(slots=1, working_dir=str(folder), **settings)
    async with running_pool(dying, workshop, chosen, None, False, driver=driver) as running:
        yield running, log
