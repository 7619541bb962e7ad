"""How much room is left on the disk of the state directory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from claude_pool.domain.room import Disk

_KEPT_S = 1.0


class DiskWatch:
    """Looks at the disk at most once a second, however often it is asked."""

    def __init__(
        self,
        directory: str,
        floor_mb: int,
        free: Callable[[str], int] = lambda path: shutil.disk_usage(path).free,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`floor_mb` 0: there is no floor. `free` tells the free bytes where a path lies."""
        self._directory, self._floor_mb = directory, floor_mb
        self._free, self._clock = free, clock
        self._seen: tuple[float, Disk | None] | None = None

    def look(self) -> Disk | None:
        """What is free, as of the last second; None: there is no floor, or the disk does not tell."""
        now = self._clock()
        if self._seen is None or now - self._seen[0] >= _KEPT_S:
            self._seen = (now, self._look())
        return self._seen[1]

    def _look(self) -> Disk | None:
        if not self._floor_mb:
            return None
        try:
            return Disk(self._free(self._directory) >> 20, self._floor_mb)
        except OSError:
            return None
