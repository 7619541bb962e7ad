"""What an API call costs."""

from __future__ import annotations

import pytest
from claude_pool.domain.prices import PriceList, Rates, Served, microdollars

OPUS = Rates(5_000, 25_000, 500, 6_250, 10_000)
HAIKU = Rates(1_000, 5_000, 100, 1_250, 2_000)
LONG = Rates(3_000, 15_000, 300, 3_750, 6_000, long_above=200_000, long_factor=2)
DEAREST = Rates(15_000, 75_000, 1_500, 18_750, 30_000)
LIST = PriceList({"claude-opus": OPUS, "claude-opus-4": HAIKU, "claude-long": LONG}, DEAREST)


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("claude-opus", OPUS),
        ("claude-opus-4", HAIKU),
        ("claude-opus-4-20260101", HAIKU),
        ("claude-opus-5", OPUS),
        ("claude-opus[1m]", OPUS),
        ("claude-opusculum", DEAREST),
        ("", DEAREST),
        (None, DEAREST),
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
