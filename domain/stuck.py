"""How long a slot waits for what was begun outside of the pool, and what is given up after that.

The drivers of slots have bounds of their own, which are shorter: these hold where a driver itself does not
answer. A time of 0 is unknown and has no bound. It is never that of a live effect: what an owner left open is
closed before the next one begins anything.
"""

from __future__ import annotations

from . import slot, task
from .world import World

LAUNCH_MS = 120_000
"""The start of a process, also of one that a claim asks for."""
CLEAR_MS = 30_000
STOP_MS = 30_000
END_MS = 30_000
"""The end of an attempt that was asked to end."""


def bounds(world: World) -> list[tuple[int, str]]:
    """When (ms) each slot that waits for something outside stops to wait for it, the earliest first."""
    # asked of every slot at every turn: the most frequent state, which waits for nothing, is passed over
    busy = ((slot_id, at) for slot_id, at in world.slots.items() if not isinstance(at, slot.Idle))
    return sorted((end, slot_id) for slot_id, at in busy if (end := _bound(world, at)) is not None)


def _bound(world: World, at: slot.Present) -> int | None:
    match at:
        case slot.Busy():
            state = world.tasks.get(at.attempt.rpartition(".")[0])
            return _end_of(at, state.live) if isinstance(state, task.Running) else None
        case slot.Starting(since=since):
            return _after(since, LAUNCH_MS)
        case slot.Clearing(since=since):
            return _after(since, CLEAR_MS)
        case slot.Stopping(since=since):
            return _after(since, STOP_MS)
        case _:
            return None


def _after(since: int, ms: int) -> int | None:
    return since + ms if since else None


def _end_of(at: slot.Busy, live: task.LiveAttempt) -> int | None:
    """When an attempt is given up: its process does not come, or it does not end though it was asked to.

    While its process starts it cannot be asked, and ends once that is there.
    """
    if at.process is None:
        return live.started_at + LAUNCH_MS
    if not live.asked_at:
        return None
    heard = live.started_at + LAUNCH_MS if at.replaces else 0
    return max(live.asked_at, heard) + END_MS
