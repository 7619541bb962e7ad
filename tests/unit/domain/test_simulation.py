"""Courses of the queue: who starts when, and how far the money goes."""

from __future__ import annotations

from dataclasses import replace

from claude_pool.domain.simulation import (
    DAY_MS,
    Allowance,
    Fate,
    Queue,
    Seat,
    Stage,
    Work,
    placeable,
    play,
    play_plainly,
    used_up,
)
from hypothesis import given
from hypothesis import strategies as st

ONE = (Seat("slot-0"),)
TWO = (Seat("slot-0"), Seat("slot-1", "reviewer"))
START = 1_000
ROUND_THE_CLOCK = 10**9
"""A bound on how many run at once that bounds nothing, but has a queue played in full."""


def course(queue: Queue, *lasts: int, costs: tuple[int, ...] | None = None) -> Fate:
    """The course in which each work takes so long; it costs as much, unless `costs` are given."""
    return play(Stage(queue, START), lasts, costs or lasts)


def waiting(count: int) -> tuple[Work, ...]:
    """So many works that wait."""
    return (Work(),) * count


def test_nothing_to_do_is_done_now() -> None:
    assert course(Queue((), ONE)) == Fate(START, 0, 0, None)


def test_works_start_in_order_where_a_slot_is_free_first() -> None:
    assert course(Queue(waiting(3), TWO), 10, 30, 5) == Fate(START + 30, 45, 0, None)
    assert course(Queue(waiting(3), ONE), 10, 30, 5) == Fate(START + 45, 45, 0, None)


def test_a_slot_that_is_busy_is_free_when_its_work_is_over() -> None:
    assert course(Queue((Work(seat=0), Work()), ONE), 10, 5).finish == START + 15


def test_a_slot_that_leaves_takes_nothing_more() -> None:
    seats = (Seat("slot-0", leaves=True), Seat("slot-1"))
    works = (Work(seat=0), *waiting(2))
    for at_once in (None, ROUND_THE_CLOCK):
        assert course(Queue(works, seats, at_once=at_once), 1, 10, 10).finish == START + 20


def test_nothing_starts_while_the_pool_is_closed() -> None:
    closed = ((0, START + 100), (START + 100, START + 130), (START + 135, START + 200))
    for at_once in (None, ROUND_THE_CLOCK):
        queue = Queue((Work(seat=0), *waiting(2)), TWO, closed, at_once=at_once)
        assert course(queue, 120, 10, 7).finish == START + 140
        assert course(queue, 120, 10, 900).finish == START + 130 + 900


def test_a_work_starts_not_before_its_time() -> None:
    works = (Work(not_before=START + 50), Work())
    assert course(Queue(works, ONE), 10, 20).finish == START + 60
    assert course(Queue(works, ONE), 10, 80).finish == START + 90


def test_a_work_runs_only_in_the_slot_or_role_that_it_names() -> None:
    works = (Work(target="slot-0"), Work(target="slot-0"), Work(target="reviewer"), Work())
    assert course(Queue(works, TWO), 10, 10, 5, 7).finish == START + 20


def test_a_step_starts_when_all_that_it_needs_is_over() -> None:
    works = (Work(), Work(), Work(needs=(0, 1)), Work(needs=(2,), not_before=START + 70))
    assert course(Queue(works, TWO), 10, 30, 5, 1).finish == START + 71


def test_no_more_run_at_once_than_may() -> None:
    assert course(Queue(waiting(4), TWO, at_once=1), 5, 5, 5, 5).finish == START + 15
    assert course(Queue((Work(seat=0), *waiting(2)), TWO, at_once=1), 50, 5, 5).finish == START + 55


def test_a_day_s_money_lets_no_more_start_until_the_next_day() -> None:
    daily = Allowance(limit=10, left=4, until=START + 100)
    for at_once in (None, ROUND_THE_CLOCK):
        queue = Queue(waiting(4), ONE, daily=daily, at_once=at_once)
        late = START + 100 + DAY_MS
        assert course(queue, 20, 20, 20, 20, costs=(3, 3, 9, 1)) == Fate(START + 140, 14, 0, None)
        assert course(queue, 20, 20, 20, 20, costs=(3, 3, 11, 1)) == Fate(late + 20, 15, 0, None)
        assert course(queue, 3 * DAY_MS, 20, 20, 20, costs=(4, 9, 9, 0)).finish == late + 2 * DAY_MS + 20
        runs = replace(queue, works=(Work(seat=0), *waiting(1)))
        assert course(runs, 20, 20, costs=(9, 1)).finish == START + 120
        shut = replace(queue, closed=((START, START + 150),))
        assert course(shut, 5, 5, 5, 5, costs=(9, 1, 1, 1)).finish == late + 10


