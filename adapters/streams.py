"""A task or chain as its own stream tells it."""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool.domain import chain, task
from claude_pool.domain.chain_events import ChainEvent
from claude_pool.domain.records import Recorded
from claude_pool.domain.task_events import TaskEvent


def task_of(events: Sequence[Recorded]) -> task.Task:
    """A task folded from its stream."""
    state: task.Task = task.ABSENT
    for recorded in events:
        event: TaskEvent = recorded.event  # type: ignore[assignment]  # a task's stream holds task events
        state = task.evolve(state, event)
    return state


def chain_of(events: Sequence[Recorded]) -> chain.Chain:
    """A chain folded from its stream."""
    state: chain.Chain = chain.ABSENT
    for recorded in events:
        event: ChainEvent = recorded.event  # type: ignore[assignment]  # a chain's stream holds chain events
        state = chain.evolve(state, event)
    return state
