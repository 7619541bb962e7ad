"""Every event of the domain, for the codec and the documentation."""

from __future__ import annotations

from . import pool_events, slot_events, task_events
from .records import Event

EVENTS: tuple[type[Event], ...] = (*pool_events.EVENTS, *slot_events.EVENTS, *task_events.EVENTS)
