"""Chains, decided: which steps start, what their ends mean, and how the chain ends."""

from __future__ import annotations

import pytest
from claude_pool.domain import chain
from claude_pool.domain.chain_events import (
    ChainCancelled,
    ChainCompleted,
    ChainEvent,
    ChainFailed,
    ChainSubmitted,
    ClosingRequested,
    EndingBegun,
    Plan,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkKept,
    WorkplaceMade,
    WorkplaceRefused,
    WorkplaceRequested,
)
from claude_pool.domain.errors import WrongState
from claude_pool.domain.values import Text, is_task_id

from tests.support.domain_chains import CHAIN, KEPT, MADE, ended, plan, step, step_task, text
from tests.support.domain_decider import given_chain

A_THEN_B = plan(step("a"), step("b", "a"))
FORK = plan(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
COPIED = plan(step("a"), step("b"), step("c", "a", "b"), isolation="worktree")
CANCELLED = EndingBegun("cancelled", "A caller cancelled the chain.")
EXPIRED = EndingBegun("timed_out_chain", "The chain ran out of its time.")


def submitted(order: Plan) -> ChainSubmitted:
    """It was accepted."""
    return ChainSubmitted(CHAIN, order, "f", 5)


def started(name: str, run: int = 1) -> StepStarted:
    """A step is a task now."""
    return StepStarted(name, run, step_task(name, run))


def done(name: str, run: int = 1, cost: int = 5) -> StepCompleted:
    """What `ended(name)` records."""
    return StepCompleted(name, run, text(f"out of {name}"), (("v", text(f"v of {name}")),), cost, 1)


def failure(name: str, run: int = 1, cost: int = 5) -> StepFailed:
    """What `ended(name, "failed")` records."""
    return StepFailed(name, run, "turn_limit", "No.", text(f"out of {name}"), cost, 1)


def work(state: chain.Chain) -> chain.Work:
    """What stays with a chain."""
    assert not isinstance(state, chain.Absent)
    return state.work


def test_the_task_of_a_steps_run_has_the_same_id_for_ever() -> None:
    ids = [chain.step_task_id(CHAIN, name, run) for name in ("a", "b") for run in (1, 2)]
    assert len(set(ids)) == 4
    assert all(is_task_id(each) for each in ids)
    assert chain.step_task_id("chain-aaaaaaaaaaaaaaaa", "a", 1) == "task-aupc4tmhz2q7ajjh"


def test_a_chain_starts_the_steps_that_need_nothing() -> None:
    order = plan(step("a"), step("b", "a"), step("c"))
    after = given_chain().when(chain.SubmitChain(CHAIN, order, "f", 5)).then(
        submitted(order), started("a"), started("c")
    )  # fmt: skip
    assert isinstance(after, chain.Running)
    assert [name for name, _ in after.work.started] == ["a", "c"]


def test_a_chain_is_submitted_once() -> None:
    given_chain(submitted(A_THEN_B)).when(chain.SubmitChain(CHAIN, A_THEN_B, "f", 5)).refused(
        WrongState, "it was submitted before"
    )


def test_the_end_of_a_step_starts_those_that_needed_only_it() -> None:
    after = given_chain(submitted(FORK), started("a")).when(ended("a")).then(
        done("a"), started("b"), started("c")
    )  # fmt: skip
    before_d = given_chain(submitted(FORK), started("a"), done("a"), started("b"), started("c"))
    assert before_d.state == after
    before_d.when(ended("c")).then(done("c"))
    before_d.and_(done("c")).when(ended("b")).then(done("b"), started("d"))


def test_a_chain_is_completed_with_its_last_step() -> None:
    after = given_chain(submitted(A_THEN_B), started("a"), done("a"), started("b")).when(
        ended("b", cost=2)
    ).then(done("b", cost=2), ChainCompleted())  # fmt: skip
    assert isinstance(after, chain.Completed)
    assert after.work.cost == 7
    assert after.work.steps["b"] == chain.Done(
        "completed", 1, step_task("b"), text("out of b"), (("v", text("v of b")),), 2, 1
    )


@pytest.mark.parametrize("status", ["failed", "cancelled"])
@pytest.mark.parametrize(
    ("on_failure", "reason", "end"),
    [
        ("stop", "step_failed", ChainFailed),
        ("skip_rest", "skip_rest", ChainCompleted),
    ],
)
def test_a_step_that_does_not_complete_ends_the_chain_as_the_step_says(
    status: str, on_failure: str, reason: str, end: type[ChainEvent]
) -> None:
    order = plan(step("a", on_failure=on_failure), step("b", "a"))
    message, fact = {
        "failed": ("Step a failed: [turn_limit] No.", failure("a")),
        "cancelled": ("The task of step a was cancelled.", StepCancelled("a", 1, 5, 1)),
    }[status]
    last = ChainFailed(reason, message) if end is ChainFailed else ChainCompleted()
    given_chain(submitted(order), started("a")).when(ended("a", status)).then(
        fact, EndingBegun(reason, message), StepSkipped("b"), last
    )


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_the_chain_goes_on_after_a_step_whose_failure_does_not_matter(status: str) -> None:
    order = plan(step("a", on_failure="continue"), step("b", "a"))
    fact = failure("a") if status == "failed" else StepCancelled("a", 1, 5, 1)
    given_chain(submitted(order), started("a")).when(ended("a", status)).then(fact, started("b"))


def test_a_failure_skips_what_has_not_started_and_lets_the_rest_end() -> None:
    order = plan(step("a"), step("b"), step("c", "b"))
    ending = EndingBegun("step_failed", "Step a failed: [turn_limit] No.")
    stopping = given_chain(submitted(order), started("a"), started("b"))
    stopping.when(ended("a", "failed")).then(failure("a"), ending, StepSkipped("c"))
    stopping = stopping.and_(failure("a"), ending, StepSkipped("c"))
    stopping.when(ended("b")).then(done("b"), ChainFailed("step_failed", ending.message))
    stopping.when(ended("b", "failed")).then(failure("b"), ChainFailed("step_failed", ending.message))


def test_a_failure_is_recovered_once_and_the_recoverys_success_is_the_steps() -> None:
    order = plan(step("a", recovery="mend"), step("b", "a"))
    first = given_chain(submitted(order), started("a"))
    after = first.when(ended("a", "failed")).then(failure("a"), started("a", 2))
    recovering = work(after).steps["a"]
    assert recovering == chain.Started(2, step_task("a", 2), 5, 1, text("[turn_limit] No."))
    second = first.and_(failure("a"), started("a", 2))
    assert work(second.state).cost == 5
    last = second.when(ended("a", run=2, cost=3)).then(done("a", 2, 3), started("b"))
    recovered = work(last).steps["a"]
    assert isinstance(recovered, chain.Done)
    assert (recovered.status, recovered.cost, recovered.attempts) == ("completed", 8, 2)
    message = "Step a failed: [turn_limit] No."
    second.when(ended("a", "failed", 2)).then(
        failure("a", 2), EndingBegun("step_failed", message), StepSkipped("b"),
        ChainFailed("step_failed", message),
    )  # fmt: skip


def test_a_cancelled_step_is_not_recovered() -> None:
    order = plan(step("a", recovery="mend"))
    message = "The task of step a was cancelled."
    given_chain(submitted(order), started("a")).when(ended("a", "cancelled")).then(
        StepCancelled("a", 1, 5, 1), EndingBegun("step_failed", message), ChainFailed("step_failed", message)
    )


def test_a_step_that_fails_while_the_chain_ends_is_not_recovered() -> None:
    order = plan(step("a", recovery="mend"), step("b"))
    ending = given_chain(submitted(order), started("a"), started("b"), CANCELLED)
    ending.when(ended("a", "failed")).then(failure("a"))
    ending.and_(failure("a")).when(ended("b")).then(done("b"), ChainCancelled())


@pytest.mark.parametrize(
    "command",
    [ended("b"), ended("z"), ended("a", run=2)],
    ids=["a step that waits", "no step of it", "another run"],
)
def test_the_end_of_a_task_that_is_no_steps_changes_nothing(command: chain.RecordStepEnded) -> None:
    given_chain(submitted(A_THEN_B), started("a")).when(command).then()


def test_the_end_of_a_step_changes_nothing_where_no_steps_run() -> None:
    given_chain().when(ended("a")).then()
    given_chain(submitted(COPIED)).when(ended("a")).then()


def test_cancelling_skips_what_waits_and_ends_with_what_runs() -> None:
    running = given_chain(submitted(FORK), started("a"))
    skipped = [StepSkipped(name) for name in ("b", "c", "d")]
    running.when(chain.CancelChain(CHAIN, 9)).then(CANCELLED, *skipped)
    ending = running.and_(CANCELLED, *skipped)
    ending.when(chain.CancelChain(CHAIN, 9)).then()
    ending.when(ended("a", "cancelled")).then(StepCancelled("a", 1, 5, 1), ChainCancelled())
    ending.when(ended("a")).then(done("a"), ChainCancelled())
    ending.and_(done("a"), ChainCancelled()).when(chain.CancelChain(CHAIN, 9)).then()


@pytest.mark.parametrize("end", [ChainCompleted(), ChainFailed("step_failed", "")])
def test_a_chain_that_ended_otherwise_cannot_be_cancelled(end: ChainEvent) -> None:
    over = given_chain(submitted(A_THEN_B), started("a"), done("a"), end)
    over.when(chain.CancelChain(CHAIN, 9)).refused(WrongState, "there is nothing left to cancel")


def test_a_chain_that_keeps_its_work_cannot_be_cancelled() -> None:
    closing = given_chain(submitted(COPIED), MADE, StepsEnded())
    closing.when(chain.CancelChain(CHAIN, 9)).refused(WrongState, "there is nothing left to cancel")


def test_a_chain_that_is_cancelled_while_it_stops_for_a_failure_is_cancelled() -> None:
    stopping = given_chain(
        submitted(plan(step("a"), step("b"))), started("a"), started("b"), failure("a"),
        EndingBegun("step_failed", ""),
    )  # fmt: skip
    stopping.when(chain.CancelChain(CHAIN, 9)).then(CANCELLED)
    stopping.and_(CANCELLED).when(ended("b")).then(done("b"), ChainCancelled())


def test_a_chain_whose_time_is_over_fails_once_what_runs_has_ended() -> None:
    running = given_chain(submitted(A_THEN_B), started("a"))
    running.when(chain.ExpireChain(CHAIN, 9)).then(EXPIRED, StepSkipped("b"))
    ending = running.and_(EXPIRED, StepSkipped("b"))
    ending.when(chain.ExpireChain(CHAIN, 9)).then()
    ending.when(ended("a", "failed")).then(failure("a"), ChainFailed("timed_out_chain", EXPIRED.message))


@pytest.mark.parametrize("before", [(), (submitted(COPIED), MADE, StepsEnded())])
def test_time_means_nothing_where_no_step_runs_any_more(before: tuple[ChainEvent, ...]) -> None:
    given_chain(*before).when(chain.ExpireChain(CHAIN, 9)).then()


TIMED = plan(step("a"), step("b"), timeout_ms=100)
TIMED_COPY = plan(step("a"), isolation="worktree", timeout_ms=100)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((submitted(A_THEN_B),), None),
        ((submitted(TIMED),), 105),
        ((submitted(TIMED), EndingBegun("step_failed")), 105),
        ((submitted(TIMED), EndingBegun("skip_rest")), 105),
        ((submitted(TIMED), CANCELLED), None),
        ((submitted(TIMED), EXPIRED), None),
        ((submitted(TIMED_COPY),), 105),
        ((submitted(TIMED_COPY), MADE, StepsEnded()), None),
        ((submitted(TIMED), ChainCompleted()), None),
    ],
)
def test_the_time_of_a_chain_ends_unless_all_of_it_is_asked_to_end(
    facts: tuple[ChainEvent, ...], expected: int | None
) -> None:
    state = given_chain(*facts).state
    assert not isinstance(state, chain.Absent)
    assert chain.deadline(state) == expected


