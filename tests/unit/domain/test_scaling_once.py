"""A scaling under an idempotency key counts once."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool
from claude_pool.domain.errors import IdempotencyConflict, InvalidArgument
from claude_pool.domain.pool_events import TargetSlotsSet

AT_TWO = pool.Open("p", target=2)


def after(state: pool.Pool, command: pool.PoolCommand) -> pool.Pool:
    """The state that a command leads to."""
    for event in pool.decide(command, state):
        state = pool.evolve(state, event)
    return state


def test_scaling_changes_the_target_by_so_many() -> None:
    assert pool.decide(pool.ScaleSlots(3), AT_TWO) == (TargetSlotsSet(5, 3, None),)


def test_the_same_key_scales_once() -> None:
    once = after(AT_TWO, pool.ScaleSlots(3, "night"))

    assert pool.decide(pool.ScaleSlots(3, "night"), once) == ()


def test_the_same_key_with_another_change_is_a_conflict() -> None:
    once = after(AT_TWO, pool.ScaleSlots(3, "night"))

    with pytest.raises(IdempotencyConflict):
        pool.decide(pool.ScaleSlots(4, "night"), once)


def test_a_scaling_beyond_the_bounds_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        pool.decide(pool.ScaleSlots(100), AT_TWO)


def test_old_keys_are_forgotten() -> None:
    state: pool.Pool = AT_TWO
    for number in range(pool.KEYS_KEPT + 1):
        state = after(state, pool.ScaleSlots(1 if number % 2 == 0 else -1, f"key-{number}"))

    assert isinstance(state, pool.Open)
    assert "key-0" not in state.scalings
    assert len(state.scalings) == pool.KEYS_KEPT
