"""When the owner's timer rings next: never for nothing, and never for ever."""

from __future__ import annotations

from claude_pool.domain import pool, task
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.stuck import END_MS
from claude_pool.domain.values import End, Options

from tests.support.domain_claims import check_wake
from tests.support.domain_story import NOW, end, outcome, spec, submit, warmed


def test_a_pool_at_rest_needs_no_timer() -> None:
    assert next_wake(warmed().world) is None


def test_the_timer_rings_at_the_earliest_deadline() -> None:
    story = warmed()
    submit(story, 0, spec(options=Options(timeout_ms=9_000)))
    submit(story, 1, spec(options=Options(timeout_ms=4_000)))
    story.settle()
    assert check_wake(story, NOW) == NOW + 4_000


def test_an_interrupted_attempt_needs_a_timer_only_for_its_end() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(options=Options(timeout_ms=4_000)))
    story.settle()
    story.do(task.InterruptAttempt(task_id, 1, "task_budget_reached", NOW))
    assert check_wake(story, NOW) == NOW + END_MS


def test_a_cancelled_attempt_needs_a_timer_only_for_its_end() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(options=Options(timeout_ms=40_000)))
    story.settle()
    story.do(task.CancelTask(task_id, NOW))
    assert check_wake(story, NOW) == NOW + END_MS


def test_the_timer_rings_when_a_backoff_is_over() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True))
    assert check_wake(story, NOW) == NOW + 1_000


def test_the_timer_rings_when_a_pause_is_over() -> None:
    story = warmed()
    story.do(pool.PausePool("provider_limit", NOW + 500))
    assert check_wake(story, NOW) == NOW + 500


def test_a_pause_without_an_end_needs_no_timer() -> None:
    story = warmed()
    story.do(pool.PausePool("not_logged_in"))
    assert next_wake(story.world) is None


def test_the_timer_rings_when_a_task_has_queued_for_too_long() -> None:
    story = warmed(Settings(slots=1, queue_timeout_ms=2_000))
    submit(story, 0)
    submit(story, 1)
    story.settle()
    assert check_wake(story, NOW) == NOW + 2_000


def test_a_pool_without_an_owner_needs_no_timer() -> None:
    story = warmed()
    story.do(pool.PausePool("provider_limit", NOW + 500))
    story.do(pool.StopOwner())
    story.do(pool.RecordOwnerStopped())
    assert next_wake(story.world) is None


def test_a_task_that_waits_for_money_needs_no_timer() -> None:
    story = warmed(limit=100)
    submit(story, 0, spec(max_budget=80))
    submit(story, 1, spec(max_budget=80))
    story.settle()
    assert len(story.world.parked) == 1
    assert next_wake(story.world) is None


def test_waiting_for_money_does_not_hide_another_time() -> None:
    story = warmed(limit=100)
    submit(story, 0, spec(max_budget=80))
    submit(story, 1, spec(max_budget=80))
    story.settle()
    story.do(pool.PausePool("provider_limit", NOW + 500))
    assert check_wake(story, NOW) == NOW + 500
