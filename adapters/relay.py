"""The relay between a coordinator's stdio and the owner's socket: what `claude-pool serve` runs.

It passes MCP lines on, both ways, and starts the owner where there is none. An owner that dies costs a
coordinator nothing but the calls that were open: the relay answers those, starts another owner at the
next call and repeats the handshake that it has seen. Standard library only: it must answer at once.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from claude_pool.domain.errors import PoolError

from .calling import Link, Unavailable, refusal
from .lines import LINE_BYTES, Lines

if TYPE_CHECKING:
    from socket import socket

LEAVE_SECONDS = 2.0
"""How long the relay stays after its standard input has ended."""

_ANSWERS_SECONDS = 1.5
_REPLAY_SECONDS = 10.0
_FAILURE_HOLDS_SECONDS = 1.0
_CHUNK = 1 << 16
_HELD_BACK = 64 << 20
_MODERN = "io.modelcontextprotocol/protocolVersion"
_REPLAY_ID = "claude-pool-relay-replay"
_INTERNAL_ERROR = -32603
_PARSE_ERROR = -32700
_LOST = (
    "[internal] The pool's owner process ended while this call was open; "
    "accepted work is in the log; call again."
)


class _Call(NamedTuple):
    """A request without an answer yet. `modern`: the caller speaks the protocol without a handshake."""

    id: object
    method: str
    modern: bool


class Relay:
    """One coordinator's connection to the pool, over however many owners it takes."""

    def __init__(self, reach_owner: Callable[[], Link], stdin: int = 0, stdout: int = 1) -> None:
        """`reach_owner` connects, starting an owner if need be; it may raise Unavailable or PoolError."""
        self._reach = reach_owner
        self._stdin = stdin
        self._stdout = stdout
        self._socket: socket | None = None
        self._failure = ""
        self._failed_at = 0.0
        self._ever_linked = False
        self._from_client, self._from_owner = Lines(), Lines()
        self._to_client, self._to_owner = bytearray(), bytearray()
        self._open: dict[str, _Call] = {}
        self._initialize: bytes | None = None
        self._initialized: bytes | None = None
        self._listens: dict[str, bytes] = {}
        self._acknowledgements = 0
        self._asked = False
        self._input_ended_at: float | None = None
        self._half_closed = False

    def open(self) -> str:
        """Connect ahead of the first call; why that failed, or nothing."""
        return self._link(replay=False)

    def run(self) -> int:
        """Pass lines on until the coordinator is gone; the exit code."""
        while not self._finished():
            ready = self._poll()
            if self._socket is not None and ready.get(self._socket.fileno()):
                self._exchange(ready[self._socket.fileno()])
            if (happened := ready.get(self._stdout, 0)) and not self._write(happened):
                return 0
            if ready.get(self._stdin):
                self._read()
        return 0 if self._ever_linked or not self._failure else 3

    # The loop

    def _finished(self) -> bool:
        """Whether nothing is left to do; closes our half once the open calls are answered."""
        if self._input_ended_at is None:
            return False
        waited = time.monotonic() - self._input_ended_at
        if waited >= LEAVE_SECONDS or (self._socket is None and not self._to_client):
            return True
        answered = not self._to_owner and self._open.keys() <= self._listens.keys()
        if self._socket is not None and not self._half_closed and (answered or waited >= _ANSWERS_SECONDS):
            self._half_closed = True
            try:
                self._socket.shutdown(1)
            except OSError:
                self._lose()
        return False

    def _poll(self) -> dict[int, int]:
        poller = select.poll()
        # A coordinator that reads nothing is not read from, so that neither side fills our memory.
        crowded = len(self._to_owner) > _HELD_BACK or len(self._to_client) > _HELD_BACK
        if self._input_ended_at is None and not crowded:
            poller.register(self._stdin, select.POLLIN)
        poller.register(self._stdout, select.POLLOUT if self._to_client else 0)
        if self._socket is not None:
            reading = select.POLLIN if len(self._to_client) <= _HELD_BACK else 0
            poller.register(self._socket.fileno(), reading | (select.POLLOUT if self._to_owner else 0))
        return dict(poller.poll(None if self._input_ended_at is None else 50))

    def _read(self) -> None:
        try:
            data = os.read(self._stdin, _CHUNK)
        except OSError:
            data = b""
        if not data:
            self._input_ended_at = time.monotonic()
        left_out = self._from_client.left_out
        for line in self._from_client.feed(data):
            self._client_says(line)
        if self._from_client.left_out > left_out:
            text = f"[invalid_argument] a line is longer than {LINE_BYTES} bytes"
            self._tell({"jsonrpc": "2.0", "id": None, "error": {"code": _PARSE_ERROR, "message": text}})

    def _write(self, happened: int) -> bool:
        """Whether the coordinator can still be written to."""
        if happened & select.POLLOUT:
            try:
                # So little never blocks once the descriptor is ready; it may be shared, so it stays blocking.
                written = os.write(self._stdout, self._to_client[: select.PIPE_BUF])
            except OSError:
                return False
            del self._to_client[:written]
            return True
        return not happened & (select.POLLERR | select.POLLHUP | select.POLLNVAL)

    def _exchange(self, happened: int) -> None:
        assert self._socket is not None
        try:
            if happened & select.POLLOUT and self._to_owner:
                del self._to_owner[: self._socket.send(memoryview(self._to_owner)[: 1 << 20])]
            if happened & ~select.POLLOUT:
                data = self._socket.recv(_CHUNK)
                if not data:
                    self._lose()
                self._owner_sends(data)
        except BlockingIOError:
            pass
        except OSError:
            self._lose()

    def _owner_sends(self, data: bytes) -> None:
        for line in self._from_owner.feed(data):
            self._owner_says(line)
        if self._from_owner.left_out:
            self._lose()

    # What is said

    def _client_says(self, line: bytes) -> None:
        message = _parsed(line)
        method = message.get("method")
        if not isinstance(method, str):
            self._pass_on(line)
        elif "id" in message:
            self._request(line, message, method)
        else:
            self._notification(line, message, method)

    def _request(self, line: bytes, message: Mapping[str, object], method: str) -> None:
        params = _object(message.get("params"))
        call = _Call(message["id"], method, _MODERN in _object(params.get("_meta")))
        if method == "initialize":
            self._forget()
        if problem := self._link(replay=True):
            self._answer(call, problem)
            return
        if method == "initialize":
            self._initialize = line
        elif method == "subscriptions/listen":
            self._listens[_key(call.id)] = line
        self._open[_key(call.id)] = call
        self._asked = True
        self._pass_on(line)

    def _notification(self, line: bytes, message: Mapping[str, object], method: str) -> None:
        if method == "notifications/initialized":
            self._initialized = line
        elif method == "notifications/cancelled":
            cancelled = _key(_object(message.get("params")).get("requestId"))
            self._open.pop(cancelled, None)
            self._listens.pop(cancelled, None)
        self._pass_on(line)

    def _owner_says(self, line: bytes) -> None:
        message = _parsed(line)
        method = message.get("method")
        if method == "notifications/subscriptions/acknowledged" and self._acknowledgements:
            self._acknowledgements -= 1
            return
        if method is None and "id" in message:
            self._open.pop(_key(message["id"]), None)
            self._listens.pop(_key(message["id"]), None)
        self._to_client += line

    def _pass_on(self, line: bytes) -> None:
        """Send a line to the owner; without one it is about calls that are long answered."""
        if self._socket is not None:
            self._to_owner += line

    def _answer(self, call: _Call, text: str) -> None:
        """Answer in the owner's place. A tool's error is a result, so that the model reads it."""
        if call.method != "tools/call":
            error = {"code": _INTERNAL_ERROR, "message": text}
            self._tell({"jsonrpc": "2.0", "id": call.id, "error": error})
            return
        result: dict[str, object] = {"content": [{"type": "text", "text": text}], "isError": True}
        if call.modern:
            result["resultType"] = "complete"
        self._tell({"jsonrpc": "2.0", "id": call.id, "result": result})

    def _tell(self, message: Mapping[str, object]) -> None:
        self._to_client += json.dumps(message).encode() + b"\n"

    # Owners come and go

    def _link(self, replay: bool) -> str:
        """Connect unless we are; why that failed, or nothing."""
        if self._socket is not None:
            return ""
        if self._failure and time.monotonic() - self._failed_at < _FAILURE_HOLDS_SECONDS:
            return self._failure
        try:
            link = self._reach()
            self._socket, self._ever_linked, self._failure = link.socket, True, ""
            self._from_owner = Lines()
            if replay:
                self._replay()
            link.socket.setblocking(False)
            self._owner_sends(link.rest)
        except (Unavailable, PoolError) as error:
            self._failure, self._failed_at = refusal(error), time.monotonic()
        except OSError:
            self._lose()
            return _LOST
        return self._failure

    def _replay(self) -> None:
        """Bring a new owner to where the old one was, unnoticed by the coordinator."""
        assert self._socket is not None
        self._socket.settimeout(_REPLAY_SECONDS)
        if self._initialize is not None:
            again = {**_parsed(self._initialize), "id": _REPLAY_ID}
            self._socket.sendall(json.dumps(again).encode() + b"\n")
            answered = False
            while not answered:
                for said in self._from_owner.feed(self._receive()):
                    answered = self._replayed(said) or answered
            if self._initialized is not None:
                self._socket.sendall(self._initialized)
        for key, line in self._listens.items():
            self._acknowledgements += 1
            self._open[key] = _Call(_parsed(line).get("id"), "subscriptions/listen", True)
            self._socket.sendall(line)
        self._asked = self._initialize is not None or bool(self._listens)

    def _receive(self) -> bytes:
        assert self._socket is not None
        if data := self._socket.recv(_CHUNK):
            return data
        raise ConnectionResetError

    def _replayed(self, line: bytes) -> bool:
        """Whether `line` is the answer to the repeated handshake; any other is passed on."""
        if _parsed(line).get("id") == _REPLAY_ID:
            return True
        self._owner_says(line)
        return False

    def _forget(self) -> None:
        """Begin anew for a coordinator that shakes hands.

        It may have tried the protocol without a handshake first and given up waiting; an owner serves
        one of the two on a connection, the one that it saw first.
        """
        self._initialize = self._initialized = None
        self._listens.clear()
        if self._asked:
            self._open.clear()
            self._lose()

    def _lose(self) -> None:
        """The owner is gone: answer what it will not. Subscriptions wait for the next one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._asked = False
        self._acknowledgements = 0
        self._to_owner.clear()
        for key, call in self._open.items():
            if call.method == "initialize":
                self._initialize = None
            if key not in self._listens:
                self._answer(call, _LOST)
        self._open.clear()


def _parsed(line: bytes) -> dict[str, object]:
    """The message of a line; empty where it is none (it is passed on all the same)."""
    try:
        return _object(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _key(identifier: object) -> str:
    """1 and "1" are different ids."""
    return repr(identifier)
