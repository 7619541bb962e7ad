"""The decision that gives a slot to a task: everything in one append, or a refusal that says why."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, slot
from claude_pool.domain.attempts import Claim
from claude_pool.domain.errors import BudgetExceeded, Paused, PoolError, SessionBusy, WrongState
from claude_pool.domain.options import launch_key
from claude_pool.domain.pool_events import FundsReserved, Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.task_events import AttemptStarted, SessionOpened
from claude_pool.domain.values import Options

from tests.support.domain_story import NOW, Story, end, opened, session_name, spec, submit, task_name, warmed

PLAIN = Options(permission_mode="plan", working_dir="/")


def claim(story: Story, task_id: str, slot_id: str = "slot-0") -> tuple[Fact, ...]:
    """Give the slot to the task."""
    return story.do(Claim(task_id, slot_id, "", NOW))


def refused(
    story: Story, task_id: str, error: type[PoolError], fragment: str, slot_id: str = "slot-0"
) -> None:
    """The claim is refused, and nothing changes."""
    before = len(story.log)
    with pytest.raises(error, match=fragment):
        claim(story, task_id, slot_id)
    assert len(story.log) == before


def test_a_claim_tells_slot_task_and_pool_in_one_append() -> None:
    story = warmed(limit=100)
    task_id = submit(story, 0, spec(max_budget=30, options=Options(timeout_ms=5_000, model="opus")))
    at = story.world.slots["slot-0"]
    assert isinstance(at, slot.Idle)
    session = at.process.spare or ""
    attempt = f"{task_id}.1"
    assert claim(story, task_id) == (
        Fact("slot-0", SlotClaimed(attempt, session, 1, launch_key(PLAIN, (None, None, None), ""))),
        Fact(
            task_id,
            AttemptStarted(1, "slot-0", NOW, 30, 30, NOW + 5_000, model="opus", permission_mode="plan"),
        ),
        Fact(task_id, SessionOpened(1, session, "fresh", "/")),
        Fact("pool", FundsReserved(attempt, 30, ("day:1970-01-01",))),
    )


def test_without_a_limit_no_money_is_set_aside() -> None:
    story = warmed()
    facts = claim(story, submit(story, 0))
    assert [type(fact.event) for fact in facts] == [SlotClaimed, AttemptStarted, SessionOpened]


def test_a_cold_slot_is_claimed_with_a_process_of_its_own() -> None:
    story = opened(Settings(slots=1))
    story.do(slot.AddSlot("slot-0"))
    facts = claim(story, submit(story, 0))
    claimed = facts[0].event
    assert isinstance(claimed, SlotClaimed)
    assert (claimed.replaces, claimed.launch) == (True, 1)


def test_a_task_that_is_not_pending_is_not_started() -> None:
    story = warmed()
    task_id = submit(story, 0)
    claim(story, task_id)
    refused(story, task_id, WrongState, "is running: it is not pending", "slot-1")


def test_a_task_that_does_not_exist_is_not_started() -> None:
    refused(warmed(), task_name(9), WrongState, "is absent: it is not pending")


def test_a_slot_that_is_not_free_is_not_claimed() -> None:
    story = warmed()
    claim(story, submit(story, 0))
    refused(story, submit(story, 1), WrongState, "slot-0 is busy: it is not free")


def test_a_slot_that_is_leaving_is_not_claimed() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    first = submit(story, 0)
    claim(story, first)
    story.do(slot.DrainSlot("slot-0"))
    end(story, first)
    refused(story, submit(story, 1), WrongState, "only an idle slot can be claimed")


def test_no_attempt_starts_while_the_pool_is_paused() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.do(pool.PausePool("not_logged_in"))
    refused(story, task_id, Paused, "not_logged_in")


def test_no_attempt_starts_while_the_owner_is_stopping() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.do(pool.StopOwner())
    refused(story, task_id, WrongState, "the pool is stopping")


def test_a_slot_that_the_task_did_not_ask_for_is_not_claimed() -> None:
    story = warmed()
    refused(story, submit(story, 0, spec(slot="slot-1")), WrongState, "the task is for slot-1")


def test_a_busy_conversation_is_not_entered() -> None:
    story = warmed()
    session = session_name(3)
    claim(story, submit(story, 0, spec(session=f"resume:{session}")))
    second = submit(story, 1, spec(session=f"resume:{session}"))
    refused(
        story, second, SessionBusy, f"Session {session} has a live attempt \\({task_name(0)}\\)", "slot-1"
    )


def test_a_used_conversation_is_not_given_to_a_fresh_task() -> None:
    story = warmed(Settings(slots=1))
    first = submit(story, 0)
    claim(story, first)
    end(story, first)
    refused(story, submit(story, 1), WrongState, "its conversation must be cleared first")


def test_an_attempt_that_cannot_be_paid_does_not_start() -> None:
    story = warmed(limit=100)
    first = submit(story, 0, spec(max_budget=80))
    second = submit(story, 1, spec(max_budget=30))
    claim(story, first)
    refused(story, second, BudgetExceeded, r"0080 reserved, limit \$0\.000100, needed \$0\.000030", "slot-1")