# In a copy of the repository.


def test_a_chain_with_a_copy_of_its_own_waits_for_it() -> None:
    after = given_chain().when(chain.SubmitChain(CHAIN, COPIED, "f", 5)).then(submitted(COPIED))
    assert after == chain.Preparing(work(after))


def test_every_owner_asks_once_for_the_copy() -> None:
    fresh = given_chain(submitted(COPIED))
    fresh.when(chain.RequestWorkplace(CHAIN, "o1")).then(WorkplaceRequested("o1"))
    asked = fresh.and_(WorkplaceRequested("o1"))
    asked.when(chain.RequestWorkplace(CHAIN, "o1")).then()
    asked.when(chain.RequestWorkplace(CHAIN, "o2")).then(WorkplaceRequested("o2"))
    asked.and_(MADE).when(chain.RequestWorkplace(CHAIN, "o2")).then()


def test_in_a_copy_the_ready_steps_run_one_at_a_time_in_the_order_of_the_plan() -> None:
    asked = given_chain(submitted(COPIED), WorkplaceRequested("o1"))
    asked.when(chain.RecordWorkplace(CHAIN, MADE, 9)).then(MADE, started("a"))
    running = asked.and_(MADE, started("a"))
    running.when(ended("a")).then(done("a"), started("b"))
    running = running.and_(done("a"), started("b"))
    running.when(ended("b")).then(done("b"), started("c"))
    running = running.and_(done("b"), started("c"))
    running.when(ended("c")).then(done("c"), StepsEnded())


