"""Room on the disk that holds the log: below its floor no attempt starts, somewhat above it they do again."""

from __future__ import annotations

from dataclasses import dataclass

DISK_SPACE = "disk_space"
"""Why the pool is paused while there is too little room."""

LOOKS_AGAIN_MS = 2_000
"""While it is, the disk is looked at this often: nobody tells when others make room."""


@dataclass(frozen=True, slots=True)
class Disk:
    """How much is free, and the floor, in MB."""

    free_mb: int
    floor_mb: int

    @property
    def short(self) -> bool:
        """Whether nothing more may start."""
        return self.free_mb < self.floor_mb

    @property
    def roomy(self) -> bool:
        """Whether things may start again: a tenth above the floor, so that they do not stop at once."""
        return 10 * self.free_mb >= 11 * self.floor_mb
