"""What an adapter knows that the log does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .funding import Price
from .room import Disk, Memory


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter knows that the log does not: what it adds to the launch of a process, as a digest by
    working directory, what an API call costs (None: any share of the budget will do), and how much room the
    disk and the memory have (None: there is no floor)."""

    by_directory: Mapping[str, str]
    price: Price | None = None
    disk: Disk | None = None
    memory: Memory | None = None

    def at(self, directory: str | None) -> str:
        """The digest for one directory; empty where nothing is known of it."""
        return self.by_directory.get(directory or "", "")
