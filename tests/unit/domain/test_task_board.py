"""A task as its callers see it, in every state."""

from __future__ import annotations

from claude_pool.domain import task
from claude_pool.domain.coordination import Recover
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.task import Job, Settling
from claude_pool.domain.task_board import Problem, TaskCard, state_name, task_card
from claude_pool.domain.values import Denial, End, Options, Outcome, Text, Tokens

from tests.support.domain_story import NOW, Story, end, outcome, spec, submit, warmed


def card(story: Story, task_id: str, now: int = NOW) -> TaskCard:
    """The task's view."""
    state = story.state_of(task_id)
    assert not isinstance(state, task.Absent)
    return task_card(state, now, story.world)


def test_a_pending_task_has_waited_since_it_was_submitted() -> None:
    story = warmed(Settings(slots=1))
    submit(story, 0)
    story.settle()
    task_id = submit(story, 1, spec(options=Options(model="opus")))
    seen = card(story, task_id, NOW + 400)
    assert (seen.state, seen.success, seen.reason, seen.waited_ms) == ("pending", None, "slot", 400)
    assert (seen.attempts, seen.elapsed_ms, seen.model, seen.slot_id) == (0, 0, "opus", None)
    assert (seen.session_id, seen.output, seen.error) == (None, None, None)


def test_a_running_task_shows_where_it_runs_and_for_how_long() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(options=Options(model="opus")), now=NOW - 50)
    story.settle()
    seen = card(story, task_id, NOW + 300)
    assert (seen.state, seen.reason, seen.waited_ms, seen.elapsed_ms) == ("running", None, 50, 300)
    assert (seen.slot_id, seen.session_id) == ("slot-0", story.running(task_id).session)
    assert (seen.attempts, seen.model) == (1, "opus")


def test_a_completed_task_shows_its_output_and_what_it_cost() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    done = Outcome(
        End.SUCCEEDED,
        output=Text(inline="42"),
        structured_output=Text(inline="{}"),
        turns=3,
        model="opus-4",
        cost=70,
        estimated=True,
        unpriced=True,
        tokens=Tokens(1, 2, 3, 4),
        denials=(Denial("Bash", "no"),),
    )
    end(story, task_id, done, now=NOW + 20)
    seen = card(story, task_id, NOW + 9_000)
    assert (seen.state, seen.success, seen.output, seen.structured_output) == (
        "completed",
        True,
        Text(inline="42"),
        Text(inline="{}"),
    )
    assert (seen.cost, seen.cost_estimated, seen.tokens, seen.turns) == (70, True, Tokens(1, 2, 3, 4), 3)
    assert seen.unpriced
    assert (seen.elapsed_ms, seen.model, seen.denials) == (20, "opus-4", (Denial("Bash", "no"),))
    assert seen.reason is None


def test_costs_turns_and_times_cover_all_attempts_and_the_output_is_the_last_ones() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True, cost=5, turns=2), now=NOW + 100)
    assert (card(story, task_id).state, card(story, task_id).reason) == ("parked", "backoff")
    story.settle(NOW + 1_100)
    end(story, task_id, outcome(cost=7, turns=1), now=NOW + 1_150)
    seen = card(story, task_id)
    assert (seen.cost, seen.turns, seen.attempts, seen.elapsed_ms) == (12, 3, 2, 150)
    assert seen.output == Text(inline="done", size=4)


def test_a_failed_task_says_what_went_wrong() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id, outcome(End.FAILED, "turn_limit", message="Too many turns."))
    seen = card(story, task_id)
    assert (seen.state, seen.success) == ("failed", False)
    assert seen.error == Problem("turn_limit", "Too many turns.", False)


def test_a_cancelled_task_has_no_error() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.do(task.CancelTask(task_id, NOW))
    seen = card(story, task_id, NOW + 10_000)
    assert (seen.state, seen.success, seen.error, seen.waited_ms) == ("cancelled", False, None, 0)


def test_a_sealed_task_is_interrupted_and_waits_for_a_decision() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    story.do(Recover({}, NOW))
    seen = card(story, task_id)
    assert (seen.state, seen.success, seen.reason) == ("sealed", None, "sealed")
    assert seen.error is not None
    assert (seen.error.code, seen.error.retryable) == ("interrupted", False)


def test_a_clock_that_was_set_back_makes_no_negative_times() -> None:
    story = warmed()
    ended = submit(story, 0)
    live = submit(story, 1)
    story.settle()
    end(story, ended, now=NOW - 5_000)
    assert card(story, ended, NOW - 5_000).elapsed_ms == 0
    assert card(story, live, NOW - 5_000).elapsed_ms == 0
    pending = submit(story, 2)
    assert card(story, pending, NOW - 5_000).waited_ms == 0


def test_between_an_attempts_end_and_its_meaning_a_task_still_runs() -> None:
    assert state_name(Settling(Job("task-aaaaaaaaaaaaaaaa", spec(), "", NOW))) == "running"
