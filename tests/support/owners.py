"""Sees that no owner, keeper or slot which a test caused outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

PATIENCE_SECONDS = 15.0


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


@contextlib.contextmanager
def stopped_owners(folder: Path, environment: dict[str, str]) -> Generator[None]:
    """Afterwards stop the owners of pools below `folder`, and fail if one of their processes remains."""
    try:
        yield
    finally:
        command = Path(sys.executable).with_name("claude-pool")
        for log in folder.rglob("log.sqlite"):
            subprocess.run(
                [str(command), "--state-dir", str(log.parent), "stop", "--now"],
                env=environment, cwd=folder, capture_output=True, timeout=60, check=False,
            )  # fmt: skip
        left = _remaining(folder)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert not left, f"processes outlived the test: {left}"


def _remaining(folder: Path) -> dict[int, str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := processes_under(folder)) and time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.05)
    return left