def test_in_a_copy_nothing_starts_beside_what_runs() -> None:
    order = plan(step("a"), step("b"), step("c"), isolation="worktree")
    given_chain(submitted(order), MADE, started("a"), started("b")).when(ended("a")).then(done("a"))


def test_in_a_copy_a_recovery_comes_before_the_other_ready_steps() -> None:
    order = plan(step("a", recovery="mend"), step("b"), isolation="clone")
    running = given_chain(submitted(order), MADE, started("a"))
    running.when(ended("a", "failed")).then(failure("a"), started("a", 2))


def test_without_a_copy_no_step_runs() -> None:
    refused = WorkplaceRefused("isolation_failed", "no repository")
    asked = given_chain(submitted(COPIED), WorkplaceRequested("o1"))
    asked.when(chain.RecordWorkplace(CHAIN, refused, 9)).then(
        refused, StepSkipped("a"), StepSkipped("b"), StepSkipped("c"),
        ChainFailed("isolation_failed", "no repository"),
    )  # fmt: skip


@pytest.mark.parametrize("made", [MADE, WorkplaceRefused("isolation_failed", "no")])
def test_a_copy_that_nobody_waits_for_changes_nothing(made: WorkplaceMade | WorkplaceRefused) -> None:
    given_chain(submitted(A_THEN_B), started("a")).when(chain.RecordWorkplace(CHAIN, made, 9)).then()


