"""Copies of the pool at places of its log, so that going back folds little anew. Their number is bounded."""

from __future__ import annotations

from claude_pool.domain.world import World

_MOST = 64
_HEAVIEST = 400_000
"""Entries of all copies together; one takes some hundred bytes at most, for what it names is shared."""

_NEAR = 16
_NEAR_SPACING = 128
_BASE = 4_000
"""Entries that any copy is taken to have."""


class Checkpoints:
    """Copies that lie evenly over what was folded, and some more close to where one went last.

    Where there are too many, every second one goes, and new ones are made half as often.
    """

    def __init__(self) -> None:
        """None yet but that of an empty log."""
        self._even: dict[int, World] = {}
        self._near: dict[int, World] = {}
        self._spacing = 1_000

    def __len__(self) -> int:
        """How many there are."""
        return len(self._even) + len(self._near)

    def keep(self, world: World, *, near: int = 0, always: bool = False) -> None:
        """Copy `world` if its position is due. `near`: so many events before the place that is gone to."""
        position = world.position
        if always or not position % self._spacing:
            if position not in self._even:
                self._even[position] = world.copy()
                self._thin()
        elif not position % _NEAR_SPACING and near <= _NEAR * _NEAR_SPACING:
            self._near.pop(position, None)
            self._near[position] = world.copy()
            self._forget_near()

    def nearest(self, target: int) -> int:
        """The last position at or before `target` that there is a copy of; 0: the empty log."""
        return max((at for kept in (self._even, self._near) for at in kept if at <= target), default=0)

    def at(self, position: int) -> World:
        """The pool as it stood at a position that `nearest` told; it is the caller's."""
        kept = self._even.get(position) or self._near.get(position)
        return World() if kept is None else kept.copy()

    def _thin(self) -> None:
        while len(self._even) > 1 and (len(self._even) > _MOST or _weight(self._even) > _HEAVIEST):
            self._spacing *= 2
            last = max(self._even)
            self._even = {
                at: world for at, world in self._even.items() if not at % self._spacing or at == last
            }

    def _forget_near(self) -> None:
        while len(self._near) > 1 and (len(self._near) > _NEAR or _weight(self._near) > _HEAVIEST):
            del self._near[next(iter(self._near))]


def _weight(kept: dict[int, World]) -> int:
    return sum(_BASE + len(w.tasks) + len(w.ranks) + len(w.versions) + len(w.chains) for w in kept.values())
