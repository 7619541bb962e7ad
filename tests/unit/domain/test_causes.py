"""Whose story an event belongs to, and the tree of what led to what."""

from __future__ import annotations

from claude_pool.domain.causes import concerns, tree
from claude_pool.domain.chain_events import ChainSubmitted, Plan, Step, StepStarted
from claude_pool.domain.pool_events import ContextValueSet, FundsReserved
from claude_pool.domain.slot_events import LaunchStarted, SlotStopped
from claude_pool.domain.task_events import AttemptFailed, AttemptStarted, TaskSubmitted

from tests.support.domain_answers import recorded
from tests.support.domain_story import NOW, outcome, spec, task_name

T = task_name(0)


def test_money_and_slots_belong_to_the_task_whose_attempt_they_name() -> None:
    assert concerns(T, AttemptStarted(1, "slot-0", NOW)) == T
    assert concerns("pool", FundsReserved(f"{T}.2", 1)) == T
    assert concerns("pool", ContextValueSet("a", "b")) == "pool"
    assert concerns("slot-0", SlotStopped("drained")) == "slot-0"


def test_nothing_has_no_tree() -> None:
    assert tree(T, (), {}) == ()


def test_a_task_stands_below_its_call_and_an_attempts_events_below_it() -> None:
    events = recorded(
        (T, TaskSubmitted(T, spec(), "f", NOW)),
        (T, AttemptStarted(1, "slot-0", NOW)),
        ("pool", FundsReserved(f"{T}.1", 1)),
    )
    found = tree(T, events, {})
    assert [(each.depth, each.position) for each in found] == [(0, None), (1, 1), (2, 2), (3, 3)]
    assert found[0].text == "a call of the shell: call"


def test_a_steps_task_stands_below_the_steps_start() -> None:
    plan = Plan((Step("a", spec()),))
    events = recorded(
        ("chain-a", ChainSubmitted("chain-a", plan, "f", NOW)), ("chain-a", StepStarted("a", 1, T))
    )
    inside = recorded((T, TaskSubmitted(T, spec(), "f", NOW)), (T, AttemptFailed(1, outcome(), NOW)))
    assert [each.depth for each in tree("chain-a", events, {T: inside})] == [0, 1, 2, 3, 5]
    assert [each.depth for each in tree("chain-a", events, {})] == [0, 1, 2]


def test_a_slots_work_stands_below_its_launch() -> None:
    events = recorded(("slot-0", LaunchStarted(1, "k", "s")), ("slot-0", SlotStopped("drained")))
    assert [each.depth for each in tree("slot-0", events, {})] == [0, 1, 2]
