"""What is said of the queue, and what it rests on."""

from __future__ import annotations

from dataclasses import replace

from claude_pool.domain.forecast import (
    LEAST_RUNS,
    MOST_RUNS,
    Basis,
    DryOut,
    Forecast,
    NoForecast,
    Spread,
    forecast,
    prepare,
    with_slots,
)
from claude_pool.domain.histories import History, Sample, Traits
from claude_pool.domain.simulation import Queue, Seat, Work
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = 1_000_000
ALIKE = History([Sample(Traits(), 60_000, 2_000)] * 5)
"""Every task took a minute and cost $0.002."""
SEATS = (Seat("slot-0"), Seat("slot-1", "reviewer"))

few = settings(max_examples=12, deadline=None)
"""An example is as many courses as a forecast has."""

histories = st.lists(
    st.builds(Sample, st.just(Traits()), st.integers(0, 90_000), st.integers(0, 5_000)),
    min_size=5,
    max_size=9,
).map(History)


def queue_of(running: int, waiting: int, closed: int) -> Queue:
    """A queue of equal tasks, some of which run, before a pool that is closed for a while."""
    begun = tuple(Work(seat=n, ran_ms=9_000) for n in range(running))
    return Queue((*begun, *works(waiting)), SEATS, ((NOW, NOW + closed),))


queues = st.builds(queue_of, st.integers(0, 2), st.integers(0, 8), st.integers(0, 50_000))


def foreseen(history: History, queue: Queue, seed: int = 0) -> Forecast:
    """A forecast that there is."""
    found = forecast(history, queue, NOW, seed)
    assert isinstance(found, Forecast), found
    return found


def works(count: int) -> tuple[Work, ...]:
    """So many works that wait."""
    return (Work(),) * count


def same(value: int) -> Spread:
    """All courses lie there."""
    return Spread(value, value, value)


def test_without_history_there_is_no_forecast() -> None:
    found = forecast(History(()), Queue(works(3), SEATS), NOW, 0)
    assert found == NoForecast(
        "0 tasks ended in this log so far, and a forecast needs 5 to go by", 3
    )  # fmt: skip
    one = forecast(History([Sample(Traits(), 1, 1)]), Queue(works(1), SEATS), NOW, 0)
    assert isinstance(one, NoForecast) and one.reason.startswith("1 task ended")


def test_without_a_slot_there_is_no_forecast() -> None:
    leaving = tuple(replace(seat, leaves=True) for seat in SEATS)
    for seats in ((), leaving):
        assert forecast(ALIKE, Queue(works(2), seats), NOW, 0) == NoForecast("no slot is in service", 2)


def test_an_empty_queue_is_done_now_and_costs_nothing() -> None:
    found = foreseen(History(()), Queue((), SEATS))
    assert (found.finish, found.spend, found.unpaid) == (same(NOW), same(0), same(0))
    assert (found.dry_out, found.tasks, found.runs, found.bases) == (None, 0, 1, ())
    assert foreseen(ALIKE, Queue((), (), unspent=0)).dry_out == DryOut(None, None, 0.0)


def test_tasks_like_those_before_take_and_cost_as_much() -> None:
    found = foreseen(ALIKE, Queue(works(4), SEATS))
    assert (found.finish, found.spend) == (same(NOW + 120_000), same(8_000))
    assert (found.tasks, found.runs, found.bases) == (4, MOST_RUNS, (Basis("all", 4, 5),))


def test_what_a_running_task_has_used_is_not_counted_again() -> None:
    found = foreseen(ALIKE, Queue((Work(seat=0, ran_ms=45_000, paid=500),), SEATS))
    assert (found.finish, found.spend) == (same(NOW + 15_000), same(1_500))


def test_a_task_that_cost_more_than_any_before_costs_nothing_more() -> None:
    assert foreseen(ALIKE, Queue((Work(seat=0, ran_ms=1, paid=9_000),), SEATS)).spend == same(0)


def test_limits_of_time_and_money_end_a_task() -> None:
    short = Queue((Work(most_ms=10_000), Work(most_cost=700)), SEATS[:1])
    found = foreseen(ALIKE, short)
    assert (found.finish, found.spend) == (same(NOW + 70_000), same(2_700))


