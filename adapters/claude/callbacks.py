"""Whom a driver tells what its slots do by themselves, as the port has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from claude_pool.domain.errors import NotFound
from claude_pool.domain.ports import Ask, Leave, ProcessEnd, SlotTool
from claude_pool.domain.values import Outcome

from .permissions import Put
from .slot_terms import Listeners


class Callbacks:
    """The part of `SlotDriver` that registers callbacks. Until somebody registers, nobody is told, no tool of
    a slot is there, and no leave is given."""

    def __init__(self) -> None:
        """Nobody has registered."""
        self.exited: Callable[[str, ProcessEnd], None] = lambda _slot, _end: None
        self.strayed: Callable[[str, Outcome], None] = lambda _slot, _outcome: None
        self._slot_tool: SlotTool = _nobody
        self._words: Callable[[str, str], None] = lambda _attempt, _text: None
        self._question: Put = _nobody_there

    def on_exit(self, callback: Callable[[str, ProcessEnd], None]) -> None:
        """Register what is told when an idle process ends by itself."""
        self.exited = callback

    def on_stray(self, callback: Callable[[str, Outcome], None]) -> None:
        """Register what is told of turns that nobody asked for: slot id, and an outcome with their cost."""
        self.strayed = callback

    def on_slot_tool(self, callback: SlotTool) -> None:
        """Register what carries out the slots' own tools; see the port."""
        self._slot_tool = callback

    def on_words(self, callback: Callable[[str, str], None]) -> None:
        """Register what is told what models say; see the port."""
        self._words = callback

    def on_question(self, callback: Put) -> None:
        """Register who answers permission questions of turns that ask; see the port."""
        self._question = callback

    def listeners(self, slot_id: str) -> Listeners:
        """What one slot tells, passed on to whoever is registered by then."""
        return Listeners(
            lambda outcome: self.strayed(slot_id, outcome),
            lambda attempt, name, given: self._slot_tool(slot_id, attempt, name, given),
            lambda attempt, text: self._words(attempt, text),
            lambda ask: self._question(ask),
        )


async def _nobody(_slot: str, _attempt: str, name: str, _given: Mapping[str, object]) -> Mapping[str, object]:
    raise NotFound(kind="tool", id=name, hint="")


async def _nobody_there(_ask: Ask) -> Leave:
    return Leave(False)
