"""What git does for a pool: facts of chains and slots start it, and what comes of it is recorded."""

from __future__ import annotations

from claude_pool.domain.chain_events import ClosingRequested, WorkKept, WorkplaceRequested
from claude_pool.domain.claiming import pool_options
from claude_pool.domain.errors import StoreError
from claude_pool.domain.isolation import Workplaces
from claude_pool.domain.records import Recorded
from claude_pool.domain.values import Part
from claude_pool.domain.workplace_events import WorkKeepStarted, WorkplaceWanted

from .effects import Effects
from .housing import Housing
from .isolating import ChainIsolation
from .service import Service
from .store.blobs import Texts
from .system import System
from .texts import keep, with_room


class Repositories:
    """The copies of repositories that chains and slots work in."""

    def __init__(
        self, service: Service, effects: Effects, workplaces: Workplaces, texts: Texts, system: System
    ) -> None:
        """Facts that `effects` hears of begin the work; `texts` keeps what was changed."""
        self._service = service
        self._effects = effects
        self._texts = texts
        self._isolation = ChainIsolation(service, workplaces, texts, system, effects.record)
        self._housing = Housing(workplaces, system.now)
        effects.of_facts(self._begin)

    def _begin(self, fact: Recorded, _append: tuple[Recorded, ...]) -> None:
        match fact.event:
            case WorkplaceRequested():
                self._effects.begin(self._isolation.prepare(fact.stream, fact.position))
            case ClosingRequested():
                self._effects.begin(self._isolation.close(fact.stream, fact.position))
            case WorkKept(head=head) if head:
                self._effects.begin(self._isolation.remove(fact.stream))
            case WorkplaceWanted():
                self._effects.begin(self._make(fact.stream, fact.position))
            case WorkKeepStarted(remove):
                self._effects.begin(self._keep(fact.stream, remove, fact.position))
            case _:
                pass

    async def note(self, _attempt: str, part: Part) -> str:
        """The commit with what an attempt at a step left in its chain's copy; "" where there is none."""
        return await self._isolation.note(part.chain_id, part.step)

    async def _make(self, slot_id: str, cause: int) -> None:
        source = pool_options(self._service.world.open_pool()).working_dir or "/"
        await self._effects.record(await self._housing.make(slot_id, source), cause)

    async def _keep(self, slot_id: str, remove: bool, cause: int) -> None:
        try:
            command = await self._housing.keep(
                slot_id,
                remove,
                lambda diff: with_room(self._service, lambda: keep(self._service, self._texts, diff)),
            )
        except StoreError as error:
            self._service.fail(error)
            return
        await self._effects.record(command, cause)