def test_money_runs_dry_when_it_is_spent() -> None:
    found = foreseen(ALIKE, Queue(works(4), SEATS[:1], unspent=5_000))
    dry = NOW + 150_000
    assert found.dry_out == DryOut(dry, dry, 1.0)
    assert (found.finish, found.spend, found.unpaid) == (same(dry), same(5_000), same(2))
    enough = foreseen(ALIKE, Queue(works(4), SEATS[:1], unspent=8_000))
    assert enough.dry_out == DryOut(None, None, 0.0)


def test_a_dry_out_that_only_some_courses_see_has_no_time() -> None:
    history = History([Sample(Traits(), 60_000, cost) for cost in (1, 1, 1, 1, 12)])
    dry = foreseen(history, Queue(works(1), SEATS, unspent=4)).dry_out
    assert dry is not None and (dry.p50, dry.p90) == (None, None) and 0.1 < dry.share < 0.3
    history = History([Sample(Traits(), 60_000, cost) for cost in (1, 12, 12, 12, 12)])
    dry = foreseen(history, Queue(works(1), SEATS, unspent=4)).dry_out
    assert dry is not None and (dry.p50, dry.p90) == (NOW + 20_000, None) and 0.7 < dry.share < 0.9


def test_it_says_what_it_rests_on() -> None:
    skilled = [Sample(Traits(skill="review"), 1_000, 1)] * 6
    history = History([*skilled, *[Sample(Traits(), 2_000, 1)] * 5])
    queue = Queue((Work(Traits(skill="review")), *works(2)), SEATS, left_out=3, assumes=("an owner starts",))
    found = foreseen(history, queue)
    assert found.bases == (Basis("all", 2, 11), Basis("skill", 1, 6))
    assert (found.left_out, found.assumes) == (3, ("an owner starts",))


def test_tasks_that_no_slot_takes_are_left_away_and_counted() -> None:
    queue = Queue((Work(target="writer"), Work(), Work(needs=(0,)), Work(needs=(1,))), SEATS)
    found = foreseen(ALIKE, queue)
    assert (found.tasks, found.unplaced, found.finish) == (2, 2, same(NOW + 120_000))


def test_a_long_queue_is_imagined_fewer_times() -> None:
    long = prepare(ALIKE, Queue(works(2_000), SEATS), NOW, 0)
    alone = prepare(ALIKE, Queue(works(2_000), SEATS, at_once=1), NOW, 0)
    longest = prepare(ALIKE, Queue(works(21_000), SEATS), NOW, 0)
    assert not isinstance(long, NoForecast) and not isinstance(longest, NoForecast)
    assert not isinstance(alone, NoForecast)
    assert (long.runs, alone.runs, longest.runs) == (200, 100, LEAST_RUNS)


def test_other_numbers_of_slots_keep_the_first_ones() -> None:
    queue = Queue((), (Seat("slot-0", leaves=True), Seat("slot-1"), Seat("slot-2")))
    assert [seat.leaves for seat in with_slots(queue, 1).seats] == [True, False, True]
    assert [seat.name for seat in with_slots(queue, 4).seats if not seat.leaves] == [
        "slot-1",
        "slot-2",
        "further-0",
        "further-1",
    ]


@few
@given(histories, queues, st.integers(0, 2**64 - 1))
def test_the_same_question_has_the_same_answer(history: History, queue: Queue, seed: int) -> None:
    assert forecast(history, queue, NOW, seed) == forecast(history, queue, NOW, seed)


@few
@given(histories, queues, st.integers(1, 5))
def test_more_slots_never_finish_later(history: History, queue: Queue, slots: int) -> None:
    fewer, more = with_slots(queue, slots), with_slots(queue, slots + 1)
    assert foreseen(history, more).finish.p50 <= foreseen(history, fewer).finish.p50


@few
@given(histories, queues, st.integers(0, 40_000), st.integers(0, 20_000))
def test_more_money_never_dries_earlier(history: History, queue: Queue, unspent: int, more: int) -> None:
    less = foreseen(history, replace(queue, unspent=unspent)).dry_out
    richer = foreseen(history, replace(queue, unspent=unspent + more)).dry_out
    assert less is not None and richer is not None
    assert richer.share <= less.share
    for later, earlier in ((richer.p50, less.p50), (richer.p90, less.p90)):
        assert later is None or (earlier is not None and earlier <= later)


@few
@given(histories, queues)
def test_spreads_are_in_order(history: History, queue: Queue) -> None:
    found = foreseen(history, queue)
    for spread in (found.finish, found.spend, found.unpaid):
        assert spread.p10 <= spread.p50 <= spread.p90
    assert found.finish.p10 >= NOW
