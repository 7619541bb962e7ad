"""Who spent what: groups, their figures, and totals that count everything once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from claude_pool.domain.costs import AttemptCost, By, Charge, Report, Spread, figures, report, spread
from claude_pool.domain.values import Tokens
from hypothesis import given
from hypothesis import strategies as st


def attempt(number: int = 1, *, task: str = "task-a", day: str = "2026-01-31", **more: Any) -> AttemptCost:
    """An attempt of a task, settled on a day."""
    return AttemptCost(f"{task}.{number}", task, number, 1, 0, day, "succeeded", **more)


def charge(cost: int, slot_id: str = "slot-0", day: str = "2026-01-31") -> Charge:
    """What a slot spent by itself."""
    return Charge(1, slot_id, 0, day, "stray", cost)


def rows(found: Report) -> list[tuple[str | None, str, int]]:
    return [(group.key, group.label, group.figures.cost) for group in found.groups]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([], Spread(0, 0, 0)),
        ([7], Spread(7, 7, 7)),
        ([2, 1], Spread(1, 2, 2)),
        (range(1, 21), Spread(10, 19, 20)),
        (range(100, 0, -1), Spread(50, 95, 100)),
    ],
)
def test_a_percentile_is_one_of_the_numbers(values: Sequence[int], wanted: Spread) -> None:
    assert spread(values) == wanted


def test_figures_sum_up_what_attempts_took() -> None:
    first = attempt(cost=100, estimated=True, tokens=Tokens(1, 2, 3, 4), turns=2, started_at=10, ended_at=30)
    second = attempt(2, cost=50, overdrawn=5, tokens=Tokens(10, 20, 30, 40), turns=3)
    other = attempt(task="task-b", cost=10)

    found = figures([first, second, other], [charge(7)])

    assert (found.attempts, found.tasks, found.cost, found.charged) == (3, 2, 167, 7)
    assert (found.estimated, found.overdrawn, found.turns) == (100, 5, 5)
    assert found.tokens == Tokens(11, 22, 33, 44)
    assert (found.costs, found.times) == (Spread(50, 100, 100), Spread(0, 20, 20))


@pytest.mark.parametrize(("start", "end", "wanted"), [(5, 9, 4), (9, 5, 0), (None, 9, 0), (5, None, 0)])
def test_a_time_is_never_below_zero(start: int | None, end: int | None, wanted: int) -> None:
    assert attempt(started_at=start, ended_at=end).elapsed_ms == wanted


def test_the_router_is_known_by_its_tag() -> None:
    assert attempt(tags=("nightly", "router")).routing
    assert not attempt(tags=("nightly",)).routing


FULL = attempt(
    cost=5, slot_id="slot-3", model="opus", chain_id="chain-a", skill="tests", tags=("red", "blue", "red")
)
BARE = attempt(2, task="task-b", cost=3)


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        (By.TASK, [("task-a", "task-a", 5), ("task-b", "task-b", 3), (None, "(no task)", 1)]),
        (By.CHAIN, [("chain-a", "chain-a", 5), (None, "(no chain)", 3), (None, "(no task)", 1)]),
        (By.SLOT, [("slot-3", "slot-3", 5), (None, "(no slot)", 3), ("slot-0", "slot-0", 1)]),
        (By.MODEL, [("opus", "opus", 5), (None, "(unknown)", 3), (None, "(no task)", 1)]),
        (By.SKILL, [("tests", "tests", 5), (None, "(no skill)", 3), (None, "(no task)", 1)]),
        (By.DAY, [("2026-01-31", "2026-01-31", 9)]),
        (
            By.TAG,
            [("blue", "blue", 5), ("red", "red", 5), (None, "(untagged)", 3), (None, "(no task)", 1)],
        ),
    ],
)
def test_costs_are_grouped_dearest_first(by: By, wanted: list[tuple[str | None, str, int]]) -> None:
    found = report(by, [BARE, FULL], [charge(1)])

    assert rows(found) == wanted
    assert found.total.cost == 9


def test_a_charge_is_with_the_attempts_of_its_slot() -> None:
    assert rows(report(By.SLOT, [FULL], [charge(4, "slot-3")])) == [("slot-3", "slot-3", 9)]


def test_days_come_in_their_order() -> None:
    late, early = attempt(cost=1, day="2026-02-01"), attempt(2, cost=9, day="2025-12-31")

    assert [group.key for group in report(By.DAY, [late, early]).groups] == ["2025-12-31", "2026-02-01"]


def test_the_cheapest_groups_beyond_the_limit_stand_together() -> None:
    attempts = [attempt(task=f"task-{cost}", cost=cost) for cost in (1, 4, 2, 3)]

    found = report(By.TASK, attempts, limit=2)

    assert rows(found) == [("task-4", "task-4", 4), ("task-3", "task-3", 3), (None, "(2 more)", 3)]
    assert (found.left_out, found.total.cost) == (2, 10)


def test_the_earliest_days_beyond_the_limit_stand_together_before_the_others() -> None:
    attempts = [attempt(cost=1, day=f"2026-01-0{number}") for number in (1, 2, 3)]

    assert rows(report(By.DAY, attempts, limit=1)) == [
        (None, "(2 more)", 2),
        ("2026-01-03", "2026-01-03", 1),
    ]


def test_what_is_in_several_groups_beyond_the_limit_counts_once_in_their_row() -> None:
    both = attempt(cost=5, tags=("red", "blue"))
    dear = attempt(2, cost=9, tags=("green",))

    assert rows(report(By.TAG, [both, dear], limit=1))[-1] == (None, "(2 more)", 5)


def test_nothing_spent_is_no_groups() -> None:
    found = report(By.MODEL, [])

    assert (found.groups, found.total.attempts, found.total.cost) == ((), 0, 0)


attempts_drawn = st.lists(
    st.builds(
        attempt,
        number=st.integers(1, 3),
        task=st.sampled_from(["task-a", "task-b"]),
        day=st.sampled_from(["2026-01-31", "2026-02-01"]),
        cost=st.integers(0, 10**9),
        slot_id=st.sampled_from(["slot-0", None]),
        model=st.sampled_from(["opus", None]),
        chain_id=st.sampled_from(["chain-a", None]),
        skill=st.sampled_from(["tests", None]),
    )
)
charges_drawn = st.lists(
    st.builds(
        charge,
        st.integers(1, 10**9),
        st.sampled_from(["slot-0", "slot-1"]),
        st.sampled_from(["2026-01-31", "2026-03-01"]),
    )
)


@given(
    st.sampled_from([by for by in By if by is not By.TAG]), attempts_drawn, charges_drawn, st.integers(1, 3)
)
def test_rows_add_up_to_the_total(
    by: By, attempts: list[AttemptCost], charges: list[Charge], limit: int
) -> None:
    attempts = [replace(each, attempt=str(number)) for number, each in enumerate(attempts)]
    charges = [replace(each, position=number) for number, each in enumerate(charges)]
    spent = sum(each.cost for each in (*attempts, *charges))

    for found in (report(by, attempts, charges), report(by, attempts, charges, limit)):
        assert sum(group.figures.cost for group in found.groups) == found.total.cost == spent
        assert sum(group.figures.attempts for group in found.groups) == len(attempts)
