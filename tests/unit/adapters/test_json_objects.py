"""JSON found in what a model wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from claude_pool.adapters.json_objects import MOST_TRIES, objects_in
from hypothesis import given
from hypothesis import strategies as st

ROUTE = {"route": "parallel", "prompts": ["close } this", 'and "{" that', "```json\n{}\n```"]}
TEXT = json.dumps(ROUTE)

AROUND = [
    TEXT,
    f"\n  {TEXT}\n",
    f"```json\n{TEXT}\n```",
    f"```\n{json.dumps(ROUTE, indent=2)}\n```",
    f"Here is the route:\n\n{TEXT}\n\nIt has two parts.",
    f"Use {{braces}} with care: {TEXT} {{",
]


@pytest.mark.parametrize("text", AROUND)
def test_an_object_is_found_in_fences_and_between_words(text: str) -> None:
    assert objects_in(text) == [ROUTE]


@pytest.mark.parametrize(
    "text", ["", "single", "[1, 2]", '{"route": "single"', "{'route': 'single'}", "{" * 9]
)
def test_where_no_object_is_whole_none_is_found(text: str) -> None:
    assert objects_in(text) == []


def test_all_objects_are_found_in_order_and_inner_ones_belong_to_theirs() -> None:
    assert objects_in('{"a": {"b": 1}} and {"c": 2}') == [{"a": {"b": 1}}, {"c": 2}]


def test_half_a_character_becomes_a_question_mark() -> None:
    assert objects_in(r'{"a": "x\ud800y"}') == [{"a": "x?y"}]


def test_what_is_nested_without_end_is_skipped() -> None:
    assert objects_in('{"a":' * 100_000 + " {}") == []
    assert objects_in('{"a": ' + "[" * 100_000) == []


def test_a_text_of_braces_is_given_up() -> None:
    assert objects_in("{ " * MOST_TRIES + TEXT) == []


@given(st.text() | st.text('{}[]":,abc\\u0d8 \n`', max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    assert all(type(each) is dict for each in objects_in(text))


@given(st.text("ab {\n`:", max_size=30), st.text("ab }\n`:", max_size=30))
def test_an_object_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    found: list[dict[str, Any]] = objects_in(before + TEXT + after)
    assert ROUTE in found
