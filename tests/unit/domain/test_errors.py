"""Messages of refusals: made from the class's docstring, with the facts in their places."""

from __future__ import annotations

import re

import pytest
from claude_pool.domain import errors
from claude_pool.domain.errors import CODES, BudgetExceeded, InvalidArgument, PoolError


def every_error(kind: type[PoolError] = PoolError) -> list[type[PoolError]]:
    """`kind` and all its kinds."""
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in every_error(below))]


def test_the_message_is_the_docstring_with_the_facts_in_place_on_one_line() -> None:
    refusal = BudgetExceeded(
        whose="the pool", spent_usd="$5", reserved_usd="$3", limit_usd="$10", needed_usd="$4"
    )
    assert refusal.message == (
        "The budget of the pool cannot cover this: $5 spent, $3 reserved, limit $10, needed $4. "
        "Raise the limit, lower the task's max_budget_usd, or reset the budget."
    )
    assert str(refusal) == refusal.message


def test_the_facts_stay_available_as_data() -> None:
    assert InvalidArgument(argument="tags", problem="too many").facts == {
        "argument": "tags",
        "problem": "too many",
    }


def test_a_fact_that_reads_like_a_placeholder_is_shown_as_it_is() -> None:
    assert InvalidArgument(argument="{problem}", problem="{argument}").message == "{problem}: {argument}"


def test_a_placeholder_without_a_fact_stays_visible() -> None:
    assert InvalidArgument(argument="tags").message == "tags: {problem}"


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_code_of_the_closed_list(kind: type[PoolError]) -> None:
    assert kind.code in CODES


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_message_that_fills_completely(kind: type[PoolError]) -> None:
    template = " ".join((kind.__doc__ or "").split())
    facts = dict.fromkeys(re.findall(r"\{(\w+)\}", template), "x")
    message = kind(**facts).message
    assert message
    assert "{" not in message


def test_codes_are_listed_once() -> None:
    assert len(set(CODES)) == len(CODES)


def test_the_module_names_every_error_in_its_tree() -> None:
    named = errors.__doc__ or ""
    own = [kind for kind in every_error() if kind.__module__ == errors.__name__]
    missing = [kind.__name__ for kind in own if f"`{kind.__name__}`" not in named]
    assert missing == []
