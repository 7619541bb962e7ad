"""Two runs held against each other: what belongs together, and what is a difference."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain.comparison import Pair, Part, align
from hypothesis import given
from hypothesis import strategies as st

DONE = Part("a", "first", "completed", None, "00ff", 70, 1500, 1, "haiku")

names = st.lists(st.sampled_from("abcdefg"), unique=True)


def parts(keys: list[str]) -> list[Part]:
    return [Part(key, key, "completed") for key in keys]


def keys(pairs: tuple[Pair, ...]) -> list[tuple[str | None, str | None]]:
    return [(pair.left and pair.left.key, pair.right and pair.right.key) for pair in pairs]


def test_what_has_the_same_key_belongs_together() -> None:
    assert keys(align(parts(["a", "b"]), parts(["b", "a"]))) == [("a", "a"), ("b", "b")]


def test_what_only_the_left_has_stands_alone() -> None:
    assert keys(align(parts(["a", "b"]), parts(["b"]))) == [("a", None), ("b", "b")]


def test_what_only_the_right_has_stands_where_it_stands_there() -> None:
    found = keys(align(parts(["a", "c"]), parts(["a", "b", "c", "d"])))

    assert found == [("a", "a"), (None, "b"), ("c", "c"), (None, "d")]


@given(left=names, right=names)
def test_every_part_is_in_exactly_one_pair(left: list[str], right: list[str]) -> None:
    pairs = align(parts(left), parts(right))

    assert [pair.left.key for pair in pairs if pair.left] == left
    assert sorted(pair.right.key for pair in pairs if pair.right) == sorted(right)
    assert all(pair.left.key == pair.right.key for pair in pairs if pair.left and pair.right)


@pytest.mark.parametrize(
    ("other", "differences"),
    [
        (DONE, ()),
        (replace(DONE, cost=1, elapsed_ms=2, attempts=3, model="opus"), ()),
        (replace(DONE, output="ff00"), ("output",)),
        (replace(DONE, state="failed", code="no_result", output=""), ("state", "error", "output")),
        (None, ("missing",)),
    ],
)
def test_only_what_work_came_to_is_a_difference(other: Part | None, differences: tuple[str, ...]) -> None:
    assert Pair(DONE, other).differences == Pair(other, DONE).differences == differences
    assert Pair(other, DONE).label == "first"


def test_a_pair_of_nothing_has_no_name() -> None:
    assert Pair(None, None).label == ""
