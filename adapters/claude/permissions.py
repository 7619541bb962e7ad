"""Permission questions of a slot: the CLI asks before it uses a tool, and waits until it is answered.

The pool's own tools are always allowed. A question is put to whoever may answer it only where the turn says
so; everywhere else it is denied at once, as the CLI would have done without anybody to ask. Leaving plan mode
is never allowed: it would change the mode of the process behind the pool's back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

from claude_pool.domain.ports import SLOT_SERVER, Ask, Leave
from claude_pool.domain.values import Denial

from .argv import DEFAULT_PERMISSION_MODE
from .stream import Message, part, text
from .turn import RunningTurn

ASK_USER = "AskUserQuestion"
EXIT_PLAN = "ExitPlanMode"
OWN_TOOLS = f"mcp__{SLOT_SERVER}__"
ANSWERED_BY_MODE = ("plan", "dontAsk")
"""Permission modes in which nobody is asked."""
OPEN_QUESTIONS = 20
"""A turn has no more at once; further ones are denied."""

DENIED = (
    "Nobody is there to answer permission questions. Go on without this tool, or say what you need it for."
)
_TEXT_LENGTH = 300

Put = Callable[[Ask], Awaitable[Leave]]
"""Puts a question to somebody and waits; cancelled where no answer is wanted any more."""


class Permissions:
    """The open questions of one process."""

    def __init__(
        self,
        respond: Callable[[str, Mapping[str, object]], None],
        on_denial: Callable[[str, Denial], None],
        put: Put,
        input_of: Callable[[str], Message | None] = lambda _: None,
    ) -> None:
        """`respond` answers a request by its id; `on_denial` is told a tool use's id and what was refused.

        `input_of` has the input of a request where it is not what we were told of it.
        """
        self._respond = respond
        self._on_denial = on_denial
        self._put = put
        self._input_of = input_of
        self._open: dict[str, asyncio.Task[None]] = {}

    def take(self, request_id: str, request: Message, running: RunningTurn | None) -> None:
        """Answer a `can_use_tool` request, now or when somebody has decided."""
        tool = text(request, "tool_name")
        whole = self._input_of(request_id)
        if tool.startswith(OWN_TOOLS):
            self._allow(request_id, part(request, "input"))
        elif running is None or not self._may_ask(tool, running):
            self._deny(request_id, request, DENIED)
        else:
            asking = asyncio.create_task(self._ask(request_id, request, running, whole))
            self._open[request_id] = asking
            asking.add_done_callback(lambda _: self._open.pop(request_id, None))

    def _may_ask(self, tool: str, running: RunningTurn) -> bool:
        turn = running.turn
        if not turn.asks or tool == EXIT_PLAN or len(self._open) >= OPEN_QUESTIONS:
            return False
        mode = turn.permission_mode or DEFAULT_PERMISSION_MODE
        # who lets a task ask its user by name wants that in every mode in which the CLI does it
        return tool == ASK_USER or mode not in ANSWERED_BY_MODE

    async def _ask(
        self, request_id: str, request: Message, running: RunningTurn, whole: Message | None
    ) -> None:
        tool, wanted = text(request, "tool_name"), part(request, "input")
        given = json.dumps(wanted, ensure_ascii=False)
        about = text(request, "description") or given
        ask = Ask(running.turn.attempt, request_id, tool, given, f"{tool}: {about}"[:_TEXT_LENGTH])
        with running.asking():
            try:
                leave = await self._put(ask)
            except Exception as fault:  # a fault of ours must not leave the slot waiting
                leave = Leave(False, f"The question could not be asked ({type(fault).__name__}: {fault}).")
        if leave.allowed:
            changed = leave.updated_input
            self._allow(request_id, (whole or wanted) if changed is None else json.loads(changed))
        else:
            self._deny(request_id, request, leave.message or DENIED)

    def withdraw(self, request_id: str) -> None:
        """The CLI wants no answer to this request any more."""
        asking = self._open.get(request_id)
        if asking is not None:
            asking.cancel()

    def close(self) -> None:
        """No answer is wanted any more: the turn or the process is over."""
        for asking in self._open.values():
            asking.cancel()

    def _allow(self, request_id: str, wanted: Message) -> None:
        # older CLIs insist on the input even where it stays as it is
        self._respond(request_id, {"behavior": "allow", "updatedInput": wanted})

    def _deny(self, request_id: str, request: Message, message: str) -> None:
        self._on_denial(text(request, "tool_use_id"), Denial(text(request, "tool_name"), message))
        self._respond(request_id, {"behavior": "deny", "message": message})
