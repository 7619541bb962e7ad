"""A chain as its callers see it."""

from __future__ import annotations

import pytest
from claude_pool.domain import chain, pool, task
from claude_pool.domain.chain_board import ChainCard, StepCard, chain_card, chain_state
from claude_pool.domain.chain_events import Plan, WorkKept
from claude_pool.domain.coordination import Recover
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.task_board import Problem
from claude_pool.domain.values import End, Text

from tests.support.domain_chains import (
    CHAIN,
    KEPT,
    MADE,
    accept,
    chain_of,
    go_on,
    plan,
    step,
    step_task,
    text,
)
from tests.support.domain_story import NOW, Story, end, outcome, warmed

COPY = plan(step("a"), step("b"), isolation="worktree")


def card_of(story: Story) -> ChainCard:
    """The chain's view now."""
    state = chain_of(story)
    assert not isinstance(state, chain.Absent)
    return chain_card(state, NOW, story.world)


def under_way(order: Plan, slots: int = 1) -> Story:
    """A pool that runs what can run of a chain."""
    story = warmed(Settings(slots=slots, working_dir="/project"))
    accept(story, order)
    go_on(story)
    return story


def in_copy(order: Plan = COPY) -> Story:
    """A chain whose copy is made."""
    story = under_way(order)
    story.do(chain.RecordWorkplace(CHAIN, MADE, NOW))
    go_on(story)
    return story


def steps_of(story: Story) -> list[tuple[str, str | None]]:
    """Each step's state, and why it does not run."""
    return [(each.state, each.reason) for each in card_of(story).steps]


def test_a_running_chain_shows_what_runs_and_what_waits_for_which_needs() -> None:
    story = under_way(plan(step("a"), step("b"), step("c", "a", "b"), tags=("x",)), slots=2)
    end(story, step_task("a"), outcome(cost=4))
    card = card_of(story)
    assert (card.chain_id, card.state, card.reason, card.tags) == (CHAIN, "running", None, ("x",))
    assert [(each.name, each.state, each.task_id) for each in card.steps] == [
        ("a", "completed", step_task("a")), ("b", "running", step_task("b")), ("c", "waiting", None),
    ]  # fmt: skip
    assert [each.reason for each in card.steps] == [None, None, "needs b"]
    assert card.steps[2].needs == ("a", "b")
    assert (card.cost, card.error, card.submitted_at) == (4, None, NOW)
    assert (card.final_output, card.final_task) == (text("done"), step_task("a"))
    assert (card.branch, card.base, card.head, card.path, card.files_changed, card.diff, card.merged) == (
        None, None, None, None, None, None, None,
    )  # fmt: skip
    assert card.notes == ()


def test_a_step_has_the_state_of_its_task_and_the_chain_its_reason() -> None:
    story = under_way(plan(step("a", review=2, retries=1)))
    assert steps_of(story) == [("running", None)]
    end(story, step_task("a"), outcome(End.FAILED, retryable=True, cost=2))
    assert steps_of(story) == [("parked", "backoff")]
    assert (card_of(story).reason, card_of(story).cost) == ("step a: backoff", 2)
    story.do(task.UnparkTask(step_task("a")))
    story.do(pool.PausePool("provider_limit"))
    assert steps_of(story) == [("pending", "provider_limit")]
    story.do(pool.ResumePool())
    go_on(story)
    end(story, step_task("a"), outcome(cost=3))
    assert steps_of(story) == [("pending_review", "review")]
    assert card_of(story).reason == "step a: review"
    story.do(task.RejectTask(step_task("a"), text("no"), NOW))
    go_on(story)
    story.do(Recover({}, NOW))
    card = card_of(story)
    assert [(each.state, each.error, each.attempts, each.cost) for each in card.steps] == [
        ("sealed", card.steps[0].error, 3, 5)
    ]
    assert card.steps[0].error is not None
    assert card.steps[0].error.code == "interrupted"
    assert (card.reason, card.cost) == ("step a: sealed", 5)


def test_a_chain_says_why_its_first_waiting_step_waits_only_where_nothing_runs() -> None:
    story = under_way(plan(step("a"), step("b")))
    assert steps_of(story) == [("running", None), ("pending", "slot")]
    assert card_of(story).reason is None


def test_a_recovery_counts_the_attempts_and_costs_of_both_runs() -> None:
    story = under_way(plan(step("a", recovery="mend")))
    end(story, step_task("a"), outcome(End.FAILED, cost=5))
    go_on(story)
    (only,) = card_of(story).steps
    assert (only.state, only.attempts, only.cost, only.task_id) == ("running", 2, 5, step_task("a", 2))
    assert card_of(story).cost == 5
    end(story, step_task("a", 2), outcome(cost=2))
    card = card_of(story)
    assert (card.steps[0].attempts, card.steps[0].cost, card.cost) == (2, 7, 7)


