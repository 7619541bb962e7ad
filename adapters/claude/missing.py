"""The driver of an owner that found no CLI: every launch says what is missing, so the pool can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from claude_pool.domain.ports import (
    Ask,
    Launch,
    Launched,
    Leave,
    ProcessEnd,
    SlotFailure,
    SlotTool,
    Turn,
    TurnReport,
)
from claude_pool.domain.values import End, Outcome


class NoCliDriver:
    """Implements `SlotDriver` where there is nothing to drive."""

    def __init__(self, failure: SlotFailure, search: Callable[[], object]) -> None:
        """`failure` is what the search for the CLI ended with; `search` searches again, raising the like."""
        self._failure = failure
        self._search = search

    async def launch(self, launch: Launch) -> Launched:
        """Always fails. Where there is a CLI by now, the failure says how to come by a driver of it."""
        try:
            await asyncio.to_thread(self._search)
        except SlotFailure as failure:
            raise SlotFailure(failure.code, failure.message) from None
        problem = "Claude Code was found only after this pool had started. Run `claude-pool stop`; the next"
        raise SlotFailure(self._failure.code, f"{problem} start uses it.")

    async def run(self, slot_id: str, turn: Turn, on_spend: Callable[[str, int], None]) -> TurnReport:
        """Never reached through a launch; fails like one."""
        outcome = Outcome(End.FAILED, self._failure.code, self._failure.message)
        return TurnReport(outcome, turn.session, alive=False)

    def fund(self, slot_id: str, attempt: str, budget: int) -> None:
        """Nothing runs."""

    async def interrupt(self, slot_id: str, attempt: str) -> None:
        """Nothing runs."""

    async def clear(self, slot_id: str) -> str:
        """Always fails."""
        raise SlotFailure(self._failure.code, self._failure.message)

    async def stop(self, slot_id: str) -> ProcessEnd:
        """Nothing runs."""
        return ProcessEnd(None, 0, expected=True)

    async def kill(self, slot_id: str) -> None:
        """Nothing runs."""

    def on_exit(self, callback: Callable[[str, ProcessEnd], None]) -> None:
        """Nothing ever exits."""

    def on_stray(self, callback: Callable[[str, Outcome], None]) -> None:
        """Nothing ever starts by itself."""

    def on_slot_tool(self, callback: SlotTool) -> None:
        """Nothing ever calls one."""

    def on_words(self, callback: Callable[[str, str], None]) -> None:
        """Nothing is ever said."""

    def on_question(self, callback: Callable[[Ask], Awaitable[Leave]]) -> None:
        """Nothing ever asks."""

    async def close(self) -> None:
        """Nothing to close."""
