"""Reaches the owner of a pool: connects to it, and starts one, detached, where there is none.

Every connection to an owner begins with one JSON line each way, the greeting and the welcome; after them
it speaks plain MCP lines. A new owner is `python -m claude_pool.adapters.owner` with its settings as one
JSON document on standard input. What it cannot do it says in its log, as a line that begins with a code:
`[store_in_use]` where another owner holds the lock.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from claude_pool.domain.errors import CODES, PoolError

from .places import Places, listening, prepare

if TYPE_CHECKING:
    from subprocess import Popen

VERSION = "0.1.0"
"""The version of this program, as the package says it."""

OWNER_COMMAND = (sys.executable, "-P", "-m", "claude_pool.adapters.owner")
"""How an owner is started. `-P` keeps the current directory, which may be anyone's, off the import path."""

START_SECONDS = 30.0
"""How long a new owner may take until it answers."""

_RETRY_SECONDS = 0.01
_START_AGAIN_SECONDS = 0.5
_LONGEST_WELCOME = 1 << 20
_LARGEST_LOG = 1 << 20
_REFUSAL = re.compile(r"^\[([a-z_]+)\] (.+)$", re.MULTILINE)
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
        "claude_pool": 1,
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
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(listening(places))
        connection.sendall(json.dumps(hello).encode() + b"\n")
        line, rest = _first_line(connection)
        welcome = _welcome(line)
        if welcome and not welcome.get("replace"):
            connection.settimeout(None)
            return Link(connection, welcome, rest)
        while connection.recv(4096):
            pass  # It is leaving: its end of the connection closes when it has gone.
    except TimeoutError:
        connection.close()
        raise Unavailable(
            "internal", f"The pool's owner did not answer within {timeout:g} seconds."
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


def reach(
    places: Places,
    hello: Mapping[str, object],
    document: Mapping[str, object],
    timeout: float = START_SECONDS,
) -> Link:
    """A connection to the owner, which is started with the settings `document` where there is none.

    Of two callers that start one at once, the lock decides; both connect to the owner that got it.

    Raises:
        Unavailable: the owner ended with an error (its own code and text), or did not answer in time.
        StoreUnreadable: the state directory or the folder of the socket cannot be used.
    """
    deadline = time.monotonic() + timeout
    owner: Popen[bytes] | None = None
    held: Unavailable | None = None
    start_at, logged = 0.0, 0
    while (left := deadline - time.monotonic()) > 0:
        if link := connect(places, hello, left):
            return link
        if owner is not None and (code := owner.poll()) is not None:
            held = why_it_ended(places, logged, code)
            if code != 0 and held.code != "store_in_use":
                raise held
            # It left in order, or another held the lock, which will answer soon or is about to end.
            owner, start_at = None, time.monotonic() + _START_AGAIN_SECONDS
        if owner is None and time.monotonic() >= start_at:
            prepare(places)
            logged = begin_log(places)
            owner = _start(places, document)
        time.sleep(_RETRY_SECONDS)
    raise held or Unavailable(
        "internal", f"No owner answered within {timeout:g} seconds. See {places.owner_log}."
    )


def _start(places: Places, document: Mapping[str, object]) -> Popen[bytes]:
    """Start an owner in a session of its own, with nothing of ours but its log and its settings."""
    import subprocess

    _started[:] = [process for process in _started if process.poll() is None]
    log = open_log(places)
    settings = _settings(places, document)
    try:
        owner = subprocess.Popen(
            OWNER_COMMAND, stdin=settings, stdout=log, stderr=log, cwd="/", start_new_session=True
        )
    finally:
        os.close(settings)
        os.close(log)
    _started.append(owner)
    return owner


def _settings(places: Places, document: Mapping[str, object]) -> int:
    """A nameless file that holds `document`, to be read from its beginning.

    Unlike a pipe it never blocks the writer, and a caller that is killed leaves no half of it.
    """
    name = os.path.join(places.state_dir, f"owner.settings.{os.getpid()}")
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.unlink(name)
    with open(file, "wb", closefd=False) as writer:
        writer.write(json.dumps(document).encode())
    os.lseek(file, 0, os.SEEK_SET)
    return file


_started: list[Popen[bytes]] = []
"""Owners that this process started, kept so that those which ended are reaped."""


def _first_line(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\n" not in received and len(received) < _LONGEST_WELCOME:
        chunk = connection.recv(65536)
        if not chunk:
            return b"", b""
        received += chunk
    line, _, rest = received.partition(b"\n")
    return line, rest


def _welcome(line: bytes) -> dict[str, object]:
    """What an owner answered; empty where it left without a word."""
    if not line:
        return {}
    try:
        answer: object = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or cast("dict[str, object]", answer).get("claude_pool") != 1:
        raise Unavailable("internal", "What listens on the pool's socket is not an owner of this version.")
    welcome = cast("dict[str, object]", answer)
    if not welcome.get("ok") and not welcome.get("replace"):
        raise Unavailable(
            str(welcome.get("code", "internal")), str(welcome.get("message", "The owner refused."))
        )
    return welcome


def why_it_ended(places: Places, logged: int, code: int) -> Unavailable:
    """Why an owner ended with exit code `code`, from its log beyond the length `logged`."""
    tail = ""
    try:
        with open(places.owner_log, "rb") as log:
            log.seek(max(logged, _size(places.owner_log) - 8192))
            tail = log.read(8192).decode("utf-8", "replace").strip()
    except OSError:
        pass
    for word, message in reversed(_REFUSAL.findall(tail)):
        if word in CODES:
            return Unavailable(word, message)
    last = " ".join(tail.splitlines()[-3:])[-500:]
    return Unavailable(
        "internal", f"The pool's owner ended at its start (exit code {code}): {last} See {places.owner_log}."
    )


def begin_log(places: Places) -> int:
    """How long the owner's log is before an owner starts; a long one was put aside."""
    if (size := _size(places.owner_log)) <= _LARGEST_LOG:
        return size
    os.replace(places.owner_log, places.owner_log + ".old")
    return 0


def open_log(places: Places) -> int:
    """The owner's log as a descriptor to append to, for its standard output and error."""
    return os.open(places.owner_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def refusal(error: PoolError | Unavailable) -> str:
    """The text of an error as callers get it: its code in brackets, then its message."""
    return f"[{error.code}] {error.message}"
