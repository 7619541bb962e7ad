"""Where the policies look beside the live view: directories, prices, room on the disk and in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from claude_pool.domain.funding import Price
from claude_pool.domain.room import Disk, Memory
from claude_pool.domain.surroundings import Surroundings


@dataclass
class Outlook:
    """Each part is looked at anew; without one, there is nothing to see there.

    `digests` tells by directory, as digests, what processes are told of it beside their options.
    """

    digests: Callable[[], Mapping[str, str]] = dict
    price: Price | None = None
    disk: Callable[[], Disk | None] = lambda: None
    memory: Callable[[], Memory | None] = lambda: None

    def now(self) -> Surroundings:
        """What is to be seen."""
        return Surroundings(self.digests(), self.price, self.disk(), self.memory())