def test_a_failed_chain_shows_the_error_of_its_step_and_what_was_skipped() -> None:
    story = under_way(plan(step("a"), step("b", "a")))
    end(story, step_task("a"), outcome(End.FAILED, "turn_limit", message="Too long."))
    card = card_of(story)
    message = "Step a failed: [turn_limit] Too long."
    assert (card.state, card.error, card.reason) == ("failed", Problem("step_failed", message, False), None)
    assert [(each.state, each.error, each.output) for each in card.steps] == [
        ("failed", Problem("turn_limit", "Too long.", False), Text()), ("skipped", None, None),
    ]  # fmt: skip
    assert (card.final_output, card.final_task) == (None, None)


def test_a_cancelled_step_has_no_error() -> None:
    story = under_way(plan(step("a"), step("b")))
    story.do(chain.CancelChain(CHAIN, NOW))
    end(story, step_task("a"), outcome(End.INTERRUPTED))
    card = card_of(story)
    assert (card.state, card.error) == ("cancelled", None)
    assert [(each.state, each.error) for each in card.steps] == [("cancelled", None), ("cancelled", None)]


def test_the_final_output_is_that_of_the_last_completed_step_of_the_plan() -> None:
    story = under_way(plan(step("a"), step("b", "a", on_failure="continue")))
    end(story, step_task("a"))
    go_on(story)
    end(story, step_task("b"), outcome(End.FAILED, "turn_limit"))
    card = card_of(story)
    assert (card.state, card.final_task) == ("completed", step_task("a"))


def test_a_chain_whose_copy_is_being_made_says_so_and_so_do_its_steps() -> None:
    card = card_of(under_way(COPY))
    why = "its copy of the repository is being made"
    assert (card.state, card.reason) == ("running", why)
    assert [(each.state, each.reason) for each in card.steps] == [("waiting", why), ("waiting", why)]
    assert (card.branch, card.base, card.path) == (None, None, None)


def test_in_a_copy_a_ready_step_waits_for_the_one_that_runs() -> None:
    story = in_copy()
    assert steps_of(story) == [("running", None), ("waiting", "one step at a time in this copy")]
    card = card_of(story)
    assert (card.branch, card.base, card.path, card.notes) == ("pool/a", "base", "/copies/a", ("a note",))
    assert (card.head, card.files_changed, card.diff) == (None, None, None)


def closed(kept: WorkKept) -> ChainCard:
    """The view of a chain whose work is on record."""
    story = in_copy(plan(step("a"), isolation="worktree"))
    end(story, step_task("a"))
    go_on(story)
    assert card_of(story).reason == "its work is being kept"
    story.do(chain.RecordWorkKept(CHAIN, kept))
    return card_of(story)


def test_kept_work_is_shown_with_its_branch_and_diff() -> None:
    card = closed(KEPT)
    assert (card.state, card.branch, card.base, card.head) == ("completed", "pool/a", "base", "head")
    assert (card.path, card.files_changed, card.diff, card.merged) == (None, 2, KEPT.diff, None)
    assert card.notes == ("a note", "another")


def test_work_that_could_not_be_committed_shows_where_it_lies() -> None:
    card = closed(WorkKept("pool/a", "", 0, Text(), code="internal", problem="no space"))
    assert (card.state, card.error) == ("failed", Problem("internal", "no space", False))
    assert (card.head, card.path, card.diff) == (None, "/copies/a", None)


def test_merged_work_names_the_branch_that_has_it() -> None:
    card = closed(WorkKept("pool/a", "head", 1, Text(), merged="main"))
    assert (card.merged, card.diff) == ("main", None)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (chain.Preparing, "running"),
        (chain.Running, "running"),
        (chain.Closing, "running"),
        (chain.Completed, "completed"),
        (chain.Cancelled, "cancelled"),
    ],
)
def test_every_state_has_its_public_word(
    state: type[chain.Preparing | chain.Running | chain.Closing | chain.Completed | chain.Cancelled],
    word: str,
) -> None:
    assert chain_state(state(chain.Work(CHAIN, plan(), "f", 5))) == word


def test_a_view_does_not_depend_on_the_task_views_of_ended_steps() -> None:
    story = under_way(plan(step("a"), step("b", "a")))
    end(story, step_task("a"))
    done: StepCard = card_of(story).steps[0]
    assert done.task is None
    live = card_of(story).steps[1].task
    assert live is not None and live.task_id == step_task("b")
