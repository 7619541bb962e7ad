"""The slots' own tools: an MCP server on the control channel of each slot's process.

No process and no connection of its own: the CLI wraps each message in a control request, and the pipe that
it comes through says which slot asks. Written by hand, because a slot needs five methods of the protocol.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from claude_pool.domain.errors import InvalidArgument, PoolError
from claude_pool.domain.ports import SLOT_SERVER

from .stream import Message, part, text

ALLOWED = f"mcp__{SLOT_SERVER}"
"""The permission rule that allows all of its tools."""
PROTOCOL = "2025-11-25"

LONGEST_WAIT_SECONDS = 60
PROGRESS_CHARACTERS = 500

_METHOD_NOT_FOUND = -32601

Handler = Callable[[str, Mapping[str, object]], Awaitable[Mapping[str, object]]]
"""Carries out the tool of that name with checked arguments. Raises `PoolError`."""

Reply = Callable[[str, Mapping[str, object]], None]
"""Answers the control request of that id with the body of its answer."""


@dataclass(frozen=True, slots=True)
class SlotTool:
    """One tool. `arguments` maps a name to a JSON type and a description; the first `required` are needed."""

    name: str
    description: str
    arguments: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    required: int = 0

    @property
    def definition(self) -> dict[str, object]:
        """The tool as `tools/list` shows it.

        All count as reading: they touch nothing but the pool, and in plan mode the CLI runs no others. None
        is marked to be always loaded: the model is told their names, and loads what it wants to use.
        """
        properties = {
            name: {"type": kind, "description": about} for name, (kind, about) in self.arguments.items()
        }
        schema = {
            "type": "object",
            "properties": properties,
            "required": [*properties][: self.required],
            "additionalProperties": False,
        }
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": schema,
            "annotations": {"readOnlyHint": True},
        }

    def read(self, given: Mapping[str, object]) -> Mapping[str, object]:
        """`given` as it was checked; texts are fit to be stored.

        Raises:
            InvalidArgument: an argument is missing, unknown, or of another type.
        """
        for name in given:
            if name not in self.arguments:
                known = ", ".join(self.arguments) or "none"
                raise InvalidArgument(
                    argument=name[:60], problem=f"there is no such argument; known: {known}"
                )
        for name in [*self.arguments][: self.required]:
            if given.get(name) is None:
                raise InvalidArgument(argument=name, problem="is required")
        return {name: self._value(name, value, given) for name, value in given.items() if value is not None}

    def _value(self, name: str, value: object, given: Mapping[str, object]) -> object:
        kind, _ = self.arguments[name]
        if kind == "string":
            if not isinstance(value, str):
                raise InvalidArgument(argument=name, problem="must be a text")
            return text(given, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InvalidArgument(argument=name, problem="must be a number")
        return value


TOOLS = (
    SlotTool(
        "slot_send_message",
        "Leave a message for another slot of your pool; it sees it with its next task.",
        {"to": ("string", "slot-0, slot-1 … or coordinator"), "content": ("string", "Text")},
        2,
    ),
    SlotTool("slot_read_messages", "Read the messages that came for you since your task began."),
    SlotTool(
        "slot_context_get",
        "Get a value that the tasks of your pool share, as it is now.",
        {"key": ("string", "Its name")},
        1,
    ),
    SlotTool(
        "slot_ask_coordinator",
        "Ask whoever gave you the task, and wait for the answer.",
        {
            "question": ("string", "Text"),
            "wait_seconds": ("number", f"At most {LONGEST_WAIT_SECONDS}; default 30"),
        },
        1,
    ),
    SlotTool(
        "slot_report_progress",
        "Say how far your task is, for those who watch.",
        {"text": ("string", f"At most {PROGRESS_CHARACTERS} characters")},
        1,
    ),
)

_BY_NAME = {tool.name: tool for tool in TOOLS}


class SlotServer:
    """The server of one process. Calls run side by side; a call that is cancelled is not answered."""

    def __init__(self, handle: Handler, reply: Reply) -> None:
        """`handle` carries calls out; `reply` sends their answers."""
        self._handle = handle
        self._reply = reply
        self._calls: dict[object, asyncio.Task[None]] = {}

    def take(self, request_id: str, message: Message) -> None:
        """Handle one message, which came in the control request of that id."""
        params = part(message, "params")
        match text(message, "method"):
            case "initialize":
                about = {"name": SLOT_SERVER, "version": "1"}
                protocol = text(params, "protocolVersion") or PROTOCOL
                result: dict[str, Any] = {"protocolVersion": protocol, "serverInfo": about}
                self._answer(request_id, message, result={**result, "capabilities": {"tools": {}}})
            case "tools/list":
                self._answer(request_id, message, result={"tools": [tool.definition for tool in TOOLS]})
            case "tools/call":
                self._begin(request_id, message)
            case "notifications/cancelled":
                self._stop(params.get("requestId"))
                self._answer(request_id, message, result={})
            case method if method == "ping" or method.startswith("notifications/"):
                self._answer(request_id, message, result={})
            case method:
                error = {"code": _METHOD_NOT_FOUND, "message": f"There is no method {method[:60]}."}
                self._answer(request_id, message, error=error)

    def cancel(self) -> None:
        """Give up every call that is under way: nobody waits for its answer any more."""
        for number in tuple(self._calls):
            self._stop(number)

    def _begin(self, request_id: str, message: Message) -> None:
        number = message.get("id")
        call = asyncio.create_task(self._call(request_id, message))
        self._calls[number] = call
        call.add_done_callback(lambda _: self._calls.pop(number, None))

    def _stop(self, number: object) -> None:
        call = self._calls.pop(number, None)
        if call is not None:
            call.cancel()

    async def _call(self, request_id: str, message: Message) -> None:
        try:
            result = await self._result(part(message, "params"))
            said, failed = json.dumps(result, ensure_ascii=False), False
        except PoolError as error:
            said, failed = f"[{error.code}] {error.message}", True
        except Exception as fault:  # a fault of ours must not leave the model waiting
            said, failed = f"[internal] {type(fault).__name__}: {fault}", True
        content = [{"type": "text", "text": said}]
        self._answer(request_id, message, result={"content": content, "isError": failed})

    async def _result(self, params: Message) -> Mapping[str, object]:
        tool = _BY_NAME.get(text(params, "name"))
        if tool is None:
            raise InvalidArgument(
                argument="name", problem=f"there is no such tool; known: {', '.join(_BY_NAME)}"
            )
        given = params.get("arguments")
        if given is not None and not isinstance(given, dict):
            raise InvalidArgument(argument="arguments", problem="must be an object")
        return await self._handle(tool.name, tool.read(cast("Mapping[str, object]", given or {})))

    def _answer(self, request_id: str, message: Message, **outcome: object) -> None:
        answer: dict[str, object] = {"jsonrpc": "2.0", **outcome}
        if message.get("id") is not None:
            answer["id"] = message["id"]
        self._reply(request_id, {"mcp_response": answer})
