"""What a file is, by a read-only look at its first bytes, before SQLite may touch it.

SQLite changes what it opens: it creates side files, recovers journals, and sets the journal mode. And POSIX
drops all locks that a process holds on a file as soon as it closes *any* descriptor of it, so a
file that a log of this process has open is not looked at again.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from enum import Enum
from pathlib import Path

from claude_pool.domain.errors import LogNewer, StoreUnreadable

APPLICATION_ID = 0x43506F6C
"""`CPol`, in the header of every log."""
SCHEMA = 1
"""Version of tables and envelope, as SQLite's `user_version`."""

_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\x00"

Identity = tuple[int, int]
"""Device and inode."""


class Found(Enum):
    """What lies at a path: nothing yet, or a log of ours."""

    NOTHING = "nothing"
    LOG = "log"


_open: Counter[Identity] = Counter()


def identity(path: Path) -> Identity | None:
    """Device and inode of the file at `path`; None where none can be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def hold(path: Path) -> Identity:
    """Note that a log of this process has `path` open; give the result to `release` at the end.

    Raises:
        StoreUnreadable: there is no file.
    """
    found = identity(path)
    if found is None:
        raise StoreUnreadable(path=path, problem="the file is gone", hint="Was it moved or deleted?")
    _open[found] += 1
    return found


def release(held: Identity) -> None:
    """Take one `hold` back."""
    _open[held] -= 1
    if not _open[held]:
        del _open[held]


def identify(path: Path) -> Found:
    """Look at `path` without changing anything. An empty file is nothing yet.

    Raises:
        StoreUnreadable: something else is there, or it cannot be read.
        LogNewer: it is a log with a schema that this program does not know.
    """
    try:
        if _open[identity(path) or (0, 0)]:
            return Found.LOG
        header = _first_bytes(path)
    except FileNotFoundError:
        return Found.NOTHING
    except OSError as error:
        raise StoreUnreadable(
            path=path, problem=error.strerror or str(error), hint="Check the path and its permissions."
        ) from error
    if not header:
        return Found.NOTHING
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise _foreign(path, "it is not an event log")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise _foreign(path, "it is the SQLite database of another program")
    schema = int.from_bytes(header[60:64], "big")
    if schema > SCHEMA:
        raise LogNewer(path=path, found=schema, known=SCHEMA)
    if schema < 1:
        raise _foreign(path, f"it has no schema version ({schema})")
    return Found.LOG


def _first_bytes(path: Path) -> bytes:
    # A FIFO or a device would block or have side effects: open without waiting, then insist on a file.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _foreign(path, "it is not a regular file")
        return os.read(descriptor, _HEADER_BYTES)
    finally:
        os.close(descriptor)


def _foreign(path: Path, problem: str) -> StoreUnreadable:
    return StoreUnreadable(path=path, problem=problem, hint="Choose another --state-dir, or move the file.")
