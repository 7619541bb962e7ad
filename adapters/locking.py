"""The lock that makes one process the owner of a pool."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Generator

from claude_pool.domain.errors import StoreInUse

from .places import Places

_NO_CALLERS = "takes no callers"


@contextlib.contextmanager
def owner_lock(places: Places, callers: bool = True) -> Generator[None]:
    """Hold the pool's lock; it ends with the process at the latest. `callers`: others may connect.

    The state directory is locked as well: somebody may remove the file.

    Raises:
        StoreInUse: another process holds it.
    """
    folder = os.open(places.state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    descriptor = -1
    try:
        descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").partition("\n")[0] or "unknown"
            raise StoreInUse(path=places.state_dir, pid=holder) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n{'' if callers else _NO_CALLERS}".encode(), 0)
        yield
    finally:
        os.close(folder)
        if descriptor >= 0:
            os.close(descriptor)


def takes_callers(places: Places) -> bool:
    """Whether whoever holds the lock, or held it last, listens on the pool's socket sooner or later."""
    try:
        with open(places.lock, encoding="utf-8", errors="replace") as lock:
            return _NO_CALLERS not in lock.read(200)
    except OSError:
        return True
