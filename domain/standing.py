"""Which slots may take work now, which rest or are out of service, and when those are tried again."""

from __future__ import annotations

from dataclasses import dataclass

from . import slot
from .claiming import unhoused
from .supervision import LONGEST_COOL_DOWN_MS, LONGEST_REST_MS, is_over
from .world import World


@dataclass(frozen=True, slots=True)
class Degraded:
    """More than half of the slots in service are out of work: `failed` of `slots`."""

    failed: int
    slots: int


def degraded(world: World) -> Degraded | None:
    """How many slots cannot work, where that is more than half of them."""
    serving = in_service(world)
    failed = sum(is_unfit(at) for at in serving)
    return Degraded(failed, len(serving)) if 2 * failed > len(serving) else None


def in_service(world: World) -> list[slot.Present]:
    """The slots that are not stopped."""
    return [at for at in world.slots.values() if not isinstance(at, slot.Stopped)]


def staying(world: World) -> list[slot.Present]:
    """The slots in service that are not on their way out."""
    return [at for at in in_service(world) if not _is_leaving(at)]


def out_of_service(world: World, slot_id: str) -> bool:
    """Whether the slot comes back to no task: retired, or stopped while others fill the pool in its place."""
    at, pool = world.slots.get(slot_id), world.open_pool()
    return isinstance(at, slot.Stopped) and (at.retired or len(staying(world)) >= pool.target)


def _is_leaving(at: slot.Present) -> bool:
    return at.card.draining or (isinstance(at, slot.Stopping) and at.reason == "retire")


def is_unfit(at: slot.Present) -> bool:
    """Whether the slot is out of service, or on trial and its process has not answered yet."""
    return isinstance(at, slot.Failed) or _is_tried_out(at)


def rests(at: slot.Cold, now: int) -> bool:
    """Whether the slot starts no process yet because its last ones ended by themselves."""
    return not is_over(at.card.health.rests_until, LONGEST_REST_MS, now)


def objection(world: World, at: slot.Idle | slot.Cold, now: int) -> str | None:
    """Why a free slot takes no work now all the same; None: it does."""
    if isinstance(at, slot.Cold):
        if world.open_pool().launches_held:
            return "but too little memory is left for another process"
        if at.card.health.on_trial:
            return "but it is on trial, and its process has to answer first"
        return "but it rests after its last processes ended by themselves" if rests(at, now) else None
    if at.card.health.on_trial and degraded(world) is not None and _is_one_at_work(world):
        return "but another slot is on trial, and most are out of service"
    return None


def rest_ends(world: World) -> list[int]:
    """When (ms) slots without a process have rested; none of them matters while memory is short."""
    pool = world.open_pool()
    if pool.launches_held:
        return []
    cold = [at.card for at in world.slots.values() if isinstance(at, slot.Cold)]
    ends = [card.health.rests_until for card in cold if not unhoused(pool, card)]
    return [end for end in ends if end is not None]


def next_trial(world: World) -> int | None:
    """The earliest time (ms) at which a slot that is out of service may be tried again; None: none is, or
    not while the pool is held or another slot is being tried."""
    times = [0 if at.until is None else at.until for at in _to_try(world)]
    return min(times, default=None)


def due_for_trial(world: World, now: int) -> str | None:
    """The slot that is to be tried again now."""
    due = (at for at in _to_try(world) if is_over(at.until, LONGEST_COOL_DOWN_MS, now))
    return min(((at.until or 0, at.card.slot_id) for at in due), default=(0, None))[1]


def _to_try(world: World) -> list[slot.Failed]:
    pool = world.open_pool()
    held = pool.paused is not None or pool.stopping is not None or pool.draining is not None
    if held or any(_is_tried_out(at) for at in world.slots.values()):
        return []
    return [at for at in world.slots.values() if isinstance(at, slot.Failed) and not at.card.draining]


def _is_tried_out(at: slot.Present) -> bool:
    return at.card.health.on_trial and isinstance(at, (slot.Cold, slot.Preparing, slot.Starting))


def _is_one_at_work(world: World) -> bool:
    return any(isinstance(at, slot.Busy) and at.card.health.on_trial for at in world.slots.values())
