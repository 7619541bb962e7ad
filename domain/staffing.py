"""Slots as their target wants them: in number, housed, launched, cleared ahead and put away."""

from __future__ import annotations

from collections.abc import Iterator

from . import pool, slot, standing
from .claiming import pool_options, unhoused
from .coordination import Command
from .draining import unfinished
from .housing import KeepWork, Stage, WantWorkplace
from .options import derived_session, launch_key, resolve
from .pool_events import Settings
from .surroundings import Surroundings
from .values import Options
from .world import World


def capacity(world: World, at: pool.Open, now: int) -> Iterator[Command]:
    """Bring the number of slots in service to the target: revive in number order, add, or drain the last."""
    if at.draining is not None and not world.pending:
        return  # accepted work may come back after the slots have ended: a rejected result, a sealed task
    staying = standing.staying(world)
    if len(staying) < at.target:
        if len(standing.in_service(world)) >= max(at.target, at.settings.max_slots):
            return  # those on their way out still hold a process each
        for slot_id, state in world.slots.items():
            if isinstance(state, slot.Stopped) and not state.retired:
                yield slot.ReviveSlot(slot_id)
        yield slot.AddSlot(f"slot-{len(world.slots)}")
    elif len(staying) > at.target:
        yield slot.DrainSlot(max(staying, key=_dispensable).card.slot_id, now)


def housing(world: World, at: pool.Open) -> Iterator[Command]:
    """Have slots work where they should before anything starts there; keep the work of those at rest."""
    in_service = at.stopping is None and not drained(world, at)
    for slot_id, state in world.slots.items():
        home = state.card.housing
        match state:
            case slot.Cold(card) if in_service and not card.draining and home.stage is not Stage.KEEPING:
                if at.settings.worktree and unhoused(at, card):
                    yield WantWorkplace(slot_id)
                elif unhoused(at, card):
                    yield KeepWork(slot_id, remove=True)
            case slot.Failed() | slot.Stopped():
                retired = isinstance(state, slot.Stopped) and state.retired
                give_up = retired or not at.settings.worktree
                if not (in_service and isinstance(state, slot.Failed)) and home.to_keep(give_up):
                    yield KeepWork(slot_id, remove=give_up)
            case _:
                pass


def _dispensable(state: slot.Present) -> tuple[int, int]:
    match state:
        case slot.Failed():
            ease = 3
        case slot.Cold() | slot.Idle():
            ease = 2
        case slot.Preparing() | slot.Starting() | slot.Clearing() | slot.Stopping():
            ease = 1
        case _:
            ease = 0
    return (ease, int(state.card.slot_id.removeprefix("slot-")))


def upkeep(world: World, at: pool.Open, surroundings: Surroundings, now: int) -> Iterator[Command]:
    """Launch, recycle, clear ahead, and stop what is not needed any more."""
    over = drained(world, at)
    for slot_id, state in world.slots.items():
        match state:
            case slot.Cold(card) | slot.Failed(card) if card.draining:
                yield slot.StartStop(slot_id, "retire", now)
            case slot.Cold() if at.stopping is not None:
                yield slot.StartStop(slot_id, "shutdown", now)
            case slot.Cold() if over:
                yield slot.StartStop(slot_id, "drain", now)
            case slot.Cold(card) if _to_launch(at, state, now):
                options = resolve(Options(), card.options, pool_options(at)).options
                key = launch_key(options, card.identity, surroundings.at(options.working_dir))
                session = derived_session(at.owner or "", slot_id, str(card.launches + 1))
                yield slot.StartLaunch(slot_id, key, session, now)
            case slot.Idle(card, process):
                yield from _idle(slot_id, card, process, at, over, now)
            case _:
                pass


def _to_launch(at: pool.Open, state: slot.Cold, now: int) -> bool:
    """Whether a slot gets a process before there is a task for it; in a drain only after it has rested."""
    health = state.card.health
    if at.launches_held:
        return False
    wanted = at.draining is None or health.on_trial or health.rests_until is not None
    return wanted and not unhoused(at, state.card) and not standing.rests(state, now)


def drained(world: World, at: pool.Open) -> bool:
    """Whether the pool takes nothing new, and has finished what it had taken."""
    return at.draining is not None and not unfinished(world)


def _idle(
    slot_id: str, card: slot.Card, process: slot.Process, at: pool.Open, drained: bool, now: int
) -> Iterator[Command]:
    if card.draining:
        yield slot.StartStop(slot_id, "retire", now)
    elif at.stopping is not None:
        yield slot.StartStop(slot_id, "shutdown", now)
    elif drained:
        yield slot.StartStop(slot_id, "drain", now)
    elif worn(process, at.settings):
        yield slot.StartStop(slot_id, "recycle", now)
    elif process.spare is None and at.settings.session == "fresh":
        yield slot.StartClear(slot_id, now)


def worn(process: slot.Process, settings: Settings) -> bool:
    """Whether a process has run for long enough, or grown too large, to be replaced."""
    return process.turns >= settings.recycle_turns or process.rss_mb >= settings.recycle_rss_mb
