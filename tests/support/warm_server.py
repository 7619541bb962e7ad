"""Forks commands of `claude-pool` from a process that has imported all of them; see `warm_command`.

    python warm_server.py LINE

On the socket LINE it takes requests: [words, environment, folder, the command of owners or null], with four
descriptors. Three are the command's streams; on the last it writes the process's id and then its exit code.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

LONGEST = 200_000
"""Bytes that a request may have."""


def serve(line: socket.socket) -> None:
    """Fork for each request until the line is closed; returns in the forked processes."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(woken)
    running: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == wake:
                    os.read(wake, 1_000)
                    tell_ends(running)
                    continue
                request, given, _, _ = socket.recv_fds(line, LONGEST, 4)
                if not request:
                    os._exit(0)
                *streams, ends = given
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    become(request, streams)
                    for descriptor in (*given, *running.values(), wake, woken, line.detach()):
                        os.close(descriptor)
                    return
                running[pid] = ends
                os.write(ends, b"%d " % pid)
                for descriptor in streams:
                    os.close(descriptor)


def tell_ends(running: dict[int, int]) -> None:
    """Tell of the processes that have ended."""
    for pid, ends in [*running.items()]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del running[pid]
            with suppress(BrokenPipeError):
                os.write(ends, b"%d" % os.waitstatus_to_exitcode(status))
            os.close(ends)


def become(request: bytes, streams: Sequence[int]) -> None:
    """Be as if started like this."""
    words, environment, folder, owner = json.loads(request)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[:] = ["claude-pool", *words]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    if owner:
        from claude_pool.adapters import handover

        handover.OWNER_COMMAND = tuple(owner)


def import_all() -> None:
    """Have all that a command imports, out of the collector's sight: else each would look through it."""
    commands = import_module("claude_pool.adapters.cli")
    for found in walk_packages(commands.__path__, f"{commands.__name__}."):
        import_module(found.name)
    for name in ("wiring", "reading"):
        import_module(f"claude_pool.adapters.{name}")
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    import_all()
    serve(socket.socket(fileno=int(sys.argv[1])))
    from claude_pool.adapters.cli.main import main

    sys.exit(main())
