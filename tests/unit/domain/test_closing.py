"""What one who answers a closed question is told, also under a later owner."""

from __future__ import annotations

import pytest
from claude_pool.domain.closing import what_became
from claude_pool.domain.coordination import Recover
from claude_pool.domain.pool_events import SoftLimitAnswered, SoftLimitAsked
from claude_pool.domain.records import Event
from claude_pool.domain.task import CancelTask, ReopenTask, sealed_question
from claude_pool.domain.task_events import QuestionAnswered, QuestionExpired, TaskCancelled, TaskReopened

from tests.support.domain_story import NOW, Story, opened, submit, warmed


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (QuestionAnswered("q", "deny", None, None, 1), "it was answered already: deny"),
        (QuestionExpired("q", "deadline", 1), "nobody answered in time, so it was denied"),
        (QuestionExpired("q", "withdrawn", 1), "the slot wanted no answer any more"),
        (SoftLimitAsked("q", "pool", "", 1, 2, 3), "its limits have changed since, or its day is over"),
        (SoftLimitAnswered("q", "pool", "", "stop", None, 1, 3), "it was answered already: stop"),
        (TaskReopened("resume", "s", 1, automatic=True), "the task's on_interrupt decided: resume"),
        (TaskReopened("rerun", None, 1), "it was answered already: rerun"),
        (TaskCancelled(), "it was answered already: cancel"),
        (None, "its attempt has ended meanwhile"),
    ],
)
def test_it_tells_how_a_question_was_closed(event: Event | None, told: str) -> None:
    assert what_became(event) == told


def sealed() -> tuple[Story, str, str]:
    """A pool with a task that asks, which nothing was seen of; its id, and that of its question."""
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    story.do(Recover({}, NOW))
    return story, task_id, sealed_question(story.world.tasks[task_id].job)


def test_the_question_of_a_sealed_task_is_known_when_it_is_closed() -> None:
    story, task_id, question = sealed()
    assert question not in story.world.closed
    story.do(ReopenTask(task_id, False, NOW))
    assert story.world.closed[question].what == "it was answered already: rerun"
    story, task_id, question = sealed()
    story.do(CancelTask(task_id, NOW))
    assert story.world.closed[question].what == "it was answered already: cancel"


def test_a_question_about_a_soft_limit_is_known_from_when_it_was_asked() -> None:
    story = opened()
    story.world.apply(99, "pool", 99, SoftLimitAsked("q", "pool", "", 1, 2, 3))
    assert list(story.world.closed) == ["q"]
