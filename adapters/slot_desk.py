"""What slots may ask of their pool while they work. Who asks is known from the pipe alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from claude_pool.domain.errors import InvalidArgument, NotFound
from claude_pool.domain.records import Actor

from .claude.slot_server import LONGEST_WAIT_SECONDS, PROGRESS_CHARACTERS
from .messages import Messages
from .origins import Origin
from .progress import Progress
from .service import Service
from .views import View

USUAL_WAIT_SECONDS = 30.0
NO_ANSWER = (
    "There is no answer yet. Go on without one; it will wait for you, and slot_read_messages shows it."
)

_SLOT = Origin(Actor.SLOT)


class SlotDesk:
    """The verbs of the slots' own tools."""

    def __init__(self, service: Service, messages: Messages, progress: Progress) -> None:
        """Everything that slots write is theirs in the log."""
        self._service = service
        self._messages = messages
        self._progress = progress

    async def serve(self, slot_id: str, attempt: str, name: str, arguments: Mapping[str, object]) -> View:
        """Carry out the tool `name` for the slot in which `attempt` runs; see `claude.slot_server`.

        Raises:
            PoolError: a refusal, as its message says.
        """
        given = {key: str(value) for key, value in arguments.items()}
        match name:
            case "slot_send_message":
                sent = await self._messages.send(slot_id, given["to"], given["content"], _SLOT)
                return {"sent": sent["message_id"]}
            case "slot_read_messages":
                return await self._read(slot_id)
            case "slot_context_get":
                return self._context(given["key"])
            case "slot_ask_coordinator":
                return await self._ask(slot_id, given["question"], arguments.get("wait_seconds"))
            case "slot_report_progress":
                return self._report(attempt, given["text"])
            case _:
                raise NotFound(kind="tool", id=name, hint="")

    async def _read(self, slot_id: str) -> View:
        found = await self._messages.read(slot_id, slot_id, _SLOT)
        messages = [
            {"from": each["from"], "at": _moment(each["at"]), "content": each["content"]}
            for each in found["messages"]
        ]
        return {"messages": messages, "waiting": found["waiting"]}

    def _context(self, key: str) -> View:
        values = self._service.world.open_pool().context
        if key not in values:
            known = ", ".join(sorted(values)) or "none"
            raise NotFound(kind="context value", id=key, hint=f"There are: {known}.")
        return {"key": key, "value": values[key]}

    async def _ask(self, slot_id: str, question: str, wait_seconds: object) -> View:
        seconds = wait_seconds if isinstance(wait_seconds, (int, float)) else USUAL_WAIT_SECONDS
        if not 0 <= seconds <= LONGEST_WAIT_SECONDS:
            problem = f"say a number from 0 to {LONGEST_WAIT_SECONDS}"
            raise InvalidArgument(argument="wait_seconds", problem=problem)
        answer = await self._messages.ask(slot_id, question, seconds, _SLOT)
        return {"answer": answer} if answer is not None else {"answer": None, "note": NO_ANSWER}

    def _report(self, attempt: str, text: str) -> View:
        if len(text) > PROGRESS_CHARACTERS:
            problem = f"{len(text)} characters are more than {PROGRESS_CHARACTERS}"
            raise InvalidArgument(argument="text", problem=problem)
        self._progress.report(attempt, text)
        return {"reported": True}


def _moment(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
