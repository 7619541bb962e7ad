"""The control channel of a CLI process: our requests and their answers, its requests and ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count

from claude_pool.domain.ports import SLOT_SERVER

from .stream import Message, part, text

_GONE = "the process ended"


class ControlRefused(Exception):
    """The CLI answered a request with an error, or (`unanswered`) not in time. The message says which."""

    def __init__(self, message: str, *, unanswered: bool = False) -> None:
        """`message` is a sentence for a person."""
        super().__init__(message)
        self.unanswered = unanswered


class Controls:
    """Requests in both directions. Permission questions go to others; other questions get an error."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        on_permission: Callable[[str, Message], None],
        on_withdrawal: Callable[[str], None],
        on_mcp: Callable[[str, Message], None],
    ) -> None:
        """`write` sends one line; what the CLI asks is answered with `reply`.

        `on_permission` is given the id of a request and what it asks, `on_withdrawal` the id of one that
        wants no answer any more, `on_mcp` an id and a message for the slots' own server.
        """
        self._write = write
        self._on_permission = on_permission
        self._on_withdrawal = on_withdrawal
        self._on_mcp = on_mcp
        self._numbers = count(1)
        self._open: dict[str, asyncio.Future[Message]] = {}
        self._closed = False

    async def ask(self, subtype: str, timeout: float, **fields: object) -> Message:
        """Send a request and return the body of its answer.

        Raises:
            ControlRefused: the CLI refused, was silent for `timeout` seconds, or ended.
        """
        if self._closed:
            raise ControlRefused(_GONE)
        request_id = self.send(subtype, **fields)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._open[request_id] = answer
        try:
            async with asyncio.timeout(timeout):
                response = await answer
        except TimeoutError:
            problem = f"{subtype} was not answered within {timeout:g} s"
            raise ControlRefused(problem, unanswered=True) from None
        finally:
            del self._open[request_id]
        if text(response, "subtype") != "success":
            raise ControlRefused(text(response, "error") or f"{subtype} was refused")
        return part(response, "response")

    def send(self, subtype: str, **fields: object) -> str:
        """Send a request whose answer nobody waits for; its id."""
        request_id = f"pool-{next(self._numbers)}"
        self._line(
            {"type": "control_request", "request_id": request_id, "request": {"subtype": subtype, **fields}}
        )
        return request_id

    def take(self, message: Message) -> bool:
        """Handle `message` if it belongs to this channel; whether it does."""
        match text(message, "type"):
            case "control_response":
                response = part(message, "response")
                waiting = self._open.get(text(response, "request_id"))
                if waiting is not None and not waiting.done():
                    waiting.set_result(response)
            case "control_request":
                self._answer(text(message, "request_id"), part(message, "request"))
            case "control_cancel_request":
                self._on_withdrawal(text(message, "request_id"))
            case _:
                return False
        return True

    def reply(self, request_id: str, body: Message) -> None:
        """Answer a request of the CLI."""
        response = {"subtype": "success", "request_id": request_id, "response": body}
        self._line({"type": "control_response", "response": response})

    def close(self) -> None:
        """The process is gone: no answer will come any more."""
        self._closed = True
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_result({"subtype": "error", "error": _GONE})

    def _answer(self, request_id: str, request: Message) -> None:
        subtype = text(request, "subtype")
        if subtype == "mcp_message" and text(request, "server_name") == SLOT_SERVER:
            self._on_mcp(request_id, part(request, "message"))
            return
        if subtype == "can_use_tool":
            self._on_permission(request_id, request)
            return
        problem = f"claude-pool does not answer {subtype or 'this request'}"
        response = {"subtype": "error", "request_id": request_id, "error": problem}
        self._line({"type": "control_response", "response": response})

    def _line(self, message: object) -> None:
        self._write(json.dumps(message).encode())
