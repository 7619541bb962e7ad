"""Reaches the owner of a pool: calls it, and starts one, detached, where there is none.

A new owner is `python -m claude_pool.adapters.owner` with its settings as one
JSON document on standard input. What it cannot do it says in its log, as a line that begins with a code:
`[store_in_use]` where another owner holds the lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from claude_pool.domain.errors import CODES

from .calling import START_SECONDS, Link, Unavailable, connect
from .locking import takes_callers
from .places import Places, prepare

if TYPE_CHECKING:
    from subprocess import Popen

OWNER_COMMAND = (sys.executable, "-P", "-m", "claude_pool.adapters.owner")
"""How an owner is started. `-P` keeps the current directory, which may be anyone's, off the import path."""

TURN_SECONDS = 10.0
"""So long a caller waits for the owner that another one is starting before it starts one as well."""

_RETRY_SECONDS = 0.01
_START_AGAIN_SECONDS = 0.5
_LARGEST_LOG = 1 << 20
_REFUSAL = re.compile(r"^\[([a-z_]+)\] (.+)$", re.MULTILINE)


def reach(
    places: Places,
    hello: Mapping[str, object],
    document: Mapping[str, object],
    timeout: float = START_SECONDS,
) -> Link:
    """A connection to the owner, which is started with the settings `document` where there is none.

    Of many callers at once one starts it while the others wait; should two start one, its lock decides, and
    both connect to the owner that got it.

    Raises:
        Unavailable: the owner ended with an error (its own code and text), or did not answer in time.
        StoreUnreadable: the state directory or the folder of the socket cannot be used.
    """
    began = time.monotonic()
    deadline = began + timeout
    owner: Popen[bytes] | None = None
    held: Unavailable | None = None
    start_at, logged = 0.0, 0
    turn: int | None = None
    try:
        while (left := deadline - time.monotonic()) > 0:
            if link := connect(places, hello, left):
                return link
            if owner is not None and (code := owner.poll()) is not None:
                held = why_it_ended(places, logged, code)
                if code != 0 and (held.code != "store_in_use" or not takes_callers(places)):
                    raise held
                # It left in order, or another held the lock, which will answer soon or is about to end.
                owner, start_at = None, time.monotonic() + _START_AGAIN_SECONDS
            if owner is None and time.monotonic() >= start_at:
                prepare(places)
                turn = _take_turn(places) if turn is None else turn
                if turn is not None or time.monotonic() - began >= TURN_SECONDS:
                    logged = begin_log(places)
                    owner = _start(places, document)
            time.sleep(_RETRY_SECONDS)
    finally:
        if turn is not None:
            os.close(turn)
    raise held or Unavailable(
        "internal", f"No owner answered within {timeout:g} seconds. See {places.owner_log}."
    )


def _take_turn(places: Places) -> int | None:
    """The right to start an owner, until the descriptor is closed; None where another caller has it."""
    name = os.path.join(places.state_dir, "owner.starting")
    turn = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(turn)
        return None
    return turn


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
