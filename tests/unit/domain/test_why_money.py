"""Why nothing more starts for money."""

from __future__ import annotations

import pytest
from claude_pool.domain.answers import Answer
from claude_pool.domain.pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    FundsCharged,
    FundsReserved,
    LimitsSet,
    PoolOpened,
    SoftLimitAnswered,
    SoftLimitAsked,
)
from claude_pool.domain.records import Event
from claude_pool.domain.why_money import LIMIT_TURNS, money_answer
from claude_pool.domain.world import World

from tests.support.domain_answers import recorded, texts
from tests.support.domain_story import NOW

ASKED = SoftLimitAsked("question-a", "pool", "", 5, 7, NOW)
SPENT = FundsCharged("slot-0", 7, "stray")


def why(*events: Event, scope: str = "pool") -> Answer:
    """Why the money of a scope is as these facts make it."""
    world, log = World(), recorded(("pool", PoolOpened("p", NOW)), *(("pool", each) for each in events))
    for each in log:
        world.apply(each.position, each.stream, each.version, each.event)
    return money_answer(scope, [e for e in log if isinstance(e.event, LIMIT_TURNS)], world, NOW)


@pytest.mark.parametrize(
    ("events", "state", "advised"),
    [
        ((), "unlimited", False),
        ((BudgetOpened(100),), "free", False),
        ((BudgetOpened(100), FundsReserved("task-a.1", 100)), "reserved", False),
        ((BudgetOpened(7), SPENT), "exhausted", True),
        ((BudgetOpened(100), LimitsSet("pool", 100, 5), SPENT, ASKED), "soft_limit", True),
        (
            (BudgetOpened(100), LimitsSet("pool", 100, 5), SPENT, ASKED,
             SoftLimitAnswered("question-a", "pool", "", "stop", None, 7, NOW)),
            "stopped", False,
        ),
    ],
)  # fmt: skip
def test_the_present_is_told_in_one_word_and_a_sentence(
    events: tuple[Event, ...], state: str, advised: bool
) -> None:
    answer = why(*events)
    assert (answer.subject, answer.state, answer.because[0].reason) == ("budget", state, state)
    assert (answer.do is not None) is advised


def test_who_holds_money_is_named_the_largest_first() -> None:
    answer = why(*(FundsReserved(f"task-{n}.1", n * 10_000) for n in range(1, 11)))
    held = texts(answer.because, "reserved")
    assert held[0].startswith("task-10.1 has $0.1")
    assert held[-1].startswith("2 more attempts have $0.03")


def test_only_holders_of_the_account_are_named() -> None:
    events = (
        LimitsSet("tag:a", 90_000),
        FundsReserved("task-a.1", 10_000, ("day:2000-01-01", "tag:a")),
        FundsReserved("task-b.1", 10_000),
    )
    answer = why(*events, scope="tag:a")
    assert answer.subject == "tag:a"
    assert [text.partition(" ")[0] for text in texts(answer.because, "reserved")] == ["task-a.1"]


def test_each_change_of_a_limit_is_told_with_who_made_it() -> None:
    events = (
        BudgetOpened(100_000),
        BudgetLimitChanged(None),
        LimitsSet("tag:a", 1),
        LimitsSet("pool", 300_000, 200_000),
        SoftLimitAnswered("question-a", "pool", "", "continue", None, None, NOW),
    )
    answer = why(*events)
    limits = [each for each in answer.because if each.reason == "limit"]
    assert [each.position for each in limits] == [2, 3, 5, 6]
    assert [each.text.partition(" at ")[0] for each in limits] == [
        "counted anew, a limit of $0.100000", "no limit", "a limit of $0.300000, a soft one of $0.200000",
        "the soft limit was answered with continue",
    ]  # fmt: skip
    assert limits[0].text.endswith(" by somebody at a shell")
    of_tag = [text.partition(" at ")[0] for text in texts(why(*events, scope="tag:a").because, "limit")]
    assert of_tag == ["counted anew, no limit", "a limit of $0.000001"]
