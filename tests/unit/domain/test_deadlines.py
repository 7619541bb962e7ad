"""What the passing of time brings about, by command and on record."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, task
from claude_pool.domain.pool_events import PoolResumed, Settings
from claude_pool.domain.values import End, Options

from tests.support.domain_claims import check_wake
from tests.support.domain_story import NOW, answer_clears, end, outcome, spec, submit, warmed


def test_an_attempt_past_its_deadline_is_interrupted() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(options=Options(timeout_ms=4_000)))
    story.settle()
    assert story.settle(NOW + 3_999) == []
    expired = task.InterruptAttempt(task_id, 1, "timed_out_task", NOW + 4_000)
    assert story.settle(NOW + 4_000) == [expired]


def test_an_attempt_that_ended_before_its_interruption_took_hold_has_succeeded() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(options=Options(timeout_ms=4_000)))
    story.settle()
    story.settle(NOW + 4_000)
    end(story, task_id, outcome())
    assert isinstance(story.state_of(task_id), task.Completed)


def test_an_interrupted_attempt_failed_by_the_limit_it_reached() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(options=Options(timeout_ms=4_000), retries=3))
    story.settle()
    story.settle(NOW + 4_000)
    end(story, task_id, outcome(End.INTERRUPTED))
    after = story.state_of(task_id)
    assert isinstance(after, task.Failed)
    assert (after.code, after.retryable) == ("timed_out_task", False)
    assert after.message == "The attempt ran longer than its timeout_seconds."


def test_a_pause_ends_by_itself_at_its_time() -> None:
    story = warmed()
    story.do(pool.PausePool("provider_limit", NOW + 1_000))
    task_id = submit(story, 0)
    story.settle(NOW + 999)
    assert task_id not in story.world.running
    story.settle(NOW + 1_000)
    assert task_id in story.world.running
    assert PoolResumed() in story.events_of("pool")


def test_a_task_that_finds_no_slot_in_time_is_given_up() -> None:
    story = warmed(Settings(slots=1, queue_timeout_ms=2_000))
    submit(story, 0)
    second = submit(story, 1)
    story.settle()
    assert story.settle(NOW + 1_999) == []
    story.settle(NOW + 2_000)
    after = story.state_of(second)
    assert isinstance(after, task.Failed)
    assert after.code == "timed_out_queue"
    assert after.message == "No slot was free for it in time. Add slots, or raise the queue timeout."


@pytest.mark.parametrize(("reason", "until"), [("budget", None), ("provider_limit", NOW + 9_000)])
def test_a_task_that_is_parked_before_it_ever_ran_is_given_up_in_time(reason: str, until: int | None) -> None:
    story = warmed(Settings(slots=1, queue_timeout_ms=2_000), limit=100)
    submit(story, 0, spec(max_budget=80))
    second = submit(story, 1, spec(max_budget=80))
    story.do(task.ParkTask(second, reason, until))
    story.settle()
    assert check_wake(story, NOW) == NOW + 2_000
    story.settle(NOW + 2_000)
    after = story.state_of(second)
    assert isinstance(after, task.Failed)
    assert after.code == "timed_out_queue"
    assert f"({reason})" in after.message


def test_a_parked_task_that_has_run_is_not_given_up_for_the_time_it_waits() -> None:
    story = warmed(Settings(slots=1, queue_timeout_ms=2_000))
    task_id = submit(story, 0, spec(retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True))
    story.do(task.UnparkTask(task_id))
    story.do(task.ParkTask(task_id, "provider_limit", NOW + 90_000))
    story.settle(NOW + 60_000)
    assert isinstance(story.state_of(task_id), task.Parked)


def test_a_paused_pool_does_not_stretch_the_queue_deadline() -> None:
    story = warmed(Settings(slots=1, queue_timeout_ms=2_000))
    story.do(pool.PausePool("provider_limit", NOW + 60_000))
    task_id = submit(story, 0)
    story.settle(NOW + 2_000)
    assert isinstance(story.state_of(task_id), task.Failed)


def test_a_task_that_has_run_is_not_given_up_for_the_time_it_ran() -> None:
    story = warmed(Settings(slots=1, queue_timeout_ms=2_000))
    task_id = submit(story, 0, spec(retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True), now=NOW + 60_000)
    story.settle(NOW + 61_000)
    answer_clears(story)
    story.settle(NOW + 61_000)
    assert story.running(task_id).number == 2


def test_a_task_that_has_run_and_waits_again_needs_no_timer() -> None:
    story = warmed(Settings(slots=1, queue_timeout_ms=2_000))
    task_id = submit(story, 0, spec(retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True))
    submit(story, 1, spec(priority=1))
    story.settle(NOW + 1_000)
    answer_clears(story)
    story.settle(NOW + 1_000)
    assert [name for _, _, name in story.world.pending] == [task_id]
    assert story.settle(NOW + 60_000) == []
