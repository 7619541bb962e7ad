"""What a drain waits for: accepted work that has not ended, unless only a person can move it."""

from __future__ import annotations

from . import task
from .provider import ENDLESS
from .reasons import waiting_for
from .soft_limits import SOFT_LIMIT
from .world import World


def unfinished(world: World) -> bool:
    """Whether accepted work is left: tasks that run or are to run, and chains' copies that are at work.

    A sealed task and one under review are not: they wait for a decision, which may come after the drain.
    """
    return bool(world.pending or world.parked or world.running or world.isolating)


def held_up(world: World) -> tuple[str, ...]:
    """What a person has to do something about before anything that is left goes on; empty where not all is
    left like that."""
    at = world.open_pool()
    if at.draining == "cancel" or world.running or world.isolating:
        return ()
    held = at.paused is not None and at.paused.reason in ENDLESS
    reasons: set[str] = set()
    for task_id in (*(task_id for _, _, task_id in world.pending), *world.parked):
        state = world.tasks[task_id]
        if not held and not (isinstance(state, task.Parked) and state.reason == SOFT_LIMIT):
            return ()
        reasons.add(waiting_for(world, state) or "")
    return tuple(sorted(reasons))
