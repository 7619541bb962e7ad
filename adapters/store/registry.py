"""Which events the log may hold, and what older versions of them looked like."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from claude_pool.domain.records import Event

from .codec import Codec, Upcaster

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""(stored name, old version) -> the step to the next version, on the stored fields. Never removed."""


def all_events() -> tuple[type[Event], ...]:
    """Every class of the domain that may stand in the log."""
    from claude_pool.domain.catalogue import EVENTS

    return EVENTS


@cache
def default_codec() -> Codec:
    """The codec for all events of the domain."""
    return Codec(all_events(), UPCASTERS)
