"""Folds are total: no event in no order makes one raise, and a prefix then the rest gives the whole."""

from __future__ import annotations

from claude_pool.domain import chain, pool, slot, task
from claude_pool.domain.chain_events import ChainEvent, ChainSubmitted
from claude_pool.domain.pool_events import PoolEvent
from claude_pool.domain.records import Event
from claude_pool.domain.slot_events import SlotEvent
from claude_pool.domain.snapshot import canonical
from claude_pool.domain.task_events import TaskEvent, TaskSubmitted
from claude_pool.domain.world import World
from hypothesis import given
from hypothesis import strategies as st

from tests.support.domain_chains import plan, step
from tests.support.domain_events import chain_events, pool_events, slot_events, streams, task_events
from tests.support.domain_story import spec


@given(st.booleans(), st.lists(pool_events, max_size=30))
def test_any_facts_in_any_order_make_a_pool(opened: bool, events: list[PoolEvent]) -> None:
    state: pool.Pool = pool.Open("pool-1") if opened else pool.UNOPENED
    for event in events:
        state = pool.evolve(state, event)
        assert isinstance(state, pool.Unopened | pool.Open)


@given(st.booleans(), st.lists(slot_events, max_size=30))
def test_any_facts_in_any_order_make_a_slot(added: bool, events: list[SlotEvent]) -> None:
    state: slot.Slot = slot.Cold(slot.Card("slot-0")) if added else slot.ABSENT
    for event in events:
        state = slot.evolve(state, event)
        assert isinstance(state, slot.Slot)


@given(st.booleans(), st.lists(task_events, max_size=30))
def test_any_facts_in_any_order_make_a_task(submitted: bool, events: list[TaskEvent]) -> None:
    first = TaskSubmitted("task-aaaaaaaaaaaaaaaa", spec(), "f", 5)
    state: task.Task = task.evolve(task.ABSENT, first) if submitted else task.ABSENT
    for event in events:
        state = task.evolve(state, event)
        assert isinstance(state, task.Task)


@given(st.sampled_from([None, "none", "worktree"]), st.lists(chain_events, max_size=30))
def test_any_facts_in_any_order_make_a_chain(isolation: str | None, events: list[ChainEvent]) -> None:
    state: chain.Chain = chain.ABSENT
    if isolation is not None:
        order = plan(step("a"), step("b", "a", recovery="mend"), isolation=isolation)
        state = chain.evolve(state, ChainSubmitted("chain-a", order, "f", 5))
    for event in events:
        after = chain.evolve(state, event)
        assert isinstance(after, chain.Chain)
        assert not isinstance(state, chain.Terminal) or after is state
        state = after


@given(st.lists(streams, max_size=60), st.integers(0, 60))
def test_any_facts_in_any_order_make_a_world_and_a_prefix_makes_no_difference(
    facts: list[tuple[str, Event]], cut: int
) -> None:
    whole, parts = World(), World()
    for position, (stream, event) in enumerate(facts, 1):
        whole.apply(position, stream, position, event)
    for part in (facts[:cut], facts[cut:]):
        for stream, event in part:
            position = parts.position + 1
            parts.apply(position, stream, position, event)
    assert canonical(whole) == canonical(parts)
    assert [name for _, _, name in whole.pending] == [
        name for _, _, name in sorted(whole.ranks[name] for _, _, name in whole.pending)
    ]
