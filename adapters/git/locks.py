"""Locks between the threads and processes that make workplaces, and git's own lock on an index."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Generator

from claude_pool.domain.errors import IsolationFailed

WAIT_SECONDS = 120.0
"""So long a workplace waits for others that are being made in the same repository."""

_PAUSE = 0.02


@contextlib.contextmanager
def held(path: str, what: str, seconds: float = WAIT_SECONDS) -> Generator[None]:
    """Hold the lock file `path` (made if need be) against other threads and processes.

    Who holds it may delete it; others take the new one then.

    Raises:
        IsolationFailed: someone else held it all the time.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    until = time.monotonic() + seconds
    while (descriptor := _taken(path)) is None:
        if time.monotonic() >= until:
            raise IsolationFailed(
                problem=f"Another has been at work on {what} for {seconds:.0f} s.",
                hint="Try again once it is done.",
            )
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def _taken(path: str) -> int | None:
    """The descriptor of the lock file, locked; None while another holds it, or has just deleted it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    os.close(descriptor)
    return None


class IndexLocked(Exception):
    """Git's lock file of an index exists: git is at work there, or died at it."""

    def __init__(self, path: str) -> None:
        """`path` is the lock file, which is never deleted by us."""
        super().__init__(path)
        self.path = path

    @property
    def advice(self) -> str:
        """What a person should do about it."""
        try:
            age = f"{max(0, int(time.time() - os.lstat(self.path).st_mtime))} s old"
        except OSError:
            age = "gone by now"
        return f"{self.path} exists ({age}): git is at work there, or died. If no git runs, delete that file."


@contextlib.contextmanager
def index_lock(index: str) -> Generator[str]:
    """Hold git's own lock on `index`; what is in the file that it yields becomes the index at the end.

    The file begins as a copy of the index with its times, by which git knows which entries to doubt.
    When the block raises, the index stays as it was.

    Raises:
        IndexLocked: the lock is held.
    """
    lock, draft = f"{index}.lock", f"{index}.claude-pool"
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    except FileExistsError:
        raise IndexLocked(lock) from None
    try:
        copy_index(index, draft)
        yield draft
        if os.path.exists(draft):
            os.replace(draft, index)
    finally:
        for leftover in (draft, lock):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)


def copy_index(index: str, to: str) -> None:
    """Copy an index with its times; nothing where there is none."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(to)
    try:
        seen = os.stat(index)
        with open(index, "rb") as source, open(to, "xb") as copy:
            copy.write(source.read())
    except FileNotFoundError:
        return
    os.utime(to, ns=(seen.st_atime_ns, seen.st_mtime_ns))
