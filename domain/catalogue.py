"""Every event of the domain, for the codec and the documentation."""

from __future__ import annotations

from . import chain_events, pool_events, slot_events, task_events
from .records import Event

# An inbox's facts stand in two kinds of streams.
EVENTS: tuple[type[Event], ...] = tuple(
    dict.fromkeys((*pool_events.EVENTS, *slot_events.EVENTS, *task_events.EVENTS, *chain_events.EVENTS))
)
