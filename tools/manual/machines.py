"""The states of each aggregate and the arrows between them, found by deciding every command in every state.

From the state of nothing, each of a few commands of every kind is decided in each state that was reached, and
what it brings about is folded fact by fact. States that differ only in what no decision looks at are one.
An arrow is a fact that led from one state to another; what leaves the state as it is called stays there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from claude_pool.domain import chain, pool, slot, task
from claude_pool.domain.errors import PoolError

from .commands import commands

FARTHEST = 4
"""So many attempts, launches or changes of a counter are enough to see all there is."""


@dataclass
class Machine:
    """States by name with what they mean, in the order they were found in; arrows with their events."""

    states: dict[str, str] = field(default_factory=dict[str, str])
    arrows: dict[tuple[str, str], set[str]] = field(default_factory=dict[tuple[str, str], set[str]])
    stays: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def step(self, before: str, event: str, after: str) -> None:
        """Note what `event` did."""
        if before == after:
            self.stays.setdefault(before, set()).add(event)
        else:
            self.arrows.setdefault((before, after), set()).add(event)


def _task(state: task.Task) -> tuple[Any, ...]:
    if isinstance(state, task.Absent):
        return ()
    job = state.job
    live = state.live if isinstance(state, task.Running) else None
    running = (live.interrupt, live.cancel, live.resumed, len(live.questions)) if live else ()
    parked = state.reason if isinstance(state, task.Parked) else ""
    cut_off = bool(job.attempts) and task.resumable(job)
    return (
        len(job.attempts),
        len(job.rejections),
        job.resume is None,
        cut_off,
        id(job.spec),
        running,
        parked,
    )


def _slot(state: slot.Slot) -> tuple[Any, ...]:
    if isinstance(state, slot.Absent):
        return ()
    card = state.card
    process = getattr(state, "process", None)
    rest = (getattr(state, "reason", ""), getattr(state, "replaces", ""), getattr(state, "retired", ""))
    used = process is None or process.spare is None
    health = (card.health.in_a_row, card.health.quarantines > 0, card.health.on_trial)
    return (card.launches, health, card.draining, card.housing.stage, process is None, used, rest)


def _chain(state: chain.Chain) -> tuple[Any, ...]:
    if isinstance(state, chain.Absent):
        return ()
    work = state.work
    steps = tuple((type(at), getattr(at, "run", 0), getattr(at, "status", "")) for at in work.steps.values())
    ending = work.ending.reason if work.ending else ""
    return (id(work.plan), steps, ending, getattr(state, "asked", None), work.kept is None)


def _pool(state: pool.Pool) -> tuple[Any, ...]:
    if isinstance(state, pool.Unopened):
        return ()
    return (state.owner, state.stopping, state.draining, state.paused is None, state.launches_held)


def _far(state: Any) -> bool:
    job, card = getattr(state, "job", None), getattr(state, "card", None)
    return (job is not None and len(job.attempts) > FARTHEST) or (
        card is not None and card.launches > FARTHEST
    )


AGGREGATES: Mapping[str, tuple[Any, Any, Callable[[Any], tuple[Any, ...]]]] = {
    "pool": (pool, pool.UNOPENED, _pool),
    "slot": (slot, slot.ABSENT, _slot),
    "task": (task, task.ABSENT, _task),
    "chain": (chain, chain.ABSENT, _chain),
}
"""The module of each aggregate, the state before its first fact, and what a decision looks at in a state."""


def _mark(state: Any, key: Callable[[Any], tuple[Any, ...]]) -> tuple[Any, ...]:
    return (name_of(state), *key(state))


def name_of(state: Any) -> str:
    """A state as people write it: `pending_review`."""
    name = type(state).__name__
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")


@cache
def explored(aggregate: str) -> tuple[tuple[Any, Any, Any], ...]:
    """Every step that a decision can lead to: the state before, the event, the state after."""
    module, nothing, key = AGGREGATES[aggregate]
    orders = commands(aggregate)
    todo = deque([nothing])
    seen: set[tuple[Any, ...]] = {_mark(nothing, key)}
    found: dict[tuple[Any, ...], tuple[Any, Any, Any]] = {}
    while todo:
        start = todo.popleft()
        for command in orders:
            try:
                facts = module.decide(command, start)
            except PoolError:
                continue
            state = start
            for event in facts:
                after = module.evolve(state, event)
                found.setdefault((_mark(state, key), event.NAME, _mark(after, key)), (state, event, after))
                state = after
            mark = _mark(state, key)
            if mark not in seen and not _far(state):
                seen.add(mark)
                todo.append(state)
    return tuple(found.values())


def machine(aggregate: str, name: Callable[[Any], str] = name_of) -> Machine:
    """The states and arrows of an aggregate, or, by another `name`, of a part of its state."""
    made = Machine()
    for before, event, after in explored(aggregate):
        for state in (before, after):
            about = " ".join((type(state).__doc__ or "").split())
            made.states.setdefault(name(state), about)
        made.step(name(before), event.NAME, name(after))
    return made


def owner(state: Any) -> str:
    """Whose the pool is."""
    if isinstance(state, pool.Unopened):
        return "unopened"
    if state.owner is None:
        return "without an owner"
    return {None: "owned", "finish": "stopping", "now": "stopping now"}[state.stopping]


def admission(state: Any) -> str:
    """What the pool admits."""
    if isinstance(state, pool.Unopened):
        return "unopened"
    return {None: "admits work", "finish": "draining: finish", "cancel": "draining: cancel"}[state.draining]


def pause(state: Any) -> str:
    """Whether attempts start."""
    return "unopened" if isinstance(state, pool.Unopened) else "paused" if state.paused else "starts attempts"


def launches(state: Any) -> str:
    """Whether processes start."""
    if isinstance(state, pool.Unopened):
        return "unopened"
    return "holds launches" if state.launches_held else "launches processes"


def steps() -> Machine:
    """The states of one step of a chain."""
    made = Machine()
    for before, event, after in explored("chain"):
        name = getattr(event, "step", None)
        if name is None:
            if isinstance(after, chain.Known) and isinstance(before, chain.Absent):
                made.step("absent", event.NAME, _step(after, "a"))
            continue
        made.step(_step(before, name), event.NAME, _step(after, name))
    for source, target in made.arrows:
        made.states.setdefault(source, "")
        made.states.setdefault(target, "")
    return made


def _step(state: Any, name: str) -> str:
    at = state.work.steps[name]
    if isinstance(at, chain.Done):
        return at.status if at.status != "failed" or at.run == 2 else "failed"
    if isinstance(at, chain.Started):
        return "started" if at.run == 1 else "recovering"
    return name_of(at)
