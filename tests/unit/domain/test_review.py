"""A review: a result that counts only once somebody approves it, and what a rejection brings about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import pool, slot, task
from claude_pool.domain.attempts import RecordEnd
from claude_pool.domain.coordination import Recover
from claude_pool.domain.errors import WrongState
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Actor, Meta, Recorded
from claude_pool.domain.story import story as story_of
from claude_pool.domain.task import ApproveTask, CancelTask, RecordAttemptEnded, RejectTask
from claude_pool.domain.task_board import Refused, task_card
from claude_pool.domain.task_events import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    ReviewRequested,
    SessionOpened,
    TaskApproved,
    TaskCancelled,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskParked,
    TaskRejected,
    TaskSubmitted,
    TaskUnparked,
)
from claude_pool.domain.values import End, SessionMode, SessionPolicy, TaskSpec, Text
from claude_pool.domain.world import World

from tests.support.domain_decider import given_task
from tests.support.domain_story import (
    NOW,
    Story,
    answer_clears,
    end,
    outcome,
    session_name,
    spec,
    submit,
    warmed,
)

ID = "task-aaaaaaaaaaaaaaaa"
WHY = Text(inline="too short", size=9)
DONE = outcome(cost=7)


def reviewed(rejections: int = 3, order: TaskSpec | None = None) -> TaskSpec:
    """A task whose result is reviewed."""
    return replace(order or spec(), review=rejections)


def running(rejections: int = 3) -> tuple[TaskEvent, ...]:
    """Such a task in its first attempt."""
    return (
        TaskSubmitted(ID, reviewed(rejections), "f", 5),
        AttemptStarted(1, "slot-0", 10),
        SessionOpened(1, "s1", "fresh", "/project"),
    )


def in_review(rejections: int = 3) -> tuple[TaskEvent, ...]:
    """Such a task whose result waits for a verdict."""
    return (*running(rejections), AttemptSucceeded(1, DONE, 20), ReviewRequested(1, 20))


def waiting(rejections: int = 3, order: TaskSpec | None = None) -> tuple[Story, str]:
    """A pool with such a task."""
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0, reviewed(rejections, order))
    story.settle()
    end(story, task_id)
    story.settle()
    return story, task_id


def reject(story: Story, task_id: str) -> None:
    """Its result is refused, and it gets its next attempt if it may."""
    story.do(RejectTask(task_id, WHY, NOW))
    story.settle()
    answer_clears(story)
    story.settle()


def test_a_result_waits_for_a_verdict() -> None:
    after = given_task(*running()).when(RecordAttemptEnded(ID, 1, DONE, 20))
    assert isinstance(after.then(AttemptSucceeded(1, DONE, 20), ReviewRequested(1, 20)), task.PendingReview)


def test_a_failure_is_not_reviewed() -> None:
    broken = outcome(End.FAILED, "turn_limit")
    after = given_task(*running()).when(RecordAttemptEnded(ID, 1, broken, 20))
    last = after.decide(after.command, after.state)[-1]
    assert last == TaskFailed("turn_limit", "It did not work.")


def test_a_result_of_work_that_nobody_wants_any_more_is_not_reviewed() -> None:
    given_task(*running(), CancelRequested(15)).when(RecordAttemptEnded(ID, 1, DONE, 20)).then(
        AttemptSucceeded(1, DONE, 20), TaskCancelled()
    )


def test_an_approved_result_completes_the_task() -> None:
    after = given_task(*in_review()).when(ApproveTask(ID, 30)).then(TaskApproved(30), TaskCompleted())
    assert isinstance(after, task.Completed)


def test_a_rejected_task_is_pending_again_and_keeps_what_was_said() -> None:
    after = given_task(*in_review()).when(RejectTask(ID, WHY, 30)).then(TaskRejected(1, WHY, 30))
    assert isinstance(after, task.Pending)
    assert after.job.rejections == (task.Rejection(1, WHY, 30),)
    assert after.job.attempts[0].outcome == DONE


@pytest.mark.parametrize(("rejections", "times"), [(1, "once"), (2, "2 times")])
def test_the_last_rejection_allowed_fails_the_task(rejections: int, times: str) -> None:
    before = list(in_review(rejections))
    for number in range(1, rejections):
        attempt = number + 1
        before += [
            TaskRejected(number, WHY, 30),
            AttemptStarted(attempt, "slot-0", 40),
            AttemptSucceeded(attempt, DONE, 50),
            ReviewRequested(attempt, 50),
        ]
    message = f"Its result was rejected {times}, as often as its max_rejections allows."
    after = (
        given_task(*before)
        .when(RejectTask(ID, WHY, 60))
        .then(TaskRejected(rejections, WHY, 60), TaskFailed("review_rejected", message))
    )
    assert isinstance(after, task.Failed)
    assert [r.attempt for r in after.job.rejections] == list(range(1, rejections + 1))


@pytest.mark.parametrize("command", [ApproveTask(ID, 30), RejectTask(ID, WHY, 30)])
@pytest.mark.parametrize("before", [(), running(), (*in_review(), TaskApproved(25), TaskCompleted())])
def test_there_is_no_verdict_on_what_is_not_under_review(
    command: ApproveTask | RejectTask, before: tuple[TaskEvent, ...]
) -> None:
    given_task(*before).when(command).refused(WrongState, "only a result under review can be")


def test_a_task_under_review_can_be_cancelled() -> None:
    given_task(*in_review()).when(CancelTask(ID, 30)).then(TaskCancelled())


@pytest.mark.parametrize("event", [ReviewRequested(1, 20), TaskApproved(20), TaskRejected(1, WHY, 20)])
def test_a_senseless_verdict_changes_nothing(event: TaskEvent) -> None:
    assert given_task(*running(), event).state == given_task(*running()).state


def test_failures_count_anew_after_a_rejection() -> None:
    broken = outcome(End.FAILED, retryable=True)
    before: tuple[TaskEvent, ...] = (
        TaskSubmitted(ID, reviewed(order=spec(retries=1)), "f", 5),
        AttemptStarted(1, "slot-0", 10),
        AttemptFailed(1, broken, 20),
        TaskParked("backoff", 1_020),
        TaskUnparked(),
        AttemptStarted(2, "slot-0", 1_020),
        AttemptSucceeded(2, DONE, 1_030),
        ReviewRequested(2, 1_030),
        TaskRejected(1, WHY, 1_040),
        AttemptStarted(3, "slot-0", 1_050),
    )
    given_task(*before).when(RecordAttemptEnded(ID, 3, broken, 2_000)).then(
        AttemptFailed(3, broken, 2_000), TaskParked("backoff", 3_000)
    )


def test_what_waits_for_a_verdict_is_counted_and_holds_no_slot() -> None:
    story, task_id = waiting()
    assert (story.world.in_review, list(story.world.tasks)) == (1, [task_id])
    assert isinstance(story.world.slots["slot-0"], (slot.Idle, slot.Clearing))
    story.do(ApproveTask(task_id, NOW))
    assert (story.world.in_review, story.world.completed) == (0, 1)


def test_a_rejected_task_runs_again_in_a_fresh_conversation_whatever_it_asked_for() -> None:
    story, task_id = waiting(order=spec(session=f"resume:{session_name(5)}"))
    reject(story, task_id)
    assert story.world.in_review == 0
    opened = [e for e in story.events_of(task_id) if isinstance(e, SessionOpened)]
    assert [e.mode for e in opened] == ["resume", "fresh"]
    assert opened[1].session != opened[0].session


def test_a_rejected_task_does_not_wait_for_the_conversation_it_once_asked_for() -> None:
    story, task_id = waiting(order=spec(session=f"resume:{session_name(5)}"))
    other = submit(story, 1, spec(session=f"resume:{session_name(5)}"))
    answer_clears(story)
    story.settle()
    story.do(RejectTask(task_id, WHY, NOW))
    state = story.world.tasks[task_id]
    assert task_card(state, NOW, story.world).reason == "slot"
    third = submit(story, 2, spec(session=f"resume:{session_name(5)}"))
    assert task_card(story.world.tasks[third], NOW, story.world).reason == "session_busy"
    assert isinstance(story.world.tasks[other], task.Running)


def test_after_a_rejection_a_conversation_is_always_fresh() -> None:
    job = task.Job(ID, reviewed(order=spec(session="slot")), "f", 5)
    assert task.session_policy(job, SessionPolicy()).mode is SessionMode.SLOT
    rejected = replace(job, rejections=(task.Rejection(1, WHY, 30),))
    assert task.session_policy(rejected, SessionPolicy(SessionMode.SLOT)) == SessionPolicy()


def test_a_crash_leaves_a_task_under_review_as_it_is() -> None:
    story, task_id = waiting()
    story.do(Recover({}, NOW))
    assert isinstance(story.state_of(task_id), task.PendingReview)


def test_draining_to_the_end_does_not_wait_for_a_verdict() -> None:
    story, task_id = waiting()
    answer_clears(story)
    story.do(pool.StartDrain("finish"))
    story.settle()
    assert isinstance(story.world.slots["slot-0"], slot.Stopping)
    assert isinstance(story.state_of(task_id), task.PendingReview)


def test_draining_by_cancelling_cancels_what_waits_for_a_verdict() -> None:
    story, task_id = waiting()
    story.do(pool.StartDrain("cancel"))
    story.settle()
    assert isinstance(story.state_of(task_id), task.Cancelled)


def test_all_attempts_between_rejections_share_the_budget_of_the_task() -> None:
    story, task_id = waiting(order=spec(max_budget=10))
    reject(story, task_id)
    assert story.running(task_id).reserved == 10
    live = story.running(task_id)
    story.do(RecordEnd(task_id, 2, live.slot_id, outcome(cost=10), live.session, True, 0, NOW))
    reject(story, task_id)
    state = story.state_of(task_id)
    assert isinstance(state, task.Failed)
    assert state.code == "task_budget_reached"


def test_the_board_shows_what_was_rejected_and_why() -> None:
    story, task_id = waiting()
    card = task_card(story.world.tasks[task_id], NOW, story.world)
    assert (card.state, card.success, card.reason, card.rejections) == ("pending_review", None, "review", ())
    story.do(RejectTask(task_id, WHY, NOW + 5))
    card = task_card(story.world.tasks[task_id], NOW, story.world)
    assert card.rejections == (Refused(1, Text(inline="done", size=4), WHY, NOW + 5),)


@pytest.mark.parametrize("form", [Text(inline="{}", size=2), None])
def test_a_result_without_words_is_shown_by_its_form(form: Text | None) -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0, reviewed())
    story.settle()
    end(story, task_id, replace(outcome(), output=Text(), structured_output=form))
    story.do(RejectTask(task_id, WHY, NOW))
    (refused,) = task_card(story.world.tasks[task_id], NOW, story.world).rejections
    assert refused.output == (form or Text())


def test_the_story_tells_of_verdicts() -> None:
    meta = Meta(NOW, "cmd", "cmd", Actor.COORDINATOR)
    long = Text(blob="0" * 64, size=9_000, head="it begins")
    events = (ReviewRequested(2, 1), TaskRejected(1, WHY, 2), TaskRejected(2, long, 3), TaskApproved(4))
    told = story_of([Recorded(n, ID, n, e, meta, b"") for n, e in enumerate(events, 1)])
    assert [reason.text for reason in told] == [
        "the result of attempt 2 waits for a verdict",
        "rejection 1: too short",
        "rejection 2: it begins",
        "approved",
    ]


def test_the_view_of_a_new_process_agrees() -> None:
    story, task_id = waiting()
    reject(story, task_id)
    again: World = story.replayed()
    assert repr(vars(again)) == repr(vars(story.world))
