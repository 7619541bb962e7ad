"""Why a slot works, rests or is out of service."""

from __future__ import annotations

from collections.abc import Sequence

from . import slot, standing
from .answers import Answer, Because, clock
from .pool_status import slot_state, slot_status
from .reasons import NEXT_STEPS
from .records import Recorded
from .values import counted
from .why_task import brought, slot_holds
from .world import World


def slot_answer(at: slot.Present, events: Sequence[Recorded], world: World, now: int) -> Answer:
    """Why the slot is as it is at `now` (ms); `events` are its latest ones, in order."""
    last = events[-1]
    held = slot_holds(world, at)
    word = _word(at, world)
    since = f"{held}, since {clock(last.meta.recorded_at)} by {brought(last)}"
    found = [Because(word, since, last.position)]
    if isinstance(at, (slot.Idle, slot.Cold)):
        objection = standing.objection(world, at, now)
        text = (
            f"it takes work: {counted(len(world.pending), 'task')} pending"
            if objection is None
            else objection
        )
        found.append(Because("free" if objection is None else "not_ready", text))
    if at.card.restarts:
        found.append(Because("restarts", f"{at.card.restarts} of its processes ended by themselves"))
    return Answer(at.card.slot_id, slot_state(at), "stands", tuple(found), NEXT_STEPS.get(word))


def _word(at: slot.Present, world: World) -> str:
    waits = slot_status(world, at).waits
    return slot_state(at) if waits is None else waits.reason