def test_what_no_slot_takes_is_not_placeable_nor_what_needs_it() -> None:
    works = (Work(), Work(needs=(2,)), Work(target="writer"), Work(needs=(1, 0)), Work(target="reviewer"))
    assert placeable(Queue(works, TWO)) == (True, False, False, False, True)
    leaving = (Seat("slot-0", leaves=True), Seat("slot-1", leaves=True))
    assert placeable(Queue((Work(seat=0), Work()), leaving)) == (True, False)


def test_all_ends_when_the_money_is_spent() -> None:
    for at_once in (None, ROUND_THE_CLOCK):
        queue = Queue(waiting(4), TWO, unspent=15, at_once=at_once)
        assert course(queue, 10, 20, 10, 9, costs=(5, 20, 10, 0)) == Fate(START + 10, 15, 3, START + 10)
        assert course(queue, 10, 20, 10, 9, costs=(5, 5, 5, 0)) == Fate(START + 29, 15, 0, None)


def test_what_runs_has_spent_some_of_the_money_already() -> None:
    for at_once in (None, ROUND_THE_CLOCK):
        queue = Queue((Work(seat=0, ran_ms=30),), ONE, unspent=8, at_once=at_once)
        assert course(queue, 10, costs=(10,)) == Fate(START + 2, 8, 1, START + 2)
        assert course(replace(queue, unspent=3), 10, costs=(10,)) == Fate(START, 3, 1, START)


def test_costs_grow_evenly_until_they_reach_the_limit() -> None:
    spans = [(0, 10, 10), (5, 15, 20), (12, 12, 6)]
    assert [used_up(spans, limit) for limit in (0, 4, 5, 8, 20, 25, 30, 31, 36)] == [
        0, 4, 5, 6, 10, 12, 12, 13, 15,
    ]  # fmt: skip
    assert used_up([(3, 3, 6)], 0) == 3


def test_a_work_with_a_limit_of_its_own_waits_until_that_much_is_not_held_by_others() -> None:
    works = (Work(most_cost=8), Work(most_cost=8), Work())
    assert course(Queue(works, TWO, unspent=12), 10, 10, 10, costs=(2, 2, 2)) == Fate(START + 20, 6, 0, None)
    assert course(Queue(works, TWO, unspent=16), 10, 10, 10, costs=(2, 2, 2)).finish == START + 20
    assert course(Queue(works, TWO), 10, 10, 10, costs=(2, 2, 2)).finish == START + 20


def test_what_runs_holds_its_reservation_until_it_ends() -> None:
    works = (Work(seat=0, held=12), Work(most_cost=5))
    assert course(Queue(works, TWO, unspent=12), 10, 10, costs=(2, 2)) == Fate(START + 20, 4, 0, None)


def test_a_work_whose_own_limit_is_more_than_is_left_never_starts_nor_what_needs_it() -> None:
    works = (Work(), Work(most_cost=8), Work(needs=(1,)), Work(), Work(most_cost=7))
    found = course(Queue(works, ONE, unspent=12), 5, 5, 5, 5, 1)
    assert found == Fate(START + 10, 10, 3, START + 5)


def test_money_that_is_spent_before_a_work_is_refused_is_what_ends_the_queue() -> None:
    works = (Work(), Work(), Work(most_cost=8))
    assert course(Queue(works, ONE, unspent=7), 5, 5, 5) == Fate(START + 7, 7, 2, START + 7)


takes = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), min_size=1, max_size=12)
money = st.one_of(st.none(), st.integers(0, 60))


@given(takes, st.integers(0, 3), st.integers(1, 4), money, st.integers(0, 50), st.integers(-5, 9))
def test_a_queue_in_which_only_the_order_matters_is_played_alike_both_ways(
    tasks: list[tuple[int, int]], running: int, slots: int, unspent: int | None, closed: int, left: int
) -> None:
    seats = tuple(Seat(f"slot-{n}", leaves=n == 1) for n in range(slots))
    busy = min(running, slots, len(tasks))
    works = tuple(Work(seat=n if n < busy else None) for n in range(len(tasks)))
    daily = Allowance(9, left, START + 9) if left >= 0 else None
    queue = Queue(works, seats, ((START + 5, START + 5 + closed),), daily, unspent=unspent)
    lasts, costs = [ms for ms, _ in tasks], [cost for _, cost in tasks]
    in_full = play(Stage(replace(queue, at_once=ROUND_THE_CLOCK), START), lasts, costs)
    assert (
        play_plainly(Stage(queue, START), lasts, costs) == in_full == play(Stage(queue, START), lasts, costs)
    )
