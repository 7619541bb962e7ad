"""Who waits for tasks and chains, and the facts that wake them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from claude_pool.domain.chain_events import ChainCancelled, ChainCompleted, ChainFailed
from claude_pool.domain.pool_events import DrainLifted, PoolPaused
from claude_pool.domain.provider import ENDLESS
from claude_pool.domain.records import Event, Recorded
from claude_pool.domain.soft_limits import SOFT_LIMIT
from claude_pool.domain.task_events import (
    QuestionAsked,
    ReviewRequested,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskParked,
    TaskSealed,
)

ATTENTION = (
    TaskCompleted, TaskFailed, TaskCancelled, TaskSealed, ReviewRequested, QuestionAsked, ChainCompleted,
    ChainFailed, ChainCancelled,
)  # fmt: skip
"""The facts after which a task or chain is finished, or a task needs someone."""


@dataclass(slots=True, eq=False)
class Watch:
    """What a waiter has been told: set when one of its tasks is finished or needs someone."""

    ids: frozenset[str] | None
    rang: asyncio.Event = field(default_factory=asyncio.Event)


class Bell:
    """Wakes those who watch for tasks and chains."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()

    def watch(self, ids: Iterable[str] | None) -> Watch:
        """Begin to watch for `ids` (None: all); end with `unwatch`."""
        watch = Watch(None if ids is None else frozenset(ids))
        self._watches.add(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Stop watching."""
        self._watches.discard(watch)

    def ring(self, recorded: tuple[Recorded, ...]) -> None:
        """Wake whomever these facts concern."""
        called = {r.stream for r in recorded if _calls(r.event)}
        everybody = any(_concerns_everybody(r.event) for r in recorded)
        if called or everybody:
            for watch in self._watches:
                if everybody or watch.ids is None or not watch.ids.isdisjoint(called):
                    watch.rang.set()


def _concerns_everybody(event: Event) -> bool:
    """Whether all who wait look again, whatever they wait for."""
    match event:
        case PoolPaused(reason) | TaskParked(reason):
            return reason in ENDLESS or reason == SOFT_LIMIT
        case _:
            return isinstance(event, DrainLifted)


def _calls(event: Event) -> bool:
    return isinstance(event, ATTENTION) or (isinstance(event, TaskParked) and event.reason in ENDLESS)
