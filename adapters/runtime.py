"""The loop between facts and the world: facts just appended start effects; every effect ends in one
command that records what came of it, also when it fails or is cancelled.

Nothing here decides. After a restart no effect is started from old facts: recovery closes them.
"""

from __future__ import annotations

import asyncio

from claude_pool.domain import ledger, slot
from claude_pool.domain.pool_events import FundsToppedUp
from claude_pool.domain.ports import ProcessEnd, SlotDriver
from claude_pool.domain.records import Recorded
from claude_pool.domain.slot_events import (
    ClearStarted,
    EffectAbandoned,
    LaunchStarted,
    SlotClaimed,
    StopStarted,
)
from claude_pool.domain.task_events import CancelRequested, InterruptRequested
from claude_pool.domain.values import Outcome

from .asking import Asking
from .attempts import Attempts, Note
from .effects import Effects
from .messages import Messages
from .processes import Processes, ProjectText
from .progress import Progress
from .service import Service
from .store.blobs import Texts
from .system import System


class Runtime:
    """Drives the slots of one owner. `stopped` is set when it is stopping and no slot has a process."""

    def __init__(
        self,
        service: Service,
        driver: SlotDriver,
        effects: Effects,
        texts: Texts,
        system: System,
        project_text: ProjectText,
        messages: Messages,
        progress: Progress,
        note: Note,
    ) -> None:
        """Effects begin with `start`; `project_text` gives what a process is told of its directory, `note`
        the commit that an attempt left."""
        self._service = service
        self._driver = driver
        self._system = system
        self._progress = progress
        self._asking = Asking(service, texts, system)
        self._processes = Processes(service, driver, effects, system, project_text)
        self._attempts = Attempts(
            service, driver, effects, self._processes, texts, system, messages, progress, note
        )
        self.effects = effects
        self.effects.of_facts(self._begin)
        self.stopped = asyncio.Event()

    def start(self) -> None:
        """Let facts start effects and policies react."""
        self.effects.start()
        self._service.on_facts(self._consider_stopped)
        self._service.on_facts(self._asking.on_facts)
        self._driver.on_question(self._asking.ask)
        self._driver.on_exit(self._on_exit)
        self._driver.on_stray(self._on_stray)
        self._driver.on_words(self._progress.say)
        self._service.policies_on = True
        self._service.react()

    async def close(self) -> None:
        """End all processes at once and wait for the effects that record it."""
        await self._driver.close()
        await self.effects.ended()

    def _begin(self, fact: Recorded, append: tuple[Recorded, ...]) -> None:
        begin, slot_id = self.effects.begin, fact.stream
        match fact.event:
            case LaunchStarted(launch, _, session):
                begin(self._processes.launch(slot_id, launch, session, fact.position), slot_id)
            case SlotClaimed():
                begin(self._attempts.run(slot_id, fact.event, append), slot_id)
            case ClearStarted():
                begin(self._processes.clear(slot_id, fact.position), slot_id)
            case StopStarted():
                begin(self._processes.stop(slot_id, fact.position), slot_id)
            case EffectAbandoned():
                self._processes.give_up(slot_id)
            case FundsToppedUp(attempt):
                self._attempts.fund(attempt)
            case CancelRequested() | InterruptRequested():
                self._attempts.interrupt(fact.stream)
            case _:
                pass

    def _consider_stopped(self, _append: tuple[Recorded, ...]) -> None:
        world = self._service.world
        if world.open_pool().stopping is not None and all(
            isinstance(state, (slot.Stopped, slot.Failed)) and not state.card.housing.unkept
            for state in world.slots.values()
        ):
            self.stopped.set()

    def _on_exit(self, slot_id: str, end: ProcessEnd) -> None:
        self.effects.begin(self._processes.record_end(slot_id, end, None))

    def _on_stray(self, slot_id: str, outcome: Outcome) -> None:
        why = "a turn that nobody asked for"
        charge = ledger.ChargeFunds(slot_id, outcome.cost, why, self._system.now())
        self.effects.begin(self.effects.record(charge, None))
