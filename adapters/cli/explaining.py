"""`task --explain`: which value each option of a task has, and which layer it came from."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from claude_pool.domain.claiming import pool_options
from claude_pool.domain.errors import NotFound
from claude_pool.domain.options import resolve
from claude_pool.domain.task_events import AttemptStarted, TaskSubmitted
from claude_pool.domain.values import Options
from claude_pool.domain.world import World

from .reading import Reader


def explain(reader: Reader, task_id: str) -> dict[str, Any]:
    """The options of a task's last attempt, or of its next one where it had none: value and source of each.

    The sources are `task`, `slot`, `pool` and `default`, joined by `+` where several add up.

    Raises:
        NotFound: there is no such task.
    """
    spec, position, slot_id = None, None, None
    for recorded in reader.events():
        if recorded.stream == task_id and isinstance(recorded.event, TaskSubmitted):
            spec = recorded.event.spec
        elif recorded.stream == task_id and isinstance(recorded.event, AttemptStarted):
            position, slot_id = recorded.position, recorded.event.slot_id
    if spec is None:
        raise NotFound(kind="task", id=task_id, hint="`claude-pool tasks` lists what there is.")
    world = World()
    for recorded in reader.events(until=position):
        world.apply(recorded.position, recorded.stream, recorded.version, recorded.event)
    of_slot = world.slots[slot_id].card.options if slot_id is not None else Options()
    resolved = resolve(spec.options, of_slot, pool_options(world.open_pool()))
    skill = {} if spec.skill is None else {"skill": {"value": spec.skill, "source": "task"}}
    return skill | {
        field.name: {"value": getattr(resolved.options, field.name), "source": resolved.sources[field.name]}
        for field in fields(Options)
        if field.name in resolved.sources
    }
