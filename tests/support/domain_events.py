"""Any event of the domain, with any content: for folds, which must never raise."""

from __future__ import annotations

from claude_pool.domain.catalogue import EVENTS
from claude_pool.domain.pool_events import EVENTS as POOL_EVENTS
from claude_pool.domain.records import Event
from claude_pool.domain.slot_events import EVENTS as SLOT_EVENTS
from claude_pool.domain.task_events import EVENTS as TASK_EVENTS
from hypothesis import strategies as st

from .domain_story import task_name

NUMBERS = st.integers(0, 3)
"""Few numbers, so that attempts and launches often fit what went before."""


def any_of(*kinds: type[Event]) -> st.SearchStrategy[Event]:
    """An event of one of `kinds`."""
    return st.one_of([_any(kind) for kind in kinds])


def _any(kind: type[Event]) -> st.SearchStrategy[Event]:
    fields: dict[str, st.SearchStrategy[object]] = {}
    names = getattr(kind, "__annotations__", {})
    if "attempt" in names:
        fields["attempt"] = NUMBERS if kind in TASK_EVENTS else st.just(f"{task_name(0)}.1")
    if "launch" in names:
        fields["launch"] = NUMBERS
    if "task_id" in names:
        fields["task_id"] = st.just(task_name(0))
    return st.builds(kind, **fields)


pool_events = any_of(*POOL_EVENTS)
slot_events = any_of(*SLOT_EVENTS)
task_events = any_of(*TASK_EVENTS)
every_event = any_of(*EVENTS)

streams = st.one_of(
    st.tuples(st.just("pool"), pool_events),
    st.tuples(st.sampled_from(["slot-0", "slot-1"]), slot_events),
    st.tuples(st.sampled_from([task_name(0), task_name(1)]), task_events),
    st.tuples(st.just("chain-aaaaaaaaaaaaaaaa"), every_event),
)
"""An event in a stream where it may stand."""
