"""Why an attempt cost what it did: the tokens, the model, and the prices of now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain.pool_events import FundsSettled
from claude_pool.domain.records import Event
from claude_pool.domain.task_events import AttemptStarted, AttemptSucceeded
from claude_pool.domain.values import End, Tokens
from claude_pool.domain.why_cost import money_of

from tests.support.domain_answers import PRICES, recorded, texts
from tests.support.domain_story import NOW, outcome, task_name

T = task_name(0)
ATTEMPT = f"{T}.1"
HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"


def settled(
    model: str | None, tokens: Tokens, cost: int, *before: tuple[str, Event], unpriced: bool = False
) -> str:
    """What is said of an attempt that was settled at `cost`."""
    end = replace(outcome(End.SUCCEEDED, cost=cost), model=model, tokens=tokens, unpriced=unpriced)
    facts = (*before, (T, AttemptSucceeded(1, end, NOW)), ("pool", FundsSettled(ATTEMPT, cost)))
    (text,) = texts(money_of(recorded(*facts), PRICES), "settled")
    return text.removeprefix(f"{ATTEMPT} was settled at ")


@pytest.mark.parametrize(
    ("model", "tokens", "cost", "told"),
    [
        (SONNET, Tokens(100, 20), 400, "100 input, 20 output tokens of claude-sonnet-5-5: "
                                       "100 × $2 + 20 × $10 a million"),
        (HAIKU, Tokens(1_000, 0, 500, 8), 106,
         "1000 input, 500 cache read, 8 cache written tokens of claude-haiku-5-5: "
         "1000 × $0.1 + 500 × $0.01 + 8 × $0.125 a million"),
        (HAIKU, Tokens(1_000, 0, 500, 8), 107,
         "1000 input, 500 cache read, 8 cache written tokens of claude-haiku-5-5: "
         "1000 × $0.1 + 500 × $0.01 + 8 × $0.2 a million"),
        (HAIKU, Tokens(200_000), 100_000, "200000 input tokens of claude-haiku-5-5: "
                                          "5 × (200000 × $0.1) a million"),
    ],
)  # fmt: skip
def test_the_prices_of_now_explain_a_cost_to_the_microdollar(
    model: str, tokens: Tokens, cost: int, told: str
) -> None:
    assert settled(model, tokens, cost) == f"$0.{cost:06}, as the CLI says, for {told}"


def test_a_cost_that_the_prices_of_now_do_not_come_to_says_so() -> None:
    assert settled(SONNET, Tokens(100, 20), 500).endswith(
        "tokens of claude-sonnet-5-5; by the price list of now 100 × $2 + 20 × $10 a million are $0.000400: "
        "it has changed since, or other models had a part"
    )


def test_a_cost_that_was_estimated_in_part_says_so_and_blames_no_price_list() -> None:
    end = replace(outcome(End.SUCCEEDED, cost=500), model=SONNET, tokens=Tokens(100, 20), estimated=True)
    facts = ((T, AttemptSucceeded(1, end, NOW)), ("pool", FundsSettled(ATTEMPT, 500, True)))
    (text,) = texts(money_of(recorded(*facts), PRICES), "settled")
    assert text.endswith("are $0.000400: the rest is an estimate of what the CLI did not tell")


def test_a_cost_with_prices_of_long_contexts_may_come_of_those() -> None:
    told = settled(HAIKU, Tokens(200_000), 50_000)
    assert told.endswith("it has changed since, or other models or long contexts had a part")


def test_a_model_that_the_price_list_does_not_name_costs_the_dearest() -> None:
    assert settled("odd", Tokens(100), 1_000, unpriced=True).endswith(
        "for 100 input tokens of odd, which the price list does not name: 100 × $10 a million"
    )


def test_a_model_that_the_cli_turned_to_names_the_one_that_was_asked_for() -> None:
    plan = (T, AttemptStarted(1, "slot-0", NOW, model="haiku", permission_mode="plan"))
    turned = " (asked for haiku; the CLI turns to this one in permission mode plan)"
    assert f"of {SONNET}{turned}: 100" in settled(SONNET, Tokens(100, 20), 400, plan)
    assert "asked for" not in settled(HAIKU, Tokens(100, 20), 20, plan)
    edits = (T, AttemptStarted(1, "slot-0", NOW, model="haiku", permission_mode="acceptEdits"))
    assert "asked for" not in settled(SONNET, Tokens(100, 20), 400, edits)


def test_without_a_model_or_tokens_there_is_nothing_to_multiply() -> None:
    assert settled(None, Tokens(), 0) == "$0.000000, as the CLI says"
    assert settled(SONNET, Tokens(), 7) == f"$0.000007, as the CLI says, for no tokens of {SONNET}"
