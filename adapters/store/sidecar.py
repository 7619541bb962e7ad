"""The sidecar `<log>.head`: position and hash of the last acknowledged event, outside the database.

A chain proves that what is there is whole, not that nothing is missing at its end. A log behind its sidecar
was cut off or restored from an old backup. A log ahead of it is what a crash leaves, and is normal.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from claude_pool.domain.ports import Head

from .failures import refused

_RECORD_BYTES = 20 + 1 + 64 + 1
_RECORD = re.compile(rb"([0-9]{20}) ([0-9a-f]{64})\n")


def sidecar_of(log: Path) -> Path:
    """Where the head of `log` is remembered."""
    return log.with_name(log.name + ".head")


def read_head(log: Path) -> Head | None:
    """The head that the sidecar of `log` remembers; None where it is absent or a power cut spoilt it.

    Raises:
        StoreUnreadable: it cannot be read.
    """
    sidecar = sidecar_of(log)
    try:
        record = _RECORD.fullmatch(sidecar.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(error, sidecar) from error
    return Head(int(record[1]), bytes.fromhex(record[2].decode())) if record else None


def write_head(log: Path, head: Head) -> None:
    """Have the sidecar of `log`, which nobody has open, remember `head`.

    Raises:
        StoreUnreadable, StoreFull: it cannot be written.
    """
    sidecar = Sidecar(log)
    try:
        sidecar.remember(head)
    finally:
        sidecar.close()


class Sidecar:
    """The sidecar of a log that is open for writing."""

    def __init__(self, log: Path) -> None:
        """Open or create it, mode 0600.

        Raises:
            StoreUnreadable, StoreFull: it cannot be opened.
        """
        path = sidecar_of(log)
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.ftruncate(self._descriptor, _RECORD_BYTES)  # What is overwritten in place must not be longer.
        except OSError as error:
            raise refused(error, path) from error

    def remember(self, head: Head) -> None:
        """Overwrite the record in place, in one write of fixed size.

        It needs no fsync, because a sidecar that lags is normal, and must not fail an append that is
        durable already, so errors are let go.
        """
        record = b"%020d %s\n" % (head.position, head.hash.hex().encode())
        try:
            os.pwrite(self._descriptor, record, 0)
        except OSError:
            return

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
