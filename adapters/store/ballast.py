"""Room that is kept for the end: a file beside the log that is given up when the disk is full.

What runs when the last byte is written must still be ended on record, and that takes some room.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .failures import refused

BALLAST_BYTES = 1 << 20
"""Room for the ends of a few dozen attempts and slots."""


class Ballast:
    """The file `<log>.ballast`."""

    def __init__(self, log: Path, size: int = BALLAST_BYTES) -> None:
        """Nothing is taken yet."""
        self._path = log.with_name(log.name + ".ballast")
        self._size = size

    def take(self) -> None:
        """Have the file hold its room, whatever of it was given up.

        Raises:
            StoreFull: there is no such room. StoreError, StoreUnreadable: the file cannot be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                if os.fstat(descriptor).st_blocks * 512 < self._size:
                    os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError as error:
            self.give_up()
            raise refused(error, self._path) from error

    def give_up(self) -> bool:
        """Let the room go; whether there was any."""
        with suppress(OSError):
            held = os.stat(self._path).st_blocks > 0
            os.unlink(self._path)
            return held
        return False
