"""The lock that makes a process the owner of a pool."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Generator

from claude_pool.domain.errors import StoreInUse

from .places import Places


@contextlib.contextmanager
def owner_lock(places: Places) -> Generator[None]:
    """Hold the pool's lock; it ends with the process at the latest.

    Raises:
        StoreInUse: another process holds it.
    """
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise StoreInUse(path=places.state_dir, pid=holder) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
