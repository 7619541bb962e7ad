"""What the core believes of processes and directories, held against what they really are."""

from __future__ import annotations

from claude_pool.domain import slot
from claude_pool.domain.housing import Stage
from claude_pool.domain.world import World

from .domain_cli_model import Clearing, CliModel, Effect, Housing, Keeping, Launching, Stopping, Turning


def check_processes(world: World, cli: CliModel, orphans: bool = False) -> None:
    """Every slot has the process and the effect that its state says, and no other.

    `orphans`: an owner may have died between making a work tree and saying so.
    """
    at_most = world.open_pool().settings.max_slots
    without = {name for name, effect in cli.effects.items() if isinstance(effect, (Housing, Keeping))}
    assert len({*cli.processes, *cli.effects} - without) <= at_most, "too many processes"
    for slot_id, at in world.slots.items():
        _check_slot(slot_id, at, cli, cli.effects.get(slot_id))
        _check_housing(at, world.open_pool().settings.worktree)
        if not orphans and isinstance(at, slot.Stopped) and at.retired and slot_id in cli.trees:
            assert at.card.housing.problem or at.card.housing.unkept


def _check_slot(slot_id: str, at: slot.Present, cli: CliModel, effect: Effect | None) -> None:
    process = cli.processes.get(slot_id)
    match at:
        case slot.Idle(_, believed):
            assert process is not None and effect is None
            assert (process.launch, process.holds) == (believed.launch, believed.holds)
        case slot.Clearing():
            assert isinstance(effect, Clearing)
        case slot.Stopping():
            assert isinstance(effect, Stopping)
        case slot.Starting():
            assert isinstance(effect, Launching)
        case slot.Busy():
            assert isinstance(effect, Turning if at.process is not None else Launching)
        case slot.Preparing():
            assert process is None and isinstance(effect, (Housing, Keeping))
        case slot.Cold() | slot.Failed() | slot.Stopped():
            assert process is None, f"{slot_id} has a process nobody knows of"
            assert (effect is None) == (at.card.housing.stage is not Stage.KEEPING)


def _check_housing(at: slot.Present, own: bool) -> None:
    """Who works has a work tree of its own, or none, as the pool is set; and nothing works elsewhere."""
    home = at.card.housing.workplace
    assert at.card.options.working_dir == (None if home is None else home.directory)
    if isinstance(at, (slot.Starting, slot.Idle, slot.Clearing, slot.Busy)):
        assert (home is not None) == own and (not own or at.card.housing.stage is Stage.MADE)
