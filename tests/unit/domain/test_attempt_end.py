"""The end of an attempt, told to task, pool and slot in one append."""

from __future__ import annotations

import pytest
from claude_pool.domain import slot, task
from claude_pool.domain.attempts import RecordEnd
from claude_pool.domain.errors import WrongState
from claude_pool.domain.pool_events import FundsSettled, Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import ProcessEnded, SlotReleased
from claude_pool.domain.task_events import AttemptSucceeded, TaskCompleted
from claude_pool.domain.values import End

from tests.support.domain_story import NOW, Story, end, outcome, session_name, submit, warmed


def running() -> tuple[Story, str]:
    """One slot, and a task that runs in it."""
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0)
    story.settle()
    return story, task_id


def restarts(story: Story) -> int:
    """How often the slot's process ended by its own fault."""
    return story.world.slots["slot-0"].card.restarts


def test_an_end_tells_task_pool_and_slot_in_one_append() -> None:
    story, task_id = running()
    session, done = story.running(task_id).session, outcome(cost=7)
    assert end(story, task_id, done, rss_mb=300) == (
        Fact(task_id, AttemptSucceeded(1, done, NOW)),
        Fact(task_id, TaskCompleted()),
        Fact("pool", FundsSettled(f"{task_id}.1", 7, accounts=("day:1970-01-01",))),
        Fact("slot-0", SlotReleased(f"{task_id}.1", True, 7, 300, session)),
    )


def test_a_process_that_ended_with_the_attempt_is_told_of_too() -> None:
    story, task_id = running()
    facts = end(story, task_id, outcome(End.FAILED, "no_result", message="gone"), alive=False)
    assert facts[-1] == Fact("slot-0", ProcessEnded(1, False, None, 0, "gone", NOW))


@pytest.mark.parametrize("code", ["provider_error", "slot_failed", "no_result", "internal"])
def test_a_process_lost_with_a_failed_attempt_counts_against_its_slot(code: str) -> None:
    story, task_id = running()
    end(story, task_id, outcome(End.FAILED, code), alive=False)
    assert restarts(story) == 1


@pytest.mark.parametrize("code", ["session_not_found", "not_logged_in", "task_budget_reached"])
def test_what_is_not_the_slots_fault_does_not_count_against_it(code: str) -> None:
    story, task_id = running()
    end(story, task_id, outcome(End.FAILED, code), alive=False)
    assert restarts(story) == 0


def test_a_process_that_ends_after_a_success_does_not_count() -> None:
    story, task_id = running()
    end(story, task_id, outcome(), alive=False)
    assert restarts(story) == 0


def test_a_process_that_ends_by_itself_without_a_result_counts() -> None:
    story, task_id = running()
    end(story, task_id, outcome(End.INTERRUPTED), alive=False)
    assert restarts(story) == 1


def test_a_process_that_a_cancel_ended_does_not_count() -> None:
    story, task_id = running()
    story.do(task.CancelTask(task_id, NOW))
    end(story, task_id, outcome(End.FAILED, "slot_failed"), alive=False)
    assert restarts(story) == 0


def test_a_process_that_an_interruption_ended_does_not_count() -> None:
    story, task_id = running()
    story.do(task.InterruptAttempt(task_id, 1, "timed_out_task", NOW))
    end(story, task_id, outcome(End.FAILED, "slot_failed"), alive=False)
    assert restarts(story) == 0


@pytest.mark.parametrize(("number", "slot_id"), [(2, "slot-0"), (1, "slot-7")])
def test_the_end_of_an_attempt_that_is_not_live_there_is_refused(number: int, slot_id: str) -> None:
    story, task_id = running()
    before = len(story.log)
    with pytest.raises(WrongState):
        story.do(RecordEnd(task_id, number, slot_id, outcome(), session_name(1), True, 0, NOW))
    assert len(story.log) == before
    assert isinstance(story.world.slots["slot-0"], slot.Busy)
