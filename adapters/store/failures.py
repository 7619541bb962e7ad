"""Errors of SQLite and of the file system as the domain's."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from claude_pool.domain.errors import LogBroken, StoreBusy, StoreError, StoreFull, StoreUnreadable

_PRIMARY = 0xFF  # the low byte of an extended result code

_UNREADABLE = {
    sqlite3.SQLITE_READONLY: "Check the permissions of the file and of its directory.",
    sqlite3.SQLITE_PERM: "Check the permissions of the file and of its directory.",
    sqlite3.SQLITE_AUTH: "Check the permissions of the file and of its directory.",
    sqlite3.SQLITE_CANTOPEN: "Check the path, its directory and their permissions.",
    sqlite3.SQLITE_NOTADB: "Choose another --state-dir, or move the file.",
}


@contextmanager
def told(path: Path | str) -> Generator[None]:
    """Turn what `sqlite3` raises inside into errors of the domain.

    Raises:
        StoreFull: there is no room.
        StoreUnreadable: it may not be read or written, or is no database.
        LogBroken: SQLite found its file damaged.
        StoreBusy: another connection has it locked.
        StoreError: anything else, such as an I/O error.
    """
    try:
        yield
    except FAILURES as error:
        raise translated(error, path) from error


FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What `sqlite3` raises; the second where SQLite's own message quotes a damaged name."""


def translated(error: sqlite3.Error | UnicodeDecodeError, path: Path | str) -> StoreError:
    """The domain's error for one of SQLite's."""
    if isinstance(error, UnicodeDecodeError):
        return LogBroken(path=path, position="unknown", problem="a name in the file is not text")
    code = result_code(error)
    problem = f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    if code == sqlite3.SQLITE_FULL or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHMSIZE:
        return StoreFull(path=path, problem=problem)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(path=path, problem=problem)
    if hint := _UNREADABLE.get(code):
        return StoreUnreadable(path=path, problem=problem, hint=hint)
    if code == sqlite3.SQLITE_CORRUPT or (not code and "decode to UTF-8" in str(error)):
        return LogBroken(path=path, position="unknown", problem=problem)
    return StoreError(path=path, problem=problem)


def result_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for errors that Python's own module raised."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def refused(error: OSError, path: Path | str) -> StoreError:
    """The domain's error for one of the file system's."""
    problem = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(path=path, problem=problem)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
        hint = "Check the path, its directory and their permissions."
        return StoreUnreadable(path=path, problem=problem, hint=hint)
    return StoreError(path=path, problem=problem)


def sync_directory(path: Path) -> None:
    """Make the names in the directory `path` durable.

    Raises:
        OSError: the file system refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
