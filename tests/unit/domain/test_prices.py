"""What an API call costs."""

from __future__ import annotations

import pytest
from claude_pool.domain.prices import PriceList, Rates, Served, dearest, microdollars
from hypothesis import given
from hypothesis import strategies as st

OPUS = Rates(5_000, 25_000, 500, 6_250, 10_000)
HAIKU = Rates(1_000, 5_000, 100, 1_250, 2_000)
LONG = Rates(3_000, 15_000, 300, 3_750, 6_000, long_above=200_000, long_factor=2)
DEAREST = Rates(15_000, 75_000, 1_500, 18_750, 30_000)
MODELS = {"claude-opus": OPUS, "claude-opus-4": HAIKU, "claude-long": LONG}
ALIASES = {"default": "claude-opus", "opus": "claude-opus", "haiku": "claude-opus-4"}
LIST = PriceList(MODELS, DEAREST, ALIASES, plan={"haiku": "claude-long"})


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("claude-opus", OPUS),
        ("claude-opus-4", HAIKU),
        ("claude-opus-4-20260101", HAIKU),
        ("claude-opus-5", OPUS),
        ("claude-opus[1m]", OPUS),
        ("claude-opusculum", DEAREST),
        ("", OPUS),
        (None, OPUS),
        ("default", OPUS),
        ("haiku", HAIKU),
        ("Opus[1m]", OPUS),
        ("sonnet", DEAREST),
    ],
)
def test_a_model_has_its_own_rates_or_those_of_the_longest_name_it_continues(
    model: str | None, rates: Rates
) -> None:
    assert LIST.rates(model) is rates


def test_each_class_of_tokens_has_its_price() -> None:
    assert LIST.cost("claude-opus", Served(1, 10, 100, 1_000, 10_000)) == (
        5_000 + 250_000 + 50_000 + 6_250_000 + 100_000_000
    )


def test_a_long_context_costs_more_from_its_first_token() -> None:
    below = Served(input=200_000)
    above = Served(input=1, output=1, cache_read=100_000, cache_write_5m=50_000, cache_write_1h=50_000)
    assert LIST.cost("claude-long", below) == 200_000 * 3_000
    assert above.context == 200_001
    assert LIST.cost("claude-long", above) == 2 * (
        3_000 + 15_000 + 100_000 * 300 + 50_000 * 3_750 + 50_000 * 6_000
    )


def test_output_does_not_make_a_context_long() -> None:
    assert Served(output=1_000_000).context == 0


@pytest.mark.parametrize(("nano", "micro"), [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (2_999, 3)])
def test_served_tokens_are_never_free(nano: int, micro: int) -> None:
    assert microdollars(nano) == micro


def test_without_a_model_of_its_own_a_list_knows_no_default() -> None:
    assert PriceList({}, DEAREST).rates(None) is DEAREST


def test_a_model_is_known_where_the_list_names_it() -> None:
    assert LIST.knows("claude-opus-5") and LIST.knows("haiku") and LIST.knows(None)
    assert not LIST.knows("gemini")


def test_a_call_costs_at_most_its_context_as_plain_input_and_the_longest_answer() -> None:
    assert LIST.next_call("haiku", 50_000) == (50_000 * 1_000 + 32_000 * 5_000) // 1_000
    assert LIST.next_call("claude-long", 200_001) == 2 * (200_001 * 3 + 32_000 * 15)
    short = PriceList({"a": Rates(1, 1, 1, 1, 1, max_output=10)}, DEAREST)
    assert (short.next_call("a", 1), short.least_call("a", 0)) == (1, 1)


def test_a_call_costs_at_least_a_short_answer() -> None:
    assert LIST.least_call("opus", 1_000) == (1_000 * 5_000 + 25_000) // 1_000


def test_in_plan_mode_the_dearer_of_the_two_models_holds() -> None:
    assert LIST.next_call("haiku", 9, "plan") == LIST.next_call("claude-long", 9)
    assert LIST.next_call("haiku", 9, "default") == LIST.next_call("claude-opus-4", 9)
    assert LIST.next_call("opus", 9, "plan") == LIST.next_call("opus", 9)
    cheap = PriceList(MODELS, DEAREST, ALIASES, plan={"opus": "claude-opus-4"})
    assert cheap.least_call("opus", 9, "plan") == LIST.least_call("opus", 9)


def test_plan_mode_turns_to_another_model_where_the_list_says_so() -> None:
    assert LIST.turned_to("Haiku", "plan") == "claude-long"
    assert LIST.turned_to("haiku", "default") == "haiku"
    assert LIST.turned_to(None, "plan") is None


@given(st.sampled_from([None, "haiku", "claude-long", "gemini"]), st.integers(0, 10**7))
def test_what_a_call_may_cost_grows_with_its_context(model: str | None, context: int) -> None:
    assert 0 < LIST.least_call(model, context) <= LIST.next_call(model, context)
    assert LIST.next_call(model, context) <= LIST.next_call(model, context + 1)
    served = Served(input=context // 2, cache_read=context - context // 2, output=300)
    assert microdollars(LIST.cost(model, served)) <= LIST.next_call(model, context)


def test_the_dearest_rates_are_the_highest_of_each_class() -> None:
    cheap_but_for_reading = Rates(1, 1, 5_000, 1, 1)
    assert dearest([LONG, cheap_but_for_reading]) == Rates(6_000, 30_000, 5_000, 7_500, 12_000)
