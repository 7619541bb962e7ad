"""A small MCP client over the owner's socket, for the verbs of the shell. One call at a time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, cast

from .calling import VERSION, Link

PROTOCOL = "2025-11-25"

ANSWER_SECONDS = 660.0
"""No call takes longer: the owner waits 600 s at most. One that has not answered by then hangs."""

SEND_SECONDS = 60.0
"""So long an owner may take to read what it is sent."""

_CODED = re.compile(r"^\[([a-z_]+)\]\s*(.*)$", re.DOTALL)
_INVALID_PARAMS = -32602


class ToolError(Exception):
    """A call was answered with an error. `code` is one of `errors.CODES`."""

    def __init__(self, code: str, message: str) -> None:
        """`message` is one paragraph for a person, without the code."""
        super().__init__(message)
        self.code = code
        self.message = message


class Client:
    """An MCP session on one connection. Closing it cancels nothing that the owner has accepted."""

    def __init__(self, link: Link) -> None:
        """Take over `link`; `initialize` is the first thing to be called."""
        self._socket = link.socket
        self._received = bytearray(link.rest)
        self._searched = 0
        self._number = 0
        self.welcome = link.welcome

    def __enter__(self) -> Self:
        """The client itself; it is closed on leaving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def initialize(self, timeout: float = 30.0) -> None:
        """Shake hands, within `timeout` seconds.

        Raises:
            ToolError, TimeoutError: as for `call`.
        """
        client = {"name": "claude-pool", "version": VERSION}
        self.request(
            "initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client}, timeout
        )
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(
        self, tool: str, arguments: Mapping[str, object], timeout: float | None = None
    ) -> dict[str, object]:
        """The structured result of a tool.

        Raises:
            ToolError: the tool refused or failed, or the owner ended before it answered.
            TimeoutError: no answer within `timeout` seconds (None: `ANSWER_SECONDS`).
        """
        result = self.request("tools/call", {"name": tool, "arguments": dict(arguments)}, timeout)
        text = "".join(
            str(part.get("text", "")) for part in cast("list[dict[str, object]]", result.get("content", []))
        )
        if result.get("isError"):
            raise _error(text)
        structured = result.get("structuredContent")
        return cast("dict[str, object]", structured) if isinstance(structured, dict) else {"text": text}

    def read(self, uri: str, timeout: float | None = None) -> str:
        """The text of a resource.

        Raises:
            ToolError, TimeoutError: as for `call`.
        """
        result = self.request("resources/read", {"uri": uri}, timeout)
        contents = cast("list[dict[str, object]]", result.get("contents", []))
        return "".join(str(part.get("text", "")) for part in contents)

    def request(
        self, method: str, params: Mapping[str, object], timeout: float | None = None
    ) -> dict[str, object]:
        """The result of any request.

        Raises:
            ToolError, TimeoutError: as for `call`.
        """
        deadline = time.monotonic() + (ANSWER_SECONDS if timeout is None else timeout)
        self._number += 1
        number = self._number
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)})
        # Notifications, and answers to calls that were given up, are passed over.
        while (message := self._message(deadline)).get("id") != number or "method" in message:
            pass
        if isinstance(error := message.get("error"), dict):
            said = cast("dict[str, object]", error)
            code = "invalid_argument" if said.get("code") == _INVALID_PARAMS else "internal"
            raise _error(str(said.get("message", "")), code)
        result = message.get("result")
        return cast("dict[str, object]", result) if isinstance(result, dict) else {}

    def wait_for_end(self, timeout: float | None = None) -> bool:
        """Whether the owner closed the connection within `timeout` seconds (None: wait for ever)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                self._message(deadline)
        except TimeoutError:
            return False
        except ToolError:
            return True

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _send(self, message: Mapping[str, object]) -> None:
        self._socket.settimeout(SEND_SECONDS)
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except TimeoutError:
            raise
        except OSError as error:
            raise _gone() from error

    def _message(self, deadline: float | None) -> dict[str, object]:
        while True:
            message: object = json.loads(self._line(deadline))
            if isinstance(message, dict):
                return cast("dict[str, object]", message)

    def _line(self, deadline: float | None) -> bytes:
        while (end := self._received.find(b"\n", self._searched)) < 0:
            self._searched = len(self._received)
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            try:
                chunk = self._socket.recv(1 << 16)
            except ConnectionError:
                chunk = b""
            if not chunk:
                raise _gone()
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        self._searched = 0
        return line


def _error(text: str, code: str = "internal") -> ToolError:
    coded = _CODED.match(text)
    return ToolError(coded[1], coded[2]) if coded else ToolError(code, text)


def _gone() -> ToolError:
    return ToolError(
        "internal", "The pool's owner ended before it answered; accepted work is in the log. Call again."
    )
