"""What a task's `on_interrupt` makes of an attempt that was cut off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import pool, slot, task
from claude_pool.domain.chain import CancelChain, ExpireChain
from claude_pool.domain.coordination import Recover
from claude_pool.domain.errors import WrongState
from claude_pool.domain.pool_events import FundsSettled, Settings
from claude_pool.domain.records import Actor, Meta, Recorded
from claude_pool.domain.settling import RERUNS, RESUMES, settlements
from claude_pool.domain.story import story as story_of
from claude_pool.domain.task_board import sealed_choices, task_card
from claude_pool.domain.task_events import SessionOpened, TaskReopened, TaskSealed
from claude_pool.domain.values import End, Limit, LimitKind, Outcome, TaskSpec, Transcript

from tests.support.domain_chains import accept, chain_of, go_on, plan, step, step_task
from tests.support.domain_story import NOW, Story, answer_launches, end, outcome, spec, submit, warmed

SEEN = replace(outcome(End.INTERRUPTED, cost=3), transcript=Transcript(100, "0" * 64))
UNSEEN = replace(SEEN, transcript=Transcript())
LOST = replace(outcome(End.FAILED, "session_not_found", turns=0), message="No conversation found.")


def ordered(on_interrupt: str, retries: int = 0, max_budget: int | None = None) -> TaskSpec:
    """A task that says so."""
    return replace(spec(retries=retries, max_budget=max_budget), on_interrupt=on_interrupt)


def at_work(order: TaskSpec, limit: int | None = None) -> tuple[Story, str]:
    """A pool of one slot in which the task runs."""
    story = warmed(Settings(slots=1), limit)
    task_id = submit(story, 0, order)
    story.settle()
    return story, task_id


def next_owner(story: Story, seen: Outcome = SEEN) -> None:
    """The owner dies; another one recovers what it left, and starts its slots."""
    live = {
        task.live_attempt_id(state): seen
        for state in story.world.tasks.values()
        if isinstance(state, task.Running)
    }
    story.do(Recover(live, NOW))
    take_over(story)


def take_over(story: Story) -> None:
    """Another owner starts, and its policies react."""
    settings = story.world.open_pool().settings
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", settings, None, False, NOW))
    story.settle()
    answer_launches(story)
    story.settle()


def state_name(story: Story, task_id: str) -> str:
    """Which state the task is in."""
    return type(story.state_of(task_id)).__name__


def reopenings(story: Story, task_id: str) -> list[TaskReopened]:
    """Each time it got another attempt."""
    return [event for event in story.events_of(task_id) if isinstance(event, TaskReopened)]


def test_a_task_goes_on_in_its_conversation_by_itself() -> None:
    story, task_id = at_work(ordered("resume"))
    session = story.running(task_id).session
    next_owner(story)
    assert reopenings(story, task_id) == [TaskReopened("resume", session, NOW, automatic=True)]
    live = story.running(task_id)
    assert (live.number, live.session, live.resumed) == (2, session, True)


def test_that_is_what_a_task_does_that_says_nothing() -> None:
    assert spec().on_interrupt == "resume"


def test_it_goes_on_once_and_then_asks() -> None:
    story, task_id = at_work(ordered("resume"))
    next_owner(story)
    next_owner(story)
    assert state_name(story, task_id) == "Sealed"
    assert len(reopenings(story, task_id)) == RESUMES


def test_a_conversation_of_which_nothing_was_seen_is_not_taken_up() -> None:
    story, task_id = at_work(ordered("resume"))
    next_owner(story, UNSEEN)
    assert (state_name(story, task_id), reopenings(story, task_id)) == ("Sealed", [])


def test_a_task_may_run_again_as_it_was_ordered_some_times() -> None:
    story, task_id = at_work(ordered("rerun"))
    sessions = {story.running(task_id).session}
    for number in range(1, RERUNS + 1):
        next_owner(story, SEEN if number % 2 else UNSEEN)
        live = story.running(task_id)
        assert (live.number, live.resumed) == (number + 1, False)
        sessions.add(live.session)
    assert len(sessions) == RERUNS + 1
    next_owner(story)
    assert (state_name(story, task_id), len(reopenings(story, task_id))) == ("Sealed", RERUNS)


def test_a_task_may_ask_at_once() -> None:
    story, task_id = at_work(ordered("ask"))
    next_owner(story)
    assert (state_name(story, task_id), reopenings(story, task_id)) == ("Sealed", [])


def test_what_somebody_decides_does_not_count() -> None:
    story, task_id = at_work(ordered("resume"))
    next_owner(story)
    next_owner(story)
    story.do(task.ReopenTask(task_id, resume=False, now=NOW))
    story.settle()
    assert story.running(task_id).number == 3
    next_owner(story)
    assert state_name(story, task_id) == "Sealed", "its own resumption is used up"
    story, task_id = at_work(ordered("ask"))
    next_owner(story)
    story.do(task.ReopenTask(task_id, resume=True, now=NOW))
    assert story.state_of(task_id).job.reopened == 0  # type: ignore[union-attr]  # it is known


def test_an_attempt_that_a_stop_cut_off_is_settled_by_the_next_owner() -> None:
    story, task_id = at_work(ordered("resume"))
    story.do(pool.StopOwner(now=True))
    story.settle()
    end(story, task_id, SEEN, alive=False)
    story.settle()
    assert (state_name(story, task_id), reopenings(story, task_id)) == ("Sealed", [])
    story.do(Recover({}, NOW))
    story.do(pool.RecordOwnerStopped())
    take_over(story)
    assert story.running(task_id).resumed


def test_nothing_is_reopened_by_a_pool_that_drains_by_cancelling() -> None:
    story, task_id = at_work(ordered("rerun"))
    story.do(Recover({}, NOW))
    story.do(pool.StartDrain("cancel"))
    assert list(settlements(story.world, NOW)) == []
    story.do(pool.LiftDrain())
    assert list(settlements(story.world, NOW)) == [task.ReopenTask(task_id, False, NOW, automatic=True)]


@pytest.mark.parametrize("code", ["timed_out_task", "task_budget_reached"])
def test_an_attempt_that_was_to_end_anyway_does_not_go_on_by_itself(code: str) -> None:
    story, task_id = at_work(ordered("resume"))
    story.do(task.InterruptAttempt(task_id, 1, code, NOW))
    next_owner(story)
    assert (state_name(story, task_id), reopenings(story, task_id)) == ("Sealed", [])


def test_a_step_goes_on_and_its_chain_with_it() -> None:
    story = warmed(Settings(slots=1))
    accept(story, plan(step("a"), step("b", "a")))
    story.settle()
    next_owner(story)
    first = step_task("a")
    assert story.running(first).resumed
    end(story, first)
    go_on(story)
    end(story, step_task("b"))
    assert type(chain_of(story)).__name__ == "Completed"


def test_a_step_of_a_chain_that_ends_is_not_reopened() -> None:
    story = warmed(Settings(slots=2))
    accept(story, plan(step("a"), step("b")))
    story.settle()
    end(story, step_task("b"), outcome(End.FAILED))
    story.do(Recover({f"{step_task('a')}.1": SEEN}, NOW))
    assert chain_of(story).work.ending is not None  # type: ignore[union-attr]  # it is known
    assert list(settlements(story.world, NOW)) == []


@pytest.mark.parametrize("ends", [CancelChain, ExpireChain])
def test_the_end_of_a_chain_goes_before_its_steps_rules(ends: type[CancelChain | ExpireChain]) -> None:
    story = warmed(Settings(slots=1))
    accept(story, plan(step("a")))
    story.settle()
    story.do(Recover({f"{step_task('a')}.1": SEEN}, NOW))
    story.do(ends("chain-aaaaaaaaaaaaaaaa", NOW))
    assert state_name(story, step_task("a")) == "Cancelled"


def test_a_chain_whose_time_is_over_meanwhile_goes_on_with_nothing() -> None:
    story = warmed(Settings(slots=1))
    accept(story, replace(plan(step("a")), timeout_ms=1_000))
    story.settle()
    story.do(Recover({f"{step_task('a')}.1": SEEN}, NOW))
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(slots=1), None, False, NOW))
    story.settle(NOW + 2_000)
    assert reopenings(story, step_task("a")) == []
    assert type(chain_of(story)).__name__ == "Failed"


def not_found(order: TaskSpec, limit: int | None = None) -> tuple[Story, str]:
    """A task that was to go on in a conversation which the CLI does not know."""
    story, task_id = at_work(order, limit)
    next_owner(story)
    end(story, task_id, LOST, alive=False)
    story.settle()
    return story, task_id


def test_where_the_conversation_is_gone_somebody_is_asked() -> None:
    story, task_id = not_found(ordered("resume", retries=2, max_budget=40), limit=100)
    assert state_name(story, task_id) == "Sealed"
    assert story.events_of(task_id)[-1] == TaskSealed(2)
    sealed = story.world.tasks[task_id]
    card = task_card(sealed, NOW, story.world)
    assert card.error is not None
    assert (card.state, card.reason, card.error.code) == ("sealed", "sealed", "interrupted")
    assert "cannot be taken up. No conversation found. Look how far it came" in card.error.message
    assert sealed_choices(sealed.job) == ("rerun", "cancel")
    assert sealed.job.failures == 0, "nothing was tried that a retry could mend"


def test_the_attempt_that_found_no_conversation_is_settled() -> None:
    story, task_id = not_found(ordered("resume"), limit=100)
    settled = [event for event in story.events_of("pool") if isinstance(event, FundsSettled)]
    assert [(event.attempt, event.cost) for event in settled] == [(f"{task_id}.1", 3), (f"{task_id}.2", 0)]
    budget = story.world.open_pool().budget
    assert (budget.spent, budget.reserved) == (3, 0)


def test_an_unknown_conversation_that_the_order_names_is_a_failure() -> None:
    story, task_id = at_work(ordered("resume"))
    end(story, task_id, LOST, alive=False)
    assert state_name(story, task_id) == "Failed"


def test_a_resumption_that_is_cancelled_meanwhile_is_cancelled() -> None:
    story, task_id = at_work(ordered("resume"))
    next_owner(story)
    story.do(task.CancelTask(task_id, NOW))
    end(story, task_id, LOST, alive=False)
    assert state_name(story, task_id) == "Cancelled"


@pytest.mark.parametrize(
    "passing",
    [
        outcome(End.FAILED, "provider_error", retryable=True),
        replace(outcome(End.FAILED, "provider_limit", retryable=True), limit=Limit(LimitKind.OVERLOADED)),
    ],
)
def test_what_fails_in_passing_is_tried_again_in_the_same_conversation(passing: Outcome) -> None:
    story, task_id = at_work(ordered("resume", retries=1))
    session = story.running(task_id).session
    next_owner(story)
    end(story, task_id, passing)
    story.do(task.UnparkTask(task_id))
    story.do(pool.ResumePool())
    story.settle()
    live = story.running(task_id)
    assert (live.number, live.session, live.resumed) == (3, session, True)
    modes = [event.mode for event in story.events_of(task_id) if isinstance(event, SessionOpened)]
    assert modes == ["fresh", "resume", "resume"]


def test_one_whose_conversation_is_out_of_reach_asks() -> None:
    story, task_id = at_work(ordered("resume"))
    story.do(Recover({f"{task_id}.1": SEEN}, NOW))
    story.do(task.ReopenTask(task_id, True, NOW))
    assert story.do(task.FailTask(task_id, "session_not_found", "It lives elsewhere.", NOW))
    sealed = story.world.tasks[task_id]
    assert isinstance(sealed, task.Sealed) and sealed.job.resume is None


def test_a_waiting_task_that_was_never_cut_off_is_not_sealed() -> None:
    story = warmed(Settings(slots=1))
    waiting = story.world.tasks[submit(story, 0)]
    assert task.evolve(waiting, TaskSealed(1)) is waiting


def test_only_a_sealed_task_is_reopened() -> None:
    story, task_id = at_work(ordered("rerun"))
    with pytest.raises(WrongState, match="only a sealed task"):
        story.do(task.ReopenTask(task_id, False, NOW, automatic=True))


def test_the_story_tells_who_decided() -> None:
    meta = Meta(1, "cmd", "cmd", Actor.POLICY)
    events = (TaskReopened("resume", "s", 1, automatic=True), TaskReopened("rerun", None, 1))
    told = story_of([Recorded(n, "task", n, e, meta, b"") for n, e in enumerate(events, 1)])
    assert [reason.text for reason in told] == ["its on_interrupt decided: resume", "somebody decided: rerun"]


def test_the_view_of_a_new_process_agrees() -> None:
    story, _ = not_found(ordered("resume"))
    assert repr(vars(story.replayed())) == repr(vars(story.world))


def test_a_slot_is_not_blamed_for_a_lost_conversation() -> None:
    story, _ = not_found(ordered("resume"))
    assert not isinstance(story.world.slots["slot-0"], slot.Failed)
    assert story.world.slots["slot-0"].card.restarts == 0
