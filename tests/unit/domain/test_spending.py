"""When a turn's money nearly ends, and when it ends."""

from __future__ import annotations

from claude_pool.domain.spending import SpendWatch
from hypothesis import given
from hypothesis import strategies as st


def told(watch: SpendWatch, *metered: int) -> list[int]:
    """The costs that are told of a turn whose meter shows these."""
    heard: list[int] = []
    for cost in metered:
        before, watch = watch, watch.see(cost)
        if watch is not before:
            heard.append(cost)
    return heard


def test_a_turn_without_a_budget_tells_nothing() -> None:
    assert told(SpendWatch(None, 5), 0, 10**9) == []


def test_the_budget_is_told_nearly_spent_once_the_margin_is_touched() -> None:
    assert told(SpendWatch(10, 4), 0, 6, 7, 8, 9) == [7]


def test_the_budget_is_told_spent_once_it_is_reached() -> None:
    assert told(SpendWatch(10, 4), 6, 7, 10, 11) == [7, 10]
    assert told(SpendWatch(10, 4), 12, 13) == [12]
    assert told(SpendWatch(10), 9, 10, 11) == [10]


def test_another_budget_is_told_anew() -> None:
    watch = SpendWatch(10, 4).see(10)
    assert told(watch, 10, 11) == []
    assert told(watch.fund(10), 10, 11) == []
    assert told(watch.fund(20), 16, 17, 20) == [17, 20]
    assert told(watch.fund(5), 10, 11) == [10]


@given(st.integers(0, 50), st.integers(0, 50), st.lists(st.integers(0, 100)))
def test_at_most_two_things_are_told_of_a_budget(budget: int, margin: int, steps: list[int]) -> None:
    costs_so_far = sorted(steps)
    heard = told(SpendWatch(budget, margin), *costs_so_far)
    assert len(heard) <= 2
    assert all(cost + margin > budget or cost >= budget for cost in heard)
    reached = [cost for cost in costs_so_far if cost >= budget]
    assert not reached or heard[-1] == reached[0]
