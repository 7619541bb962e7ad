"""Why the pool takes no work, or what of it would be refused now.

A call that is refused leaves no event: nothing happened. What would be refused is told from the present.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import provider, slot, standing
from .answers import Answer, Because, clock
from .claiming import slowed
from .pool_events import (
    DrainStarted,
    LaunchesHeld,
    OwnerStopped,
    OwnerStopping,
    PoolPaused,
)
from .reasons import DEGRADED, NEXT_STEPS, QUARANTINE
from .records import Recorded
from .room import MEMORY
from .soft_limits import SOFT_LIMIT, open_questions, question_text
from .values import counted, dollars
from .why_task import brought, slot_holds
from .world import World

OPEN = "open"
"""Nothing keeps the pool from taking and starting work."""

POOL_TURNS = (DrainStarted, LaunchesHeld, OwnerStopped, OwnerStopping, PoolPaused)
"""The facts with which the pool begins to hold work back."""


def pool_answer(events: Sequence[Recorded], world: World, now: int) -> Answer:
    """What keeps the pool from taking or starting work at `now` (ms).

    `events` are the latest of the kinds `POOL_TURNS`, in order, as far as they were looked for.
    """
    found = tuple(_holds(events, world, now))
    state = found[0].reason if found else OPEN
    waiting = f"{counted(len(world.pending), 'task')} pending, {len(world.running)} running"
    if not found:
        found = (Because(OPEN, "nothing keeps it from taking work and starting it"),)
    because = (*found, Because("queue", waiting))
    return Answer("pool", state, "stands", because, _to_do(found))


def _to_do(found: Sequence[Because]) -> str | None:
    own = {"draining": "it is lifted by `claude-pool drain --undo` or the next owner",
           "stopping": "the next `claude-pool run` or `serve` starts an owner",
           "stopped": "the next `claude-pool run` or `serve` starts an owner",
           "paused": "`claude-pool resume`"}  # fmt: skip
    known = {**NEXT_STEPS, **own}
    return next((known[each.reason] for each in found if each.reason in known), None)


def _holds(events: Sequence[Recorded], world: World, now: int) -> Iterator[Because]:
    at = world.open_pool()
    if at.draining is not None:
        begun = _last(events, DrainStarted)
        text = f"it drains ({at.draining}){_by(begun)}: what is submitted is refused with draining"
        yield Because("draining", text, _position(begun))
    if at.stopping is not None:
        turn = _last(events, OwnerStopping, OwnerStopped)
        if turn is not None and isinstance(turn.event, OwnerStopped):
            yield Because("stopped", f"no owner holds it: the last one ended{_by(turn)}", turn.position)
        else:
            yield Because("stopping", f"its owner ends{_by(turn)}: no attempt starts", _position(turn))
    if at.paused is not None:
        begun = _last(events, PoolPaused)
        until = "until somebody resumes it" if at.paused.until is None else f"until {clock(at.paused.until)}"
        reason = at.paused.reason if at.paused.reason in NEXT_STEPS else "paused"
        said = (
            at.provider.limited.said if at.provider.limited is not None and reason in provider.HOLDS else ""
        )
        text = f"it is paused for {at.paused.reason} {until}{_by(begun)}" + (f": {said}" if said else "")
        yield Because(reason, text, _position(begun))
    if slowed(world):
        yield Because(
            provider.SLOW, f"the provider bears {at.provider.concurrency} attempts at once, which run"
        )
    if at.launches_held:
        held = _last(events, LaunchesHeld)
        text = "too little memory is left for another process"
        if held is not None and isinstance(held.event, LaunchesHeld):
            text += f": {held.event.available_mb} MB of {held.event.needed_mb} MB"
        yield Because(MEMORY, text, _position(held))
    yield from _slots(world)
    free = at.budget.free
    if free == 0:
        text = f"no money is free: {dollars(at.budget.spent)} spent, {dollars(at.budget.reserved)} reserved"
        yield Because("budget", text)
    for asked in open_questions(at.budget, now):
        yield Because(SOFT_LIMIT, question_text(asked, at.budget))


def _slots(world: World) -> Iterator[Because]:
    out = standing.degraded(world)
    if out is not None:
        yield Because(DEGRADED, f"{out.failed} of {out.slots} slots are out of service")
    for at in standing.in_service(world):
        if isinstance(at, slot.Failed):
            yield Because(QUARANTINE, slot_holds(world, at))


def _by(recorded: Recorded | None) -> str:
    return "" if recorded is None else f" since {clock(recorded.meta.recorded_at)}, by {brought(recorded)}"


def _position(recorded: Recorded | None) -> int | None:
    return None if recorded is None else recorded.position


def _last(events: Sequence[Recorded], *kinds: type) -> Recorded | None:
    return next((each for each in reversed(events) if isinstance(each.event, kinds)), None)
