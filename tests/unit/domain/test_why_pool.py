"""Why the pool takes or starts no work."""

from __future__ import annotations

import pytest
from claude_pool.domain.answers import Answer
from claude_pool.domain.pool_events import (
    BudgetOpened,
    DrainStarted,
    FundsCharged,
    LaunchesHeld,
    LimitsSet,
    OwnerStopped,
    OwnerStopping,
    PoolOpened,
    PoolPaused,
    ProviderLimited,
    Settings,
    SoftLimitAsked,
)
from claude_pool.domain.records import Event
from claude_pool.domain.values import LimitKind
from claude_pool.domain.why_pool import POOL_TURNS, pool_answer
from claude_pool.domain.world import World

from tests.support.domain_answers import recorded, texts
from tests.support.domain_story import NOW, warmed, wear_out


def why(*events: Event) -> Answer:
    """Why a pool is as these facts make it."""
    world, log = World(), recorded(("pool", PoolOpened("p", NOW)), *(("pool", each) for each in events))
    for each in log:
        world.apply(each.position, each.stream, each.version, each.event)
    return pool_answer([each for each in log if isinstance(each.event, POOL_TURNS)], world, NOW)


def test_a_pool_whose_owner_has_ended_waits_for_another_one() -> None:
    answer = why(OwnerStopping(), OwnerStopped())
    assert (answer.state, answer.because[0].position) == ("stopped", 3)
    assert answer.because[0].text.startswith("no owner holds it: the last one ended since 1")
    assert answer.do is not None


def test_a_pool_that_nothing_holds_says_so() -> None:
    answer = why()
    assert (answer.subject, answer.state, answer.do) == ("pool", "open", None)
    assert texts(answer.because, "queue") == ["0 tasks pending, 0 running"]


@pytest.mark.parametrize(
    ("event", "reason", "said"),
    [
        (DrainStarted("finish"), "draining", "what is submitted is refused with draining"),
        (OwnerStopping(), "stopping", "its owner ends since 1"),
        (PoolPaused("provider_limit", NOW + 5), "provider_limit", "it is paused for provider_limit until 1"),
        (PoolPaused("lunch"), "paused", "until somebody resumes it since 1"),
        (LaunchesHeld(300, 700), "memory", "300 MB of 700 MB"),
        (BudgetOpened(0), "budget", "no money is free"),
    ],
)
def test_what_holds_the_pool_is_told_with_who_began_it(event: Event, reason: str, said: str) -> None:
    answer = why(event)
    assert (answer.state, answer.because[0].reason) == (reason, reason)
    assert said in answer.because[0].text
    assert answer.because[0].position == (None if reason == "budget" else 2)
    assert answer.do is not None


def test_what_the_provider_said_is_passed_on() -> None:
    limited = ProviderLimited(LimitKind.USAGE, NOW + 5, "task-a.1", "Come back later.", NOW)
    answer = why(limited, PoolPaused("provider_limit", NOW + 5))
    assert answer.because[0].text.endswith(": Come back later.")


def test_a_provider_that_bears_less_is_told() -> None:
    answer = why(ProviderLimited(LimitKind.RATE, None, "task-a.1", "Slow.", NOW, 1, 0))
    assert answer.because[0].reason == "provider_slow"


def test_a_soft_limit_is_told_with_its_question() -> None:
    asked = SoftLimitAsked("question-a", "pool", "", 5, 7, NOW)
    answer = why(BudgetOpened(100), LimitsSet("pool", 100, 5), FundsCharged("slot-0", 7, "stray"), asked)
    assert answer.state == "soft_limit"


def test_what_lies_too_far_back_has_no_position() -> None:
    world = World()
    for position, event in enumerate((PoolOpened("p", NOW), LaunchesHeld(1, 2)), 1):
        world.apply(position, "pool", position, event)
    assert pool_answer((), world, NOW).because[0].position is None


def test_slots_out_of_service_are_named() -> None:
    story = warmed(Settings(slots=1))
    wear_out(story)
    answer = pool_answer((), story.world, NOW)
    assert [each.reason for each in answer.because] == ["degraded", "quarantine", "queue"]
    assert answer.because[0].text == "1 of 1 slots are out of service"


def test_of_slots_only_those_out_of_service_are_named() -> None:
    story = warmed(Settings(slots=2))
    wear_out(story)
    answer = pool_answer((), story.world, NOW)
    assert [each.reason for each in answer.because] == ["quarantine", "queue"]
