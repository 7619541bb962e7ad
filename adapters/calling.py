"""Calls the owner of a pool: the greeting, the welcome, and what both say of a difference.

Every connection to an owner begins with one JSON line each way, the greeting and the welcome; after them
it speaks plain MCP lines.
"""

from __future__ import annotations

import errno
import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import NamedTuple, cast

from claude_pool.domain.errors import PoolError

from .places import Places, listening

VERSION = "0.2.0"
"""The version of this program, said here and not read from the package: processes of one program agree on it
whatever is installed, and the shell starts sooner."""

PROTOCOL = 1
"""How callers and owners greet each other. Greetings of another number cannot be understood."""

START_SECONDS = 30.0
"""How long a new owner may take until it answers."""

STOPPED_SECONDS = 5.0
"""So long an owner that does not answer may have been stopped (SIGSTOP) before its callers are told."""

_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 0.01
_LONGEST_WELCOME = 1 << 20
_NOBODY = (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR)


class Unavailable(Exception):
    """There is no owner and none could be started. `code` is one of `errors.CODES`."""

    def __init__(self, code: str, message: str) -> None:
        """`message` is one paragraph for a person."""
        super().__init__(message)
        self.code = code
        self.message = message


class NoOwner(Unavailable):
    """Nobody owns the pool now, and none shall be started."""


class Link(NamedTuple):
    """A connection to an owner after the welcome. `rest` came behind it and belongs to the MCP lines."""

    socket: socket.socket
    welcome: dict[str, object]
    rest: bytes


def greeting(
    role: str,
    *,
    toolsets: str = "default",
    explicit: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    working_dir: str = "",
    on_disconnect: str = "finish",
    **more: object,
) -> dict[str, object]:
    """The first line of a connection.

    `role` is `relay` (a coordinator's) or `shell`. `explicit` and `environment` are what the caller wants
    compared with the owner's own; empty ones are not compared. `working_dir` is the work tree that the
    caller stands in; `on_disconnect` says what becomes of its unfinished work when it goes: `finish`, or
    `stop`. `more` may hold `stop` (`finish` or `now`) to end the owner, and `credentials`, variables with
    their values that slots shall use from now on.
    """
    return {
        "claude_pool": PROTOCOL,
        "version": VERSION,
        "role": role,
        "actor": "shell" if role == "shell" else "coordinator",
        "toolsets": toolsets,
        "explicit": dict(explicit or {}),
        "environment": dict(environment or {}),
        "working_dir": working_dir,
        "on_disconnect": on_disconnect,
        **more,
    }


def connect(places: Places, hello: Mapping[str, object], timeout: float = START_SECONDS) -> Link | None:
    """A connection to the owner, or None where nobody answers or the owner is just leaving.

    Raises:
        Unavailable: the owner refused the greeting, or did not answer it within `timeout` seconds.
        StoreUnreadable: the folder of the socket could be someone else's.
    """
    deadline = time.monotonic() + timeout
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _call(connection, listening(places), deadline)
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.sendall(json.dumps(hello).encode() + b"\n")
        line, rest = _first_line(connection, deadline)
        welcome = _welcome(line, connection)
        if welcome and not welcome.get("replace"):
            connection.settimeout(None)
            return Link(connection, welcome, rest)
        while _hear(connection, deadline):
            pass  # It is leaving: its end of the connection closes when it has gone.
    except TimeoutError:
        pid = _peer(connection)
        connection.close()
        raise Unavailable(
            "internal", f"The pool's owner{_named(pid)} did not answer within {timeout:g} seconds."
        ) from None
    except OSError as error:
        connection.close()
        if error.errno not in (*_NOBODY, errno.ECONNRESET, errno.EPIPE):
            raise Unavailable("internal", f"The pool's owner cannot be reached: {error}.") from error
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _call(connection: socket.socket, address: str, deadline: float) -> None:
    """Connect; an owner that so many call at once that its queue is full is called again."""
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            return connection.connect(address)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(_RETRY_SECONDS)


def _hear(connection: socket.socket, deadline: float) -> bytes:
    """What comes next, nothing at the end.

    Raises:
        TimeoutError: nothing came before the `deadline`.
        Unavailable: whoever listens is stopped and does not go on.
    """
    stopped_since: float | None = None
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(min(left, _LOOK_SECONDS))
        try:
            return connection.recv(65536)
        except TimeoutError:
            pid = _peer(connection)
            if not _is_stopped(pid):
                stopped_since = None
            elif stopped_since is None:
                stopped_since = time.monotonic()
            elif time.monotonic() - stopped_since >= STOPPED_SECONDS:
                raise Unavailable(
                    "internal",
                    f"The pool's owner (pid {pid}) is stopped. Let it go on with `kill -CONT {pid}`, or end "
                    f"it with `kill -KILL {pid}`: accepted work is in its log.",
                ) from None
    raise TimeoutError


def _peer(connection: socket.socket) -> int | None:
    """The process that listens at the other end, where the system tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    except OSError:
        return None
    return int(struct.unpack("3i", told)[0]) or None


def _is_stopped(pid: int | None) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def _named(pid: int | None) -> str:
    return "" if pid is None else f" (pid {pid})"


def _first_line(connection: socket.socket, deadline: float) -> tuple[bytes, bytes]:
    received = b""
    while b"\n" not in received and len(received) < _LONGEST_WELCOME:
        chunk = _hear(connection, deadline)
        if not chunk:
            return b"", b""
        received += chunk
    line, _, rest = received.partition(b"\n")
    return line, rest


def _welcome(line: bytes, connection: socket.socket) -> dict[str, object]:
    """What an owner answered; empty where it left without a word."""
    if not line:
        return {}
    try:
        answer: object = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    welcome = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
    who = _named(_peer(connection))
    if isinstance(protocol := welcome.get("claude_pool"), int) and protocol != PROTOCOL:
        raise Unavailable(
            "config_conflict",
            f"The pool's owner{who} is claude-pool {welcome.get('version', 'of another version')} and greets "
            f"by protocol {protocol}; this is {VERSION} and knows protocol {PROTOCOL}. Use the same version, "
            "or stop the owner with the claude-pool that started it.",
        )
    if welcome.get("claude_pool") != PROTOCOL:
        raise Unavailable("internal", f"What listens on the pool's socket{who} is not an owner of a pool.")
    if not welcome.get("ok") and not welcome.get("replace"):
        raise Unavailable(
            str(welcome.get("code", "internal")), str(welcome.get("message", "The owner refused."))
        )
    return welcome


def remarks(welcome: Mapping[str, object]) -> list[str]:
    """What a person should know of the owner that said `welcome`: lines for standard error."""
    told: list[str] = []
    if (version := welcome.get("version")) != VERSION:
        told.append(
            f"[config_conflict] The pool's owner (pid {welcome.get('pid')}) is claude-pool {version}, this is"
            f" {VERSION}. Reading works; to change something, end it with `claude-pool stop`; call again."
        )
    if safe := welcome.get("safe_mode"):
        told.append(f"[wrong_state] {safe}")
    return told


def refusal(error: PoolError | Unavailable) -> str:
    """The text of an error as callers get it: its code in brackets, then its message."""
    return f"[{error.code}] {error.message}"
