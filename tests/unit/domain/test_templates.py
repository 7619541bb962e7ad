"""Placeholders: found, and filled in one pass."""

from __future__ import annotations

from claude_pool.domain.templates import fill, near_misses, placeholders
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("previous_output", "error", "steps.a.output", "steps.b.v")
pieces = st.sampled_from(
    [*(f"{{{name}}}" for name in NAMES), "{", "}", "{steps.", "a.output}", "previous_output}", "\\1", "text"]
)
values = st.lists(pieces, max_size=6).map("".join)


def test_each_placeholder_is_named_once_in_order() -> None:
    found = placeholders("{steps.b.v} {previous_output} {steps.b.v} {error} {other} {steps.a b}")
    assert found == ("steps.b.v", "previous_output", "error")


def test_what_looks_like_a_placeholder_is_found_beside_real_ones() -> None:
    text = "{previous_output} {previous_output } {prev} {steps} {other} {step_1}"
    assert near_misses(text) == ("previous_output ", "prev", "steps", "step_1")


def test_a_placeholder_without_a_value_stays() -> None:
    assert fill("{error} {previous_output} {x}", {"error": "E"}) == "E {previous_output} {x}"


@given(st.lists(pieces, max_size=8), st.fixed_dictionaries(dict.fromkeys(NAMES, values)))
def test_no_value_can_add_a_placeholder(parts: list[str], given_values: dict[str, str]) -> None:
    """What is filled is the template's own text with each of its placeholders replaced, and nothing else."""
    template = "".join(parts)
    marked = fill(template, {name: f"\0{name}\0" for name in NAMES})
    own = marked.split("\0")
    expected = "".join(given_values[part] if number % 2 else part for number, part in enumerate(own))
    assert fill(template, given_values) == expected
