"""Chains and their tasks, decided together: a task's end moves its chain in the same append."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import chain, pool, task
from claude_pool.domain.acceptance import SubmitChain
from claude_pool.domain.chain_events import ChainCompleted, Plan, StepsEnded, StepStarted, WorkplaceRefused
from claude_pool.domain.chaining import step_spec
from claude_pool.domain.coordination import Recover
from claude_pool.domain.errors import BudgetExceeded, Draining, InvalidArgument, NotFound, WrongState
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import InterruptRequested, TaskFailed, TaskSubmitted
from claude_pool.domain.values import End, Filling, Options, Outcome, Part, TaskSpec

from tests.support.domain_chains import (
    CHAIN,
    KEPT,
    MADE,
    accept,
    chain_of,
    plan,
    states,
    step,
    step_task,
    text,
)
from tests.support.domain_story import NOW, Story, end, opened, outcome, session_name, submit, warmed

LATER = NOW + 60_000
FAILURE = outcome(End.FAILED, "turn_limit", cost=3, message="Too long.")


def names(facts: tuple[Fact, ...]) -> list[str]:
    """The events of an append."""
    return [fact.event.NAME for fact in facts]


def order_of(story: Story, name: str, run: int = 1) -> TaskSpec:
    """The task that a step became."""
    (submitted, *_) = story.events_of(step_task(name, run))
    assert isinstance(submitted, TaskSubmitted)
    return submitted.spec


def under_way(order: Plan, slots: int = 3, limit: int | None = None, **settings: int) -> Story:
    """A pool that runs what can run of a chain."""
    story = warmed(Settings(slots=slots, working_dir="/project", **settings), limit)  # type: ignore[arg-type]
    accept(story, order)
    story.settle()
    return story


# Admission.


def test_a_chains_first_steps_are_tasks_in_the_same_append() -> None:
    story = warmed()
    accept(story, plan(step("a"), step("b", "a"), tags=("x",)))
    spec = order_of(story, "a")
    assert (spec.part, spec.tags, spec.prompt) == (Part(CHAIN, "a", 1), ("x",), text("work"))
    assert set(story.world.tasks) == {step_task("a")}
    assert chain_of(story) == story.world.chains[CHAIN]


def test_a_draining_or_stopping_pool_takes_no_chain() -> None:
    for command in (pool.StartDrain("finish"), pool.StopOwner()):
        story = warmed()
        story.do(command)
        with pytest.raises(Draining):
            accept(story, plan(step("a")))


def test_a_chain_may_not_promise_more_than_the_pool_has_left() -> None:
    story = warmed(limit=100)
    with pytest.raises(BudgetExceeded):
        accept(story, plan(step("a"), max_budget=101))
    accept(story, plan(step("a"), max_budget=100))


@pytest.mark.parametrize("amount", [0, -1])
def test_a_chains_budget_is_above_nothing(amount: int) -> None:
    with pytest.raises(InvalidArgument, match="a budget is above 0"):
        accept(warmed(), plan(step("a"), max_budget=amount))


def test_a_chain_is_refused_for_a_later_step_that_could_never_run() -> None:
    story = warmed(limit=100)
    with pytest.raises(BudgetExceeded):
        accept(story, plan(step("a"), step("b", "a", max_budget=101)))
    later = step("b", "a")
    with pytest.raises(NotFound):
        accept(story, plan(step("a"), replace(later, spec=replace(later.spec, slot="slot-9"))))
    assert not story.world.chains


def test_a_step_continues_a_conversation_only_where_it_has_run() -> None:
    story = warmed(Settings(working_dir="/project"))
    order = plan(step("a", session=f"resume:{session_name(7)}"))
    elsewhere = {session_name(7): "/other"}
    with pytest.raises(InvalidArgument, match="never"):
        story.do(SubmitChain(CHAIN, order, "f", NOW, elsewhere))
    story.do(SubmitChain(CHAIN, order, "f", NOW, {session_name(7): "/project"}))
    assert CHAIN in story.world.chains


def test_a_chain_is_accepted_once() -> None:
    story = warmed()
    accept(story, plan(step("a")))
    with pytest.raises(WrongState, match="submitted before"):
        accept(story, plan(step("a")))


# What a step's task is.


def test_a_step_is_filled_with_what_it_needs() -> None:
    story = under_way(
        plan(
            step("a"),
            step("b"),
            step("c", "a", "b", uses=("previous_output", "steps.a.output", "steps.b.v", "steps.a.v")),
        )
    )
    end(story, step_task("a"), replace(outcome(), output=text("A")))
    found = replace(outcome(), output=text("B"), variables=(("v", text("V")),))
    facts = end(story, step_task("b"), found)
    assert names(facts)[-2:] == ["step.started", "task.submitted"]
    assert order_of(story, "c").fillings == (
        Filling("previous_output", (text("A"), text("B"))),
        Filling("steps.a.output", (text("A"),)),
        Filling("steps.b.v", (text("V"),)),
        Filling("steps.a.v", ()),
    )


def test_a_need_that_was_cancelled_fills_nothing() -> None:
    later = step("b", "a", uses=("previous_output", "steps.a.v"))
    story = under_way(plan(step("a", on_failure="continue"), later))
    story.do(task.CancelTask(step_task("a"), NOW))
    end(story, step_task("a"), outcome(End.INTERRUPTED))
    empty = chain_of(story)
    assert not isinstance(empty, chain.Absent)
    cancelled = empty.work.steps["a"]
    assert isinstance(cancelled, chain.Done)
    assert order_of(story, "b").fillings == (
        Filling("previous_output", (cancelled.output,)), Filling("steps.a.v", ())
    )  # fmt: skip
    assert cancelled.output.size == 0


def test_a_recovery_is_another_task_without_retries_that_knows_the_error() -> None:
    uses = ("error", "previous_output")
    story = under_way(plan(step("a", recovery="mend {error}", recovery_uses=uses, retries=2, review=1)))
    facts = end(story, step_task("a"), FAILURE)
    assert names(facts) == [
        "attempt.failed", "task.failed", "funds.settled", "slot.released", "step.failed", "step.started",
        "task.submitted",
    ]  # fmt: skip
    spec = order_of(story, "a", 2)
    assert (spec.prompt, spec.retries, spec.review) == (text("mend {error}"), 0, 1)
    assert spec.part == Part(CHAIN, "a", 2)
    assert spec.fillings == (
        Filling("error", (text("[turn_limit] Too long."),)), Filling("previous_output", ())
    )  # fmt: skip


def test_an_error_means_nothing_outside_a_recovery() -> None:
    story = warmed()
    accept(story, plan(step("a", uses=("error",))))
    state = story.world.chains[CHAIN]
    started = replace(state.work, steps={"a": chain.Waiting()})
    spec = step_spec(started, StepStarted("a", 1, step_task("a")))
    assert spec.fillings == (Filling("error", ()),)


def test_in_a_copy_steps_work_in_its_directory() -> None:
    story = under_way(plan(step("a"), isolation="worktree"))
    story.do(chain.RecordWorkplace(CHAIN, MADE, NOW))
    assert order_of(story, "a").options.working_dir == "/copies/a/sub"


# Money.


def test_without_a_chains_budget_the_steps_own_holds() -> None:
    assert order_of(under_way(plan(step("a", max_budget=7))), "a").options == Options(max_budget=7)


# What the end of a task means.


def test_the_next_step_is_submitted_in_the_append_that_ends_the_one_before() -> None:
    story = under_way(plan(step("a"), step("b", "a")))
    facts = end(story, step_task("a"), outcome(cost=4), now=LATER)
    assert names(facts) == [
        "attempt.succeeded", "task.completed", "funds.settled", "slot.released", "step.completed",
        "step.started", "task.submitted",
    ]  # fmt: skip
    assert facts[-1] == Fact(step_task("b"), TaskSubmitted(step_task("b"), order_of(story, "b"), "", LATER))
    story.settle()
    assert names(end(story, step_task("b")))[-2:] == ["step.completed", "chain.completed"]
    assert not story.world.chains
    assert CHAIN not in story.world.versions


def test_a_retry_is_no_end_of_a_step() -> None:
    story = under_way(plan(step("a", retries=1)))
    facts = end(story, step_task("a"), replace(FAILURE, retryable=True))
    assert [name for name in names(facts) if name.startswith(("step.", "chain."))] == []
    assert isinstance(story.world.tasks[step_task("a")], task.Parked)


def test_an_ordinary_task_beside_a_chain_moves_nothing() -> None:
    story = under_way(plan(step("a")))
    ordinary = submit(story, 1)
    story.settle()
    assert [name for name in names(end(story, ordinary)) if name.startswith(("step.", "chain."))] == []
    assert states(story) == {"a": "started"}


def test_a_verdict_on_a_steps_result_acts_on_the_step() -> None:
    story = under_way(plan(step("a", review=1), step("b", "a")))
    end(story, step_task("a"))
    assert states(story) == {"a": "started", "b": "waiting"}
    story.do(task.ApproveTask(step_task("a"), LATER))
    assert states(story) == {"a": "completed", "b": "started"}


def test_a_step_whose_result_is_rejected_too_often_fails() -> None:
    story = under_way(plan(step("a", review=1), step("b", "a")))
    end(story, step_task("a"))
    story.do(task.RejectTask(step_task("a"), text("no"), LATER))
    assert states(story) == {"a": "failed", "b": "skipped"}
    over = chain_of(story)
    assert isinstance(over, chain.Failed)
    assert "review_rejected" in over.message


def test_cancelling_the_task_of_a_step_that_waits_starts_the_next_in_the_same_append() -> None:
    story = opened(Settings(slots=1))
    accept(story, plan(step("a", on_failure="continue", recovery="mend", retries=3), step("b", "a")))
    facts = story.do(task.CancelTask(step_task("a"), LATER))
    assert names(facts) == ["task.cancelled", "step.cancelled", "step.started", "task.submitted"]


def test_a_crash_seals_the_task_of_a_running_step_and_the_chain_goes_on_after_the_decision() -> None:
    story = under_way(plan(step("a", on_failure="continue"), step("b", "a")))
    story.do(Recover({}, LATER))
    assert states(story) == {"a": "started", "b": "waiting"}
    assert story.do(Recover({}, LATER)) == ()
    assert isinstance(story.world.tasks[step_task("a")], task.Sealed)
    story.do(task.CancelTask(step_task("a"), LATER))
    assert states(story) == {"a": "cancelled", "b": "started"}


def test_a_crash_ends_the_step_that_someone_had_cancelled() -> None:
    story = under_way(plan(step("a", on_failure="continue"), step("b", "a")))
    story.do(task.CancelTask(step_task("a"), NOW))
    facts = story.do(Recover({}, LATER))
    assert "task.submitted" in names(facts)
    assert states(story) == {"a": "cancelled", "b": "started"}


# The end of a whole chain.


def prepared(state: str) -> Story:
    """A chain of a and z whose step a is in `state`."""
    retries = 1 if state == "parked" else 0
    story = warmed(Settings(slots=1))
    if state == "pending":
        story.do(pool.PausePool("provider_limit"))
    accept(story, plan(step("a", review=1, retries=retries), step("z", "a")))
    story.settle()
    match state:
        case "parked":
            end(story, step_task("a"), replace(FAILURE, retryable=True))
        case "pending_review":
            end(story, step_task("a"))
        case "sealed":
            story.do(Recover({}, NOW))
        case _:
            pass
    return story


WAITING = ["pending", "parked", "pending_review", "sealed"]


@pytest.mark.parametrize("state", WAITING)
def test_cancelling_a_chain_ends_it_at_once_where_nothing_runs(state: str) -> None:
    story = prepared(state)
    facts = story.do(chain.CancelChain(CHAIN, LATER))
    assert names(facts) == [
        "chain.ending_begun", "step.skipped", "task.cancelled", "step.cancelled", "chain.cancelled",
    ]  # fmt: skip
    assert (states(story), story.world.tasks, story.world.chains) == (
        {"a": "cancelled", "z": "skipped"}, {}, {},
    )  # fmt: skip


def test_cancelling_a_chain_interrupts_what_runs_and_ends_with_it() -> None:
    story = prepared("running")
    facts = story.do(chain.CancelChain(CHAIN, LATER))
    assert names(facts) == ["chain.ending_begun", "step.skipped", "task.cancel_requested"]
    assert story.do(chain.CancelChain(CHAIN, LATER)) == ()
    facts = end(story, step_task("a"), outcome(End.INTERRUPTED, cost=2))
    assert names(facts)[-2:] == ["step.cancelled", "chain.cancelled"]


def test_two_steps_that_a_cancel_ends_at_once_end_the_chain_once() -> None:
    story = opened(Settings(slots=1))
    accept(story, plan(step("a"), step("b")))
    facts = story.do(chain.CancelChain(CHAIN, LATER))
    assert names(facts)[-3:] == ["step.cancelled", "step.cancelled", "chain.cancelled"]


@pytest.mark.parametrize(
    ("state", "last"),
    [
        ("pending", "task.failed"),
        ("parked", "task.failed"),
        ("pending_review", "task.cancelled"),
        ("sealed", "task.cancelled"),
    ],
)
def test_a_chain_whose_time_is_over_ends_at_once_where_nothing_runs(state: str, last: str) -> None:
    story = prepared(state)
    facts = story.do(chain.ExpireChain(CHAIN, LATER))
    step_end = last.replace("task", "step")
    assert names(facts) == ["chain.ending_begun", "step.skipped", last, step_end, "chain.failed"]
    over = chain_of(story)
    assert isinstance(over, chain.Failed)
    assert over.code == "timed_out_chain"
    failures = [fact.event.code for fact in facts if isinstance(fact.event, TaskFailed)]
    assert failures in ([], ["timed_out_chain"])


def test_a_chain_whose_time_is_over_interrupts_what_runs() -> None:
    story = prepared("running")
    facts = story.do(chain.ExpireChain(CHAIN, LATER))
    assert facts[-1] == Fact(step_task("a"), InterruptRequested(1, "timed_out_chain", LATER))
    assert story.do(chain.ExpireChain(CHAIN, LATER)) == ()
    facts = end(story, step_task("a"), outcome(End.INTERRUPTED))
    assert names(facts)[-2:] == ["step.failed", "chain.failed"]
    ended = story.state_of(step_task("a"))
    assert isinstance(ended, task.Failed)
    assert ended.code == "timed_out_chain"


def test_a_cancel_of_what_is_no_chain_is_refused() -> None:
    with pytest.raises(WrongState):
        warmed().do(chain.CancelChain(CHAIN, NOW))


def test_a_chain_without_a_copy_of_its_own_ends_without_one_too() -> None:
    story = under_way(plan(step("a"), isolation="clone"))
    refused = WorkplaceRefused("isolation_failed", "no repository")
    facts = story.do(chain.RecordWorkplace(CHAIN, refused, NOW))
    assert names(facts) == ["chain.workplace_refused", "step.skipped", "chain.failed"]
    assert not story.world.chains and not story.world.tasks


def test_a_chain_with_a_copy_ends_with_the_record_of_its_work() -> None:
    story = under_way(plan(step("a"), isolation="clone"))
    story.do(chain.RecordWorkplace(CHAIN, MADE, NOW))
    story.settle()
    facts = end(story, step_task("a"), Outcome(End.SUCCEEDED))
    assert facts[-1] == Fact(CHAIN, StepsEnded())
    assert story.do(chain.RecordWorkKept(CHAIN, KEPT)) == (Fact(CHAIN, KEPT), Fact(CHAIN, ChainCompleted()))
