"""A small disk of its own, to be filled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: int) -> Generator[Path]:
    """A file system of `size` bytes in memory, mounted at `folder`. Skips where mounting is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a file system in memory is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def free(folder: Path) -> int:
    """The bytes that are left on the disk of `folder`."""
    seen = os.statvfs(folder)
    return seen.f_bavail * seen.f_frsize


def fill_up(folder: Path, leave: int = 0) -> Path:
    """Write a file that leaves `leave` bytes at most; remove it to have the room back."""
    filler = folder / "filler"
    with open(filler, "ab", buffering=0) as file:
        try:
            while (left := free(folder) - leave) > 0:
                file.write(b"\0" * min(left, 1 << 20))
        except OSError:
            pass
    return filler
