"""The processes of slots as effects: launched, cleared, stopped, and killed where they hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from claude_pool.domain import slot
from claude_pool.domain.claiming import pool_options
from claude_pool.domain.coordination import Command
from claude_pool.domain.options import resolve
from claude_pool.domain.ports import Launch, ProcessEnd, SlotDriver, SlotFailure
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.task_events import SessionOpened
from claude_pool.domain.values import Options, SessionMode

from .effects import Effects
from .prompting import slot_introduction
from .service import Service
from .system import System

_log = logging.getLogger(__name__)

_KILL_SECONDS = 10.0
"""So long the next process of a slot waits for the end of one that was given up."""

ProjectText = Callable[[str], str | None]
"""The project's text for a working directory, or None."""


class Processes:
    """Drives the processes of one owner's slots."""

    def __init__(
        self,
        service: Service,
        driver: SlotDriver,
        effects: Effects,
        system: System,
        project_text: ProjectText,
    ) -> None:
        """`project_text` gives what a process is told of its directory."""
        self._service = service
        self._driver = driver
        self._effects = effects
        self._system = system
        self._project_text = project_text
        self._kills: dict[str, asyncio.Task[None]] = {}

    async def launch(self, slot_id: str, number: int, session: str, cause: int) -> None:
        """Start the slot's process."""
        card = self._service.world.slots[slot_id].card
        base = pool_options(self._service.world.open_pool())
        options = resolve(Options(), card.options, base).options
        try:
            await self._killed(slot_id)
            launched = await self._driver.launch(self._launch_of(card, options, number, session))
        except SlotFailure as failure:
            now = self._system.now()
            command: Command = slot.RecordLaunchFailed(slot_id, number, failure.code, failure.message, now)
        except Exception as fault:  # a fault of ours must not leave a launch open
            _log.exception("a launch failed")
            problem = f"{type(fault).__name__}: {fault}"
            command = slot.RecordLaunchFailed(slot_id, number, "internal", problem, self._system.now())
        else:
            command = slot.RecordLaunched(slot_id, number, launched.pid, launched.cli_version)
        await self._effects.record(command, cause)

    async def replace(
        self, slot_id: str, claimed: SlotClaimed, opened: SessionOpened, options: Options
    ) -> None:
        """Start the process that a claim asks for in the place of the slot's own.

        Raises:
            SlotFailure: it did not start.
        """
        card = self._service.world.slots[slot_id].card
        launch = self._launch_of(card, options, claimed.launch, claimed.session)
        fork = opened.mode == SessionMode.FORK.value
        await self._killed(slot_id)
        launched = await self._driver.launch(replace(launch, resume=opened.parent, fork=fork))
        command = slot.RecordLaunched(slot_id, claimed.launch, launched.pid, launched.cli_version)
        await self._effects.record(command, None)

    def _launch_of(self, card: slot.Card, options: Options, number: int, session: str) -> Launch:
        cwd = options.working_dir or "/"
        told = [self._project_text(cwd), slot_introduction(card)]
        return Launch(
            slot_id=card.slot_id,
            number=number,
            session=session,
            cwd=cwd,
            model=options.model,
            effort=options.effort,
            permission_mode=options.permission_mode,
            system_prompt=options.system_prompt,
            append_system_prompt="\n\n".join(text for text in told if text) or None,
            allowed_tools=options.allowed_tools,
            disallowed_tools=options.disallowed_tools,
            tools=options.tools,
            mcp_servers=options.mcp_servers,
            json_schema=options.json_schema,
            max_turns=options.max_turns,
            fallback_model=options.fallback_model,
        )

    async def clear(self, slot_id: str, cause: int) -> None:
        """Give the slot's process an empty conversation."""
        try:
            session = await self._driver.clear(slot_id)
        except SlotFailure as failure:
            end = failure.end or ProcessEnd(None, 0, expected=False)
            await self.record_end(slot_id, replace(end, message=failure.message), cause)
        else:
            await self._effects.record(slot.RecordCleared(slot_id, session), cause)

    async def stop(self, slot_id: str, cause: int) -> None:
        """End the slot's process."""
        end = await self._driver.stop(slot_id)
        await self.record_end(slot_id, end, cause)

    async def record_end(self, slot_id: str, end: ProcessEnd, cause: int | None) -> None:
        """Have it recorded that the slot's process is gone."""
        now = self._system.now()
        command = slot.RecordProcessEnded(slot_id, end.expected, end.exit_code, end.killed, end.message, now)
        await self._effects.record(command, cause)

    def give_up(self, slot_id: str) -> None:
        """Let go of what the slot's process was asked for, and kill it."""
        self._kills[slot_id] = self._effects.begin(self._kill(slot_id, self._effects.give_up(slot_id)))

    async def _kill(self, slot_id: str, hanging: set[asyncio.Task[None]]) -> None:
        """Kill the slot's process, and let what was asked of it clean up: for so long and no longer."""
        kill = asyncio.create_task(self._driver.kill(slot_id))
        await asyncio.wait({kill, *hanging}, timeout=_KILL_SECONDS)

    async def _killed(self, slot_id: str) -> None:
        if (kill := self._kills.pop(slot_id, None)) is not None:
            await kill
