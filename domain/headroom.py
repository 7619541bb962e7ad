"""Whether one more process fits into memory. One may always run, however little there is."""

from __future__ import annotations

from . import slot, standing
from .claiming import unhoused
from .pool import HoldLaunches
from .room import Memory
from .world import World

WITH_PROCESS = (slot.Idle, slot.Busy, slot.Starting, slot.Clearing, slot.Stopping)


def lack(world: World, memory: Memory | None, now: int) -> HoldLaunches | None:
    """What keeps slots that could have a process now from getting one; None: nothing, or there are none.

    A process that has not come up yet has taken little of its share, so that the whole of it still counts.
    """
    if memory is None or not any(_waits(world, at, now) for at in world.slots.values()):
        return None
    if not any(isinstance(at, WITH_PROCESS) for at in world.slots.values()):
        return None
    needed = memory.needed_mb(sum(_comes_up(at) for at in world.slots.values()))
    return HoldLaunches(memory.available_mb, needed) if memory.available_mb < needed else None


def _waits(world: World, at: slot.Present, now: int) -> bool:
    return (
        isinstance(at, slot.Cold)
        and not at.card.draining
        and not unhoused(world.open_pool(), at.card)
        and not standing.rests(at, now)
    )


def _comes_up(at: slot.Present) -> bool:
    return isinstance(at, slot.Starting) or (isinstance(at, slot.Busy) and at.process is None)
