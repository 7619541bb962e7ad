"""The start of an owner: the log folded into the live view, and what is wrong with it told."""

from __future__ import annotations

import logging
from typing import NamedTuple

from claude_pool.domain.invariants import Invariants
from claude_pool.domain.ports import EventLog
from claude_pool.domain.world import World

from .kept_view import KeptView
from .origins import Threads
from .system import System

_log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """The live view, who asked for what is in it, and what was found wrong with the log."""

    world: World
    threads: Threads
    problems: tuple[str, ...]


def load(log: EventLog, kept_view: KeptView, system: System) -> Loaded:
    """Fold the log, from the view that was kept on where one counts; the clock goes on after it.

    What may be true of no log is told where all of it is folded, and is no reason to refuse the pool.
    """
    snapshot, last = kept_view.begin(), 0
    world, threads, invariants = World(), Threads(), Invariants()
    if snapshot is not None:
        world, last = snapshot.world, snapshot.recorded_at
        threads = Threads(dict(snapshot.correlations))
    for position, stream, version, event, at, correlation in log.read_events(world.position):
        last = at
        world.apply(position, stream, version, event)
        if snapshot is None:
            invariants.observe(position, stream, version, event)
        threads.follow(world, stream, correlation, position)
    problems = () if snapshot is not None else _problems(kept_view, invariants)
    for problem in problems:
        _log.error(problem)
    if ahead := system.begin_after(last):
        _log.warning(
            "the log's last time is %.1f days ahead of this machine's clock; from here this clock counts",
            ahead / 86_400_000,
        )
    return Loaded(world, threads, problems)


def _problems(kept_view: KeptView, invariants: Invariants) -> tuple[str, ...]:
    damage = kept_view.damage()
    problems: tuple[str, ...] = (
        () if damage is None else (f"{damage}; it is not used, and a new one is kept",)
    )
    if impossible := invariants.close():
        first = impossible[0]
        kept_view.save = None  # Each start shall fold this log and say so.
        problems += (
            f"the log holds {len(impossible)} things that cannot be; "
            f"the first is event {first.position}: {first.text} ({first.code}). "
            "`claude-pool replay --check` shows all",
        )
    return problems
