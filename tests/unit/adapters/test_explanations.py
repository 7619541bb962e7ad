"""Which events answer why, and the answer as callers see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from claude_pool.adapters import explanations
from claude_pool.adapters.explanations import evidence, subject_of, why_view
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.views import View
from claude_pool.domain.chain_events import ChainSubmitted, Plan, Step, StepStarted
from claude_pool.domain.errors import InvalidArgument, NotFound
from claude_pool.domain.pool_events import (
    BudgetOpened,
    FundsReserved,
    FundsSettled,
    FundsToppedUp,
    LimitsSet,
    PoolOpened,
    PoolPaused,
)
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.slot_events import SlotAdded
from claude_pool.domain.task_events import (
    AttemptStarted,
    AttemptSucceeded,
    SessionOpened,
    TaskCompleted,
    TaskSubmitted,
)
from claude_pool.domain.values import End, Outcome
from claude_pool.domain.world import World

from tests.support.domain_answers import PRICES
from tests.support.domain_story import NOW, spec, task_name

TASK, OTHER, IN_CHAIN = task_name(0), task_name(1), task_name(2)
CHAIN = "chain-aaaaaaaaaaaaaaaa"


class Told:
    """A log in memory, its view, and the answers."""

    def __init__(self) -> None:
        """Begin empty."""
        self.log = MemoryEventLog(default_codec())
        self.world = World()

    def append(self, *facts: tuple[str, Event], actor: Actor = Actor.POLICY) -> None:
        """One append."""
        position = self.log.head().position
        meta = Meta(NOW, f"cmd-{position}", "call-1", actor, position or None)
        expected = {stream: self.world.versions.get(stream, 0) for stream, _ in facts}
        for r in self.log.append([Fact(*fact) for fact in facts], expected, meta):
            self.world.apply(r.position, r.stream, r.version, r.event)

    def why(self, name: str) -> View:
        """Why it is as it is."""
        asked = subject_of(name)
        found = evidence(self.log, asked, self.world.versions.get(name, 0))
        return why_view(asked, found, self.world, NOW, PRICES)


@pytest.fixture
def told() -> Iterator[Told]:
    """A log of one task that completed after its money was raised, and one that waits."""
    made = Told()
    made.append(("pool", PoolOpened("pool", NOW)), ("pool", BudgetOpened(1_000_000)), actor=Actor.RECOVERY)
    made.append(("slot-0", SlotAdded("slot-0")))
    made.append((TASK, TaskSubmitted(TASK, spec(), "f", NOW)), actor=Actor.COORDINATOR)
    made.append((OTHER, TaskSubmitted(OTHER, spec(), "f", NOW)), actor=Actor.COORDINATOR)
    attempt = f"{TASK}.1"
    made.append(
        (TASK, AttemptStarted(1, "slot-0", NOW, 100)), (TASK, SessionOpened(1, "s", "fresh", "/w")),
        ("pool", FundsReserved(attempt, 100)), ("pool", FundsReserved(f"{OTHER}.9", 1)),
    )  # fmt: skip
    made.append(("pool", FundsToppedUp(f"{OTHER}.9", 1)))
    made.append(("pool", FundsToppedUp(attempt, 50)))
    done = Outcome(End.SUCCEEDED, cost=120, turns=1)
    made.append(
        (TASK, AttemptSucceeded(1, done, NOW + 5)), (TASK, TaskCompleted()),
        ("pool", FundsSettled(attempt, 120)), actor=Actor.SLOT,
    )  # fmt: skip
    yield made
    made.log.close()


def words(view: View) -> list[str]:
    """The words for programs."""
    return [each["reason"] for each in view["because"]]


def test_a_task_is_told_with_the_money_of_its_own_attempts(told: Told) -> None:
    view = told.why(TASK)
    assert (view["state"], view["question"]) == ("completed", "completed")
    assert words(view) == ["completed", "reserved", "topped_up", "settled", "submitted"]
    assert [each["event"] for each in view["story"]] == [
        "task.submitted", "attempt.started", "session.opened", "attempt.succeeded", "task.completed",
    ]  # fmt: skip
    drawn = [(each["depth"], each["event"]) for each in view["tree"]]
    assert drawn[:3] == [(0, "call"), (1, "task.submitted"), (2, "attempt.started")]
    assert (3, "funds.topped_up") in drawn


def test_a_task_that_waits_keeps_the_word_of_its_view(told: Told) -> None:
    told.append(("pool", PoolPaused("not_logged_in")))
    view = told.why(OTHER)
    assert (view["question"], view["reason"], words(view)[0]) == ("waits", "not_logged_in", "not_logged_in")
    assert view["ahead"] == 0
    assert "claude-pool resume" in view["do"]


def test_a_chain_is_told_with_its_steps_tasks(told: Told) -> None:
    plan = Plan((Step("a", spec()),))
    told.append(
        (CHAIN, ChainSubmitted(CHAIN, plan, "f", NOW)), (CHAIN, StepStarted("a", 1, IN_CHAIN)),
        (IN_CHAIN, TaskSubmitted(IN_CHAIN, spec(), "f", NOW)), actor=Actor.COORDINATOR,
    )  # fmt: skip
    view = told.why(CHAIN)
    assert (view["question"], view["reason"]) == ("waits", "step a: slot")
    assert [(each["depth"], each["stream"]) for each in view["tree"]] == [
        (0, CHAIN), (1, CHAIN), (2, CHAIN), (3, IN_CHAIN),
    ]  # fmt: skip


def test_a_slot_the_pool_and_money_are_told_too(told: Told) -> None:
    told.append(("pool", PoolPaused("lunch")), actor=Actor.SHELL)
    assert told.why("slot-0")["question"] == "stands"
    assert told.why("pool")["state"] == "paused"
    assert told.why("budget") == told.why("money")
    assert words(told.why("budget")) == ["free", "reserved", "limit"]
    told.append(("pool", LimitsSet("tag:a", 7)), ("pool", LimitsSet("day", 9)))
    assert (told.why("tag:a")["id"], words(told.why("tag:a"))[-1]) == ("tag:a", "limit")
    assert told.why("day")["id"] == "day:1970-01-01"
    assert told.why("day:1970-01-01") == told.why("day")


def test_who_set_the_limit_is_told_of_a_log_that_has_grown_long_since(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanations, "STRETCH", 3)

    (limit,) = [each for each in told.why("budget")["because"] if each["reason"] == "limit"]

    assert limit["position"] == 2


@pytest.mark.parametrize(
    "name", [task_name(9), "chain-bbbbbbbbbbbbbbbb", "slot-7", "tag:x", "day:2020-01-01"]
)
def test_what_never_was_is_not_found(told: Told, name: str) -> None:
    with pytest.raises(NotFound):
        told.why(name)


@pytest.mark.parametrize("name", ["", "task-1", "msg-a", "tag:", "day:soon", "Pool"])
def test_what_names_nothing_is_an_invalid_argument(told: Told, name: str) -> None:
    with pytest.raises(InvalidArgument):
        told.why(name)
