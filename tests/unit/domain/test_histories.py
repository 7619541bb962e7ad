"""What a task to come is compared with, and what is drawn from that."""

from __future__ import annotations

from claude_pool.domain.histories import (
    LEAST_SAMPLES,
    MOST_SAMPLES,
    History,
    Kind,
    Sample,
    Traits,
    drawn,
    numbers,
    outlasting,
)
from hypothesis import given
from hypothesis import strategies as st

OPUS = "claude-opus-4-8"


def samples(traits: Traits, count: int = LEAST_SAMPLES, ran_ms: int = 10, cost: int = 1) -> list[Sample]:
    """So many tasks that ended alike."""
    return [Sample(traits, ran_ms, cost)] * count


def likeness(history: History, traits: Traits) -> str | None:
    """By what a task is like those that it is compared with."""
    kind = history.like(traits)
    return None if kind is None else kind.likeness


def test_a_task_is_compared_with_those_of_its_skill_first() -> None:
    history = History(samples(Traits(OPUS, "review", "check", ("nightly",))))
    assert likeness(history, Traits("opus", "review", "check", ("nightly",))) == "skill"
    assert likeness(history, Traits("opus", "write", "check", ("nightly",))) == "step"
    assert likeness(history, Traits("opus", None, "write", ("other", "nightly"))) == "model and tag"
    assert likeness(history, Traits(None, None, None, ("nightly",))) == "tag"
    assert likeness(history, Traits("opus")) == "model"
    assert likeness(history, Traits("haiku")) == "all"


def test_too_few_of_a_kind_count_only_among_the_wider_ones() -> None:
    history = History([*samples(Traits(OPUS, "review"), LEAST_SAMPLES - 1), *samples(Traits(OPUS), 1)])
    assert likeness(history, Traits(OPUS, "review")) == "model"


def test_with_too_few_of_any_kind_there_is_nothing_to_compare_with() -> None:
    assert likeness(History(samples(Traits(), LEAST_SAMPLES - 1)), Traits()) is None
    assert likeness(History(()), Traits()) is None


def test_a_short_name_of_a_model_means_the_latest_model_that_holds_it() -> None:
    history = History(
        [*samples(Traits("claude-opus-5"), ran_ms=5), *samples(Traits("claude-opus-4-8"), ran_ms=4)]
    )
    for asked, ran_ms in (("opus", 5), ("opus[1m]", 5), ("claude-opus-4-8", 4)):
        kind = history.like(Traits(asked))
        assert kind is not None and {ms for ms, _ in kind.samples} == {ran_ms}


def test_only_the_latest_samples_of_a_kind_count() -> None:
    kind = History([*samples(Traits(), MOST_SAMPLES), *samples(Traits(), 9, ran_ms=99)]).like(Traits())
    assert kind is not None and kind.samples == ((10, 1),) * MOST_SAMPLES


def test_numbers_are_the_same_for_the_same_seed_and_run() -> None:
    assert numbers(7, 3, 4) == numbers(7, 3, 9)[:4] == (2380604088, 325055182, 834051181, 3565503786)
    assert numbers(7, 3, 4) != numbers(7, 4, 4) != numbers(8, 4, 4)


def test_numbers_are_even_handed() -> None:
    found = [number >> 29 for number in numbers(1, 1, 8_000)]
    assert all(900 < found.count(eighth) < 1_100 for eighth in range(8))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9), st.integers(0, 20))
def test_what_is_drawn_was_seen_before(seen: list[tuple[int, int]], count: int) -> None:
    found = drawn([Kind("all", tuple(seen))], [0] * count, numbers(0, 0, count))
    assert len(found) == count and set(found) <= set(seen)


def test_each_task_draws_from_its_own_kind() -> None:
    kinds = [Kind("skill", ((1, 1),)), Kind("all", ((2, 2),))]
    assert drawn(kinds, [1, 0, 1], numbers(0, 0, 3)) == [(2, 2), (1, 1), (2, 2)]


def test_what_was_drawn_is_drawn_again_more_easily() -> None:
    kind = Kind("all", tuple((n, n) for n in range(5)))
    draws = (drawn([kind], [0, 0], numbers(0, run, 2)) for run in range(3_000))
    assert 0.28 < sum(first == second for first, second in draws) / 3_000 < 0.38  # 2 of 6, not 1 of 5


def test_a_task_that_runs_takes_longer_than_it_has() -> None:
    kind = Kind("all", ((5, 1), (20, 4), (30, 6)))
    assert outlasting(kind, 20) == ((30, 6),)


def test_a_task_that_outlasts_all_samples_goes_on_for_as_long_as_one_of_them() -> None:
    assert outlasting(Kind("all", ((0, 3), (20, 4))), 60) == ((60, 7), (80, 8))
