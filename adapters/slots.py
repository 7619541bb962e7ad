"""What the pool does for its callers with slots: show, configure, find, claim and scale them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from claude_pool.domain import pool, slot
from claude_pool.domain.attempts import Claim
from claude_pool.domain.claims import claim_for
from claude_pool.domain.errors import InvalidArgument, NotFound, PoolError
from claude_pool.domain.pool_status import pool_status, serving, slot_state, slot_status
from claude_pool.domain.slot import ConfigureSlot, Present
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.values import Options, is_slot_id

from .origins import CALLER, Origin
from .service import Service
from .system import System
from .views import View, slot_view, status_view


class Slots:
    """The verbs of slots. Errors are `PoolError`s."""

    def __init__(self, service: Service, system: System, version: str) -> None:
        """Slots of the pool that `service` keeps; `version` is the program's."""
        self._service = service
        self._system = system
        self._version = version

    def view(self, slot_id: str) -> View:
        """One slot.

        Raises:
            InvalidArgument, NotFound: no such slot.
        """
        return slot_view(slot_status(self._service.world, self._present(slot_id)))

    def _present(self, slot_id: str) -> Present:
        if not is_slot_id(slot_id):
            raise InvalidArgument(argument="slot_id", problem="a slot's id looks like slot-0")
        state = self._service.world.slots.get(slot_id)
        if state is None or (isinstance(state, slot.Stopped) and state.retired):
            raise NotFound(kind="slot", id=slot_id, hint="pool_status lists the slots in service.")
        return state

    async def configure(
        self, slot_id: str, identity: ConfigureSlot, options: Options, origin: Origin = CALLER
    ) -> View:
        """Change a slot's name, role, description and options; what is None stays as it is."""
        self._present(slot_id)
        command = replace(identity, slot_id=slot_id, options=options)
        await self._service.handle(command, origin)
        return self.view(slot_id)

    def find(self, name: str | None, role: str | None, state: str | None) -> View:
        """The slots in service that match everything that is given."""
        found = [
            slot_view(slot_status(self._service.world, s))
            for s in serving(self._service.world)
            if name in (None, s.card.name) and role in (None, s.card.role) and state in (None, slot_state(s))
        ]
        return {"slots": found}

    async def claim(self, slot_id: str, origin: Origin = CALLER) -> View:
        """Give the slot the first pending task that may run there, if the ordinary rules allow it now."""
        self._present(slot_id)
        try:
            recorded = await self._service.handle(partial(self._claim_for, slot_id), origin)
        except PoolError as error:
            return {"claimed": False, "reason": error.message}
        claimed = next(r.event for r in recorded if isinstance(r.event, SlotClaimed))
        task_id = claimed.attempt.rpartition(".")[0]
        return {"claimed": True, "task_id": task_id, "reason": "it was the first in the queue"}

    def _claim_for(self, slot_id: str) -> Claim:
        return claim_for(self._service.world, slot_id, self._service.outlook.now(), self._system.now())

    async def set_target(self, target: int, origin: Origin = CALLER) -> View:
        """Want so many slots in service; the status."""
        await self._service.handle(pool.SetTargetSlots(target), origin)
        return status_view(pool_status(self._service.world, self._version))

    async def scale(self, change: int, origin: Origin = CALLER, key: str | None = None) -> View:
        """Want so many slots more, or less; the status. The same `key` counts once.

        Raises:
            InvalidArgument: beyond the bounds. IdempotencyConflict: `key` made another change.
        """
        await self._service.handle(pool.ScaleSlots(change, key), origin)
        return status_view(pool_status(self._service.world, self._version))
