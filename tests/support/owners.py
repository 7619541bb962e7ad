"""Sees that no owner, keeper or slot which a test caused outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator, Mapping
from pathlib import Path

from claude_pool.adapters.calling import Unavailable, connect, greeting
from claude_pool.adapters.client import Client
from claude_pool.adapters.places import find
from claude_pool.domain.errors import PoolError

from tests.support.waiting import until_sync

PATIENCE_SECONDS = 15.0
STOP_SECONDS = 60.0


def processes_under(folder: Path) -> dict[int, str]:
    """This user's processes that name a place below `folder` in their environment or work in it.

    Every process that a test starts has its HOME below the test's folder, and hands it on.
    """
    found: dict[int, str] = {}
    wanted = str(folder).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if command:
                    found[int(entry.name)] = command[:200]
    return found


def stop_owner(state: Path, environment: Mapping[str, str], folder: Path) -> None:
    """Have the owner of the pool in `state`, if there is one, interrupt what runs and end.

    It is told over its socket: to start the command takes longer than all else that happens here.
    """
    with contextlib.suppress(Unavailable, PoolError, OSError):
        link = connect(
            find(environment, str(folder), str(state)), greeting("shell", stop="now"), STOP_SECONDS
        )
        if link is not None:
            with Client(link) as client:
                client.wait_for_end(STOP_SECONDS)


@contextlib.contextmanager
def stopped_owners(folder: Path, environment: dict[str, str]) -> Generator[None]:
    """Afterwards stop the owners of pools below `folder`, and fail if one of their processes remains."""
    try:
        yield
    finally:
        for log in folder.rglob("log.sqlite"):
            stop_owner(log.parent, environment, folder)
        left = _remaining(folder)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert not left, f"processes outlived the test: {left}"


def _remaining(folder: Path) -> dict[int, str]:
    with contextlib.suppress(TimeoutError):
        until_sync(lambda: not _left(folder), PATIENCE_SECONDS)
    return processes_under(folder)


def _left(folder: Path) -> dict[int, str]:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    return processes_under(folder)
