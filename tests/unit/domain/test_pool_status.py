"""The pool as its callers see it."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, slot
from claude_pool.domain.messaging import COORDINATOR, SendMessage
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.pool_status import PauseStatus, SlotStatus, pool_status, serving, slot_status
from claude_pool.domain.values import End, Options, Text

from tests.support.domain_story import NOW, Story, answer_launches, end, opened, outcome, spec, submit, warmed


def states(story: Story) -> list[str]:
    """The public words for the slots' states, in number order."""
    return [seen.state for seen in pool_status(story.world, "0.1.0").slots]


def test_an_empty_log_has_an_empty_pool() -> None:
    status = pool_status(Story().world, "0.1.0")
    assert (status.total_slots, status.position, status.version) == (0, 0, "0.1.0")
    assert (status.draining, status.paused, status.budget_microdollars) == (False, None, None)


def test_what_waits_for_the_coordinator_is_counted() -> None:
    story = warmed()
    story.do(SendMessage("msg-1", "slot-0", COORDINATOR, Text(inline="hello", size=5), NOW))
    story.do(SendMessage("msg-2", "slot-0", "slot-1", Text(inline="hello", size=5), NOW))
    assert pool_status(story.world, "0.1.0").waiting_messages == 1


def test_slots_are_counted_by_what_they_do() -> None:
    story = warmed(Settings(slots=3))
    submit(story, 0)
    story.settle()
    status = pool_status(story.world, "0.1.0")
    assert (status.total_slots, status.idle_slots, status.busy_slots, status.failed_slots) == (3, 2, 1, 0)
    assert states(story) == ["busy", "idle", "idle"]


def test_tasks_are_counted_by_their_states() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    for number, what in enumerate((outcome(), outcome(End.FAILED), outcome(End.FAILED, retryable=True))):
        task_id = submit(story, number, spec(retries=1))
        story.settle()
        end(story, task_id, what)
    submit(story, 3)
    story.settle()
    submit(story, 4)
    status = pool_status(story.world, "0.1.0")
    assert (status.completed_tasks, status.failed_tasks, status.cancelled_tasks) == (1, 1, 0)
    assert (status.parked_tasks, status.running_tasks, status.pending_tasks) == (1, 1, 1)
    assert (status.sealed_tasks, status.pending_review_tasks) == (0, 0)


def test_money_is_shown_in_microdollars() -> None:
    story = warmed(Settings(slots=1, session="slot"), limit=100)
    done = submit(story, 0)
    story.settle()
    end(story, done, outcome(cost=30))
    submit(story, 1, spec(max_budget=50))
    story.settle()
    status = pool_status(story.world, "0.1.0")
    assert (status.spent_microdollars, status.reserved_microdollars, status.budget_microdollars) == (
        30,
        50,
        100,
    )


def test_drain_and_pause_are_shown() -> None:
    story = warmed()
    story.do(pool.StartDrain("finish"))
    story.do(pool.PausePool("provider_limit", 90))
    status = pool_status(story.world, "0.1.0")
    assert status.draining
    assert status.paused == PauseStatus("provider_limit", 90)


def test_a_slot_that_is_made_ready_is_starting() -> None:
    story = opened(Settings(slots=1))
    story.do(slot.AddSlot("slot-0"))
    assert states(story) == ["starting"]
    story.settle()
    assert states(story) == ["starting"]


def test_a_slot_that_is_cleared_is_starting() -> None:
    story = warmed(Settings(slots=1))
    done = submit(story, 0)
    story.settle()
    end(story, done)
    story.settle()
    assert states(story) == ["starting"]


def test_a_busy_slot_that_is_leaving_is_draining_and_counts_as_busy() -> None:
    story = warmed(Settings(slots=1))
    submit(story, 0)
    story.settle()
    story.do(slot.DrainSlot("slot-0"))
    assert states(story) == ["draining"]
    assert pool_status(story.world, "0.1.0").busy_slots == 1


def test_a_slot_whose_process_is_being_ended_is_draining_then_stopped() -> None:
    story = warmed(Settings(slots=1))
    story.do(pool.StartDrain("finish"))
    story.settle()
    assert states(story) == ["draining"]
    story.do(slot.RecordProcessEnded("slot-0", True, 0, 0, "", NOW))
    assert states(story) == ["stopped"]


def test_a_slot_that_left_for_good_is_not_shown() -> None:
    story = warmed(Settings(slots=2))
    story.do(slot.DrainSlot("slot-1"))
    story.do(slot.RecordProcessEnded("slot-1", True, 0, 0, "", NOW))
    assert [at.card.slot_id for at in serving(story.world)] == ["slot-0"]


def test_a_failed_slot_says_why() -> None:
    story = opened(Settings(slots=1))
    for second in range(3):
        story.settle(NOW + second * 1_000)
        starting = story.world.slots["slot-0"]
        assert isinstance(starting, slot.Starting)
        failed = slot.RecordLaunchFailed("slot-0", starting.launch, "slot_failed", "No CLI.", NOW)
        story.do(failed)
    status = pool_status(story.world, "0.1.0")
    assert (status.failed_slots, status.slots[0].state, status.slots[0].problem) == (1, "failed", "No CLI.")


def test_a_slot_shows_who_it_is_and_what_it_runs() -> None:
    story = warmed(Settings(slots=1, options=Options(model="haiku")))
    story.do(slot.ConfigureSlot("slot-0", "Ada", "builder", "Builds."))
    done = submit(story, 0)
    story.settle()
    answer_launches(story)
    session = story.running(done).session
    end(story, done, outcome(cost=5))
    assert slot_status(story.world, story.world.slots["slot-0"]) == SlotStatus(
        "slot-0", "idle", "Ada", "builder", "Builds.", None, session, "haiku", 0, 1, 5
    )


@pytest.mark.parametrize(
    ("task_model", "slot_model", "shown"),
    [(None, None, "haiku"), (None, "sonnet", "sonnet"), ("opus", "sonnet", "opus")],
)
def test_a_busy_slot_shows_the_model_of_its_task(
    task_model: str | None, slot_model: str | None, shown: str
) -> None:
    story = warmed(Settings(slots=1, options=Options(model="haiku")))
    story.do(slot.ConfigureSlot("slot-0", options=Options(model=slot_model)))
    task_id = submit(story, 0, spec(options=Options(model=task_model)))
    story.settle()
    seen = slot_status(story.world, story.world.slots["slot-0"])
    assert (seen.state, seen.task_id, seen.model) == ("busy", task_id, shown)
    assert seen.session_id == story.running(task_id).session
