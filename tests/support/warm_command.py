"""`claude-pool` in a process of its own, forked from one that has imported all of it.

For tests of what a command does and prints: it takes a fifth of the time. How the installed command starts is
for tests that start it.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from tests.support import warm_server


def run_warm(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    stdin: str = "",
    *,
    timeout: float = 90.0,
    owner: Sequence[str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `claude-pool` with these words to its end, in `folder` and with nothing but this environment.

    `owner` is the command that starts owners, where it is not the project's own.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout` seconds; it was killed.
    """
    request = json.dumps([list(words), dict(environment), str(folder), owner and list(owner)]).encode()
    assert len(request) < warm_server.LONGEST
    with _pipes() as (theirs, ours):
        socket.send_fds(_server(), [request], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        theirs.clear()
        out, err, ends = _exchanged(ours, stdin.encode(), time.monotonic() + timeout)
    pid, _, code = ends.decode().partition(" ")
    if not code:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        raise subprocess.TimeoutExpired(list(words), timeout, out, err)
    return subprocess.CompletedProcess(list(words), int(code), out.decode(), err.decode())


@contextmanager
def _pipes() -> Generator[tuple[list[int], list[int]]]:
    """The ends of four pipes: theirs reads the first and writes the others. Those left here are closed."""
    theirs, ours = list[int](), list[int]()
    try:
        for reading in (True, False, False, False):
            read, write = os.pipe()
            theirs.append(read if reading else write)
            ours.append(write if reading else read)
        yield theirs, ours
    finally:
        for descriptor in (*theirs, *ours):
            os.close(descriptor)


def _exchanged(ours: list[int], told: bytes, deadline: float) -> list[bytes]:
    """Write to the first and read the others to their ends, at most until `deadline`; what is over is closed
    and left out of `ours`."""
    giving, *taking = ours
    taken = dict.fromkeys(taking, b"")
    os.set_blocking(giving, False)
    with selectors.DefaultSelector() as selector:
        for descriptor in ours:
            selector.register(
                descriptor, selectors.EVENT_WRITE if descriptor == giving else selectors.EVENT_READ
            )
        while ours and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if key.fd == giving:
                    told = _rest(giving, told)
                    over = not told
                else:
                    data = os.read(key.fd, 65_536)
                    taken[key.fd] += data
                    over = not data
                if over:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    ours.remove(key.fd)
    return list(taken.values())


def _rest(descriptor: int, told: bytes) -> bytes:
    """What is left of this after writing some of it; nothing where nobody reads it."""
    try:
        return told[os.write(descriptor, told) :] if told else b""
    except BrokenPipeError:
        return b""


@cache
def _server() -> socket.socket:
    """The line to a server, which ends with this process."""
    line, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        server = subprocess.Popen(
            [sys.executable, "-P", warm_server.__file__, str(its.fileno())],
            env={"PATH": os.environ["PATH"], "HOME": "/"}, cwd="/", pass_fds=(its.fileno(),),
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def end() -> None:
        line.close()
        server.wait(10)

    atexit.register(end)
    return line