def test_a_chain_that_is_cancelled_before_anyone_makes_its_copy_ends_at_once() -> None:
    skipped = [StepSkipped(name) for name in "abc"]
    fresh = given_chain(submitted(COPIED))
    fresh.when(chain.CancelChain(CHAIN, 9)).then(CANCELLED, *skipped, ChainCancelled())
    fresh.when(chain.ExpireChain(CHAIN, 9)).then(
        EXPIRED, *skipped, ChainFailed("timed_out_chain", EXPIRED.message)
    )


def test_a_chain_that_is_cancelled_while_its_copy_is_made_ends_with_that() -> None:
    skipped = [StepSkipped(name) for name in "abc"]
    asked = given_chain(submitted(COPIED), WorkplaceRequested("o1"))
    asked.when(chain.CancelChain(CHAIN, 9)).then(CANCELLED, *skipped)
    ending = asked.and_(CANCELLED, *skipped)
    ending.when(chain.RecordWorkplace(CHAIN, MADE, 9)).then(MADE, StepsEnded())
    refused = WorkplaceRefused("isolation_failed", "no")
    ending.when(chain.RecordWorkplace(CHAIN, refused, 9)).then(refused, ChainCancelled())


def test_every_owner_asks_once_to_keep_the_work() -> None:
    closing = given_chain(submitted(COPIED), MADE, StepsEnded())
    closing.when(chain.RequestClosing(CHAIN, "o1")).then(ClosingRequested("o1"))
    asked = closing.and_(ClosingRequested("o1"))
    asked.when(chain.RequestClosing(CHAIN, "o1")).then()
    asked.when(chain.RequestClosing(CHAIN, "o2")).then(ClosingRequested("o2"))
    given_chain(submitted(COPIED), MADE).when(chain.RequestClosing(CHAIN, "o1")).then()


NOT_MERGED = WorkKept("pool/a", "head", 1, Text(), None, "merge_conflict", "a.txt differs")


@pytest.mark.parametrize(
    ("ending", "kept", "end"),
    [
        (None, KEPT, ChainCompleted()),
        (EndingBegun("skip_rest"), KEPT, ChainCompleted()),
        (None, NOT_MERGED, ChainFailed("merge_conflict", "a.txt differs")),
        (EndingBegun("skip_rest"), NOT_MERGED, ChainFailed("merge_conflict", "a.txt differs")),
        (EndingBegun("step_failed", "m"), KEPT, ChainFailed("step_failed", "m")),
        (EndingBegun("step_failed", "m"), NOT_MERGED, ChainFailed("step_failed", "m")),
        (EXPIRED, KEPT, ChainFailed("timed_out_chain", EXPIRED.message)),
        (CANCELLED, NOT_MERGED, ChainCancelled()),
    ],
)
def test_a_chain_with_a_copy_ends_when_its_work_is_kept(
    ending: EndingBegun | None, kept: WorkKept, end: ChainEvent
) -> None:
    before = given_chain(submitted(COPIED), MADE)
    before = before if ending is None else before.and_(ending)
    after = before.and_(StepsEnded()).when(chain.RecordWorkKept(CHAIN, kept)).then(kept, end)
    assert work(after).kept == kept


def test_work_is_merged_only_where_all_went_well() -> None:
    running = given_chain(submitted(COPIED), MADE)
    assert chain.went_well(work(running.state))
    assert chain.went_well(work(running.and_(EndingBegun("skip_rest")).state))
    assert not chain.went_well(work(running.and_(EndingBegun("step_failed")).state))
    assert not chain.went_well(work(running.and_(CANCELLED).state))


def test_work_that_nobody_keeps_changes_nothing() -> None:
    given_chain(submitted(COPIED), MADE).when(chain.RecordWorkKept(CHAIN, KEPT)).then()
    over = given_chain(submitted(COPIED), MADE, StepsEnded(), KEPT, ChainCompleted())
    over.when(chain.RecordWorkKept(CHAIN, KEPT)).then()
