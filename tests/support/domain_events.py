"""Any event of the domain, with any content: for folds, which must never raise."""

from __future__ import annotations

from claude_pool.domain.catalogue import EVENTS
from claude_pool.domain.chain_events import EVENTS as CHAIN_EVENTS
from claude_pool.domain.pool_events import EVENTS as POOL_EVENTS
from claude_pool.domain.records import Event
from claude_pool.domain.slot_events import EVENTS as SLOT_EVENTS
from claude_pool.domain.task_events import EVENTS as TASK_EVENTS
from hypothesis import strategies as st

from .domain_chains import plan, step
from .domain_story import task_name

CHAINS = ("chain-aaaaaaaaaaaaaaaa", "chain-bbbbbbbbbbbbbbbb")
STEPS = st.sampled_from(["a", "b", "c"])
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
    if "step" in names:
        fields["step"] = STEPS
    if "run" in names:
        fields["run"] = NUMBERS
    if "plan" in names:
        steps = [step("a"), step("b", "a", recovery="mend"), step("c", on_failure="continue")]
        isolation = st.sampled_from(["none", "worktree"])
        fields["plan"] = isolation.map(lambda kind: plan(*steps, isolation=kind, timeout_ms=1_000))
    return st.builds(kind, **fields)


chain_events = any_of(*CHAIN_EVENTS)
pool_events = any_of(*POOL_EVENTS)
slot_events = any_of(*SLOT_EVENTS)
task_events = any_of(*TASK_EVENTS)
every_event = any_of(*EVENTS)

streams = st.one_of(
    st.tuples(st.just("pool"), pool_events),
    st.tuples(st.sampled_from(["slot-0", "slot-1"]), slot_events),
    st.tuples(st.sampled_from([task_name(0), task_name(1)]), task_events),
    st.tuples(st.sampled_from(CHAINS), chain_events),
    st.tuples(st.just("other"), every_event),
)
"""An event in a stream where it may stand."""
