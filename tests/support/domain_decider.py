"""Given / when / then over one aggregate: fold facts, decide a command, compare the facts it brings about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest
from claude_pool.domain import chain, pool, slot, task
from claude_pool.domain.chain_events import ChainEvent
from claude_pool.domain.errors import PoolError
from claude_pool.domain.pool_events import PoolEvent
from claude_pool.domain.slot_events import SlotEvent
from claude_pool.domain.task_events import TaskEvent

State = TypeVar("State")
Command = TypeVar("Command")
Event = TypeVar("Event")


@dataclass(frozen=True, slots=True)
class When(Generic[State, Command, Event]):
    """A command about to be decided in a state."""

    state: State
    command: Command
    decide: Callable[[Command, State], tuple[Event, ...]]
    evolve: Callable[[State, Event], State]

    def then(self, *events: Event) -> State:
        """The command brings about exactly `events`; the state after them."""
        assert self.decide(self.command, self.state) == events
        after = self.state
        for event in events:
            after = self.evolve(after, event)
        return after

    def refused(self, error: type[PoolError], fragment: str = "") -> None:
        """The command is refused with `error`, and the message holds `fragment`."""
        with pytest.raises(error) as refusal:
            self.decide(self.command, self.state)
        assert type(refusal.value) is error
        assert fragment in refusal.value.message


@dataclass(frozen=True, slots=True)
class Given(Generic[State, Command, Event]):
    """An aggregate after some facts."""

    state: State
    decide: Callable[[Command, State], tuple[Event, ...]]
    evolve: Callable[[State, Event], State]

    def and_(self, *events: Event) -> Given[State, Command, Event]:
        """The same after more facts."""
        after = self.state
        for event in events:
            after = self.evolve(after, event)
        return Given(after, self.decide, self.evolve)

    def when(self, command: Command) -> When[State, Command, Event]:
        """Decide `command`."""
        return When(self.state, command, self.decide, self.evolve)


def given_slot(*events: SlotEvent) -> Given[slot.Slot, slot.SlotCommand, SlotEvent]:
    """A slot after `events`."""
    start: Given[slot.Slot, slot.SlotCommand, SlotEvent] = Given(slot.ABSENT, slot.decide, slot.evolve)
    return start.and_(*events)


def given_task(*events: TaskEvent) -> Given[task.Task, task.TaskCommand, TaskEvent]:
    """A task after `events`."""
    start: Given[task.Task, task.TaskCommand, TaskEvent] = Given(task.ABSENT, task.decide, task.evolve)
    return start.and_(*events)


def given_pool(*events: PoolEvent) -> Given[pool.Pool, pool.PoolCommand, PoolEvent]:
    """A pool after `events`."""
    start: Given[pool.Pool, pool.PoolCommand, PoolEvent] = Given(pool.UNOPENED, pool.decide, pool.evolve)
    return start.and_(*events)


def given_chain(*events: ChainEvent) -> Given[chain.Chain, chain.ChainCommand, ChainEvent]:
    """A chain after `events`."""
    start: Given[chain.Chain, chain.ChainCommand, ChainEvent] = Given(
        chain.ABSENT, chain.decide, chain.evolve
    )
    return start.and_(*events)
