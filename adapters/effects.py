"""What facts set going in the world: begun when they are appended, given up where it hangs, recorded at its
end by one command, also where it fails or is cancelled.

After a restart no effect is started from old facts: recovery closes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import PoolError
from claude_pool.domain.records import Actor, Recorded

from .origins import Origin
from .service import Service

_log = logging.getLogger(__name__)

Begins = Callable[[Recorded, tuple[Recorded, ...]], None]
"""Begins what one fact asks for; with it come all facts of the same append."""


class Effects:
    """The effects under way."""

    def __init__(self, service: Service) -> None:
        """Facts begin effects once `start` is called."""
        self._service = service
        self._begins: list[Begins] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._of_slots: dict[str, set[asyncio.Task[None]]] = {}

    @property
    def busy(self) -> bool:
        """Whether an effect has not been recorded yet."""
        return bool(self._under_way)

    def of_facts(self, begins: Begins) -> None:
        """Have `begins` asked about every fact."""
        self._begins.append(begins)

    def start(self) -> None:
        """Let the facts of this process begin effects."""
        self._service.on_facts(self._on_facts)

    def _on_facts(self, recorded: tuple[Recorded, ...]) -> None:
        try:
            for fact in recorded:
                for begins in self._begins:
                    begins(fact, recorded)
        except Exception:
            # What was intended would never happen, and nobody would know: rather end the owner.
            _log.exception("effects could not begin")
            self._service.fail(PoolError())

    def begin(self, effect: Coroutine[Any, Any, None], slot_id: str | None = None) -> asyncio.Task[None]:
        """Start an effect; one of a slot's process is given up with that."""
        running = asyncio.create_task(effect)
        self._under_way.add(running)
        running.add_done_callback(self._on_done)
        if slot_id is not None:
            of_slot = self._of_slots.setdefault(slot_id, set())
            of_slot.add(running)
            running.add_done_callback(of_slot.discard)
        return running

    def _on_done(self, effect: asyncio.Task[None]) -> None:
        fault = None if effect.cancelled() else effect.exception()
        if fault is not None and effect in self._under_way:  # nobody waits for one that was given up
            _log.error("an effect could not be recorded: %s", fault)
            if not isinstance(fault, PoolError):
                # What it was to record is open for ever: rather end the owner.
                self._service.fail(PoolError())
        self._under_way.discard(effect)

    async def record(self, command: Command, cause: int | None) -> None:
        """Have what came of the event `cause` recorded. A store that refuses ends the owner; see
        `Service.failure`."""
        await self._service.handle(command, Origin(Actor.SLOT, None, cause))

    def give_up(self, slot_id: str) -> set[asyncio.Task[None]]:
        """Let go of what the slot's process was asked for: what still has to clean up."""
        hanging = self._of_slots.pop(slot_id, set())
        for effect in hanging:
            effect.cancel()
        self._under_way -= hanging
        return hanging

    def abandon(self) -> None:
        """Let go of all that is under way, as a death of the owner does: nothing of it is recorded."""
        effects, self._under_way = self._under_way, set()
        self._of_slots.clear()
        for effect in effects:
            effect.cancel()

    async def ended(self) -> None:
        """Wait until everything is recorded."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))
