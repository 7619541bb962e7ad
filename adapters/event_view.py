"""One event as callers see it. Apart from the other views, which take longer to import: a log's first line is
shown at once."""

from __future__ import annotations

from typing import Any

from claude_pool.domain.records import Recorded

from .json_fields import with_every_field


def event_view(recorded: Recorded) -> dict[str, Any]:
    """One event as JSON values: its envelope, and all of its data, defaults included."""
    meta = recorded.meta
    return {
        "position": recorded.position,
        "stream": recorded.stream,
        "version": recorded.version,
        "name": recorded.event.NAME,
        "event_version": recorded.event.VERSION,
        "recorded_at": meta.recorded_at,
        "command_id": meta.command_id,
        "cause": meta.cause,
        "correlation": meta.correlation,
        "actor": meta.actor.value,
        "data": with_every_field(recorded.event),
        "hash": recorded.hash.hex(),
    }
