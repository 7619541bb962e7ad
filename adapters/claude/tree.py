"""Processes by identity: pid, start time and cookie. For recovery, when a keeper itself was lost.

While a keeper lives, its subreaper loop is the one that ends a tree. Here a tree is found by the cookie in
its processes' environment, and only among the processes of this user. A signal goes through a pidfd that
was opened before the identity was checked, so a reused pid is never hit. Systems without `/proc` (macOS)
do not show the environment of processes; there the sweep finds nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from .environment import COOKIE
from .keeper import start_time

_STEP_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Identity:
    """One process. `start` is in clock ticks since boot; `cookie` is the pool's mark in its environment."""

    pid: int
    start: int
    cookie: str


def alive(identity: Identity) -> bool:
    """Whether this very process still runs (a zombie does not)."""
    return _state(identity.pid) not in ("", "Z", "X") and identify(identity.pid) == identity


def identify(pid: int) -> Identity | None:
    """The identity of a process of this user that carries a cookie, else None."""
    before = start_time(pid)
    cookie = _cookie(pid)
    if cookie is None or before == 0 or start_time(pid) != before:
        return None
    return Identity(pid, before, cookie)


def find(prefix: str) -> tuple[Identity, ...]:
    """The living processes of this user whose cookie begins with `prefix`, but for the caller."""
    return tuple(found for found in _ours() if found.cookie.startswith(prefix) and alive(found))


def sweep(prefix: str, within_seconds: float = 5.0) -> int:
    """Kill all processes whose cookie begins with `prefix` until none is found; how many kills it took.

    Blocks. Gives up after `within_seconds`; `find` then tells what is left.

    Raises:
        ValueError: `prefix` is empty, which would name every pool.
    """
    if not prefix:
        raise ValueError("a cookie's prefix must not be empty")
    kills = 0
    until = time.monotonic() + within_seconds
    while (left := find(prefix)) and time.monotonic() < until:
        kills += sum(_kill(identity) for identity in left)
        time.sleep(_STEP_SECONDS)
    return kills


def resident_mb(pid: int, start: int) -> int:
    """Resident memory of the process in MiB; 0 where it is gone or the system does not tell."""
    if start == 0 or start_time(pid) != start:
        return 0
    with suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    return 0


def _kill(identity: Identity) -> bool:
    with suppress(OSError):
        handle = os.pidfd_open(identity.pid)
        try:
            if identify(identity.pid) == identity:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                return True
        finally:
            os.close(handle)
    return False


def _ours() -> Iterator[Identity]:
    me, user = os.getpid(), os.getuid()
    with suppress(OSError):
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit() or int(entry.name) == me:
                continue
            with suppress(OSError):
                if entry.stat().st_uid == user and (found := identify(int(entry.name))):
                    yield found


def _cookie(pid: int) -> str | None:
    with suppress(OSError):
        with open(f"/proc/{pid}/environ", "rb") as environ:
            for variable in environ.read().split(b"\0"):
                if variable.startswith(COOKIE.encode() + b"="):
                    return os.fsdecode(variable.partition(b"=")[2])
    return None


def _state(pid: int) -> str:
    with suppress(OSError, IndexError):
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    return ""
