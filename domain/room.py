"""Room on the disk that holds the log, and in memory.

Below the floor of the disk no attempt starts; somewhat above it they do again. Without memory for one more
process none is launched.
"""

from __future__ import annotations

from dataclasses import dataclass

DISK_SPACE = "disk_space"
"""Why the pool is paused while there is too little room."""

MEMORY = "memory"
"""Why a slot gets no process, and a task no slot, while there is too little memory."""

LOOKS_AGAIN_MS = 2_000
"""While it is, or a launch waits for memory, both are looked at this often: nobody tells when others make
room."""

PROCESS_MB = 350
"""What one process of the CLI is given: it has 163 MB at rest and 303 MB at its peak (resident, as measured
with the bundled CLI)."""


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


@dataclass(frozen=True, slots=True)
class Memory:
    """How much the machine, or the group of processes that this one is bounded with, has left, and how much
    stays free, in MB."""

    available_mb: int
    reserve_mb: int

    def needed_mb(self, launching: int) -> int:
        """What one more process needs to be available while `launching` others have not taken theirs yet."""
        return self.reserve_mb + PROCESS_MB * (launching + 1)
