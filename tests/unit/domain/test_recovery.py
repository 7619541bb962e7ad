"""What a new owner makes of what a dead one left open."""

from __future__ import annotations

from claude_pool.domain import pool, slot, task
from claude_pool.domain.coordination import Recover, decide
from claude_pool.domain.pool_events import FundsSettled, Settings
from claude_pool.domain.slot_events import ProcessEnded, SlotReleased, SlotRetired, SlotStopped
from claude_pool.domain.values import End

from tests.support.domain_story import (
    NOW,
    Story,
    end,
    opened,
    outcome,
    spec,
    submit,
    warmed,
    wear_out,
)


def cut_off(limit: int | None = None) -> tuple[Story, str]:
    """A pool whose owner died while a task ran in slot-0."""
    story = warmed(limit=limit)
    task_id = submit(story, 0, spec(max_budget=40))
    story.settle()
    return story, task_id


def test_nothing_open_needs_no_recovery() -> None:
    assert Story().do(Recover({}, NOW)) == ()
    assert opened().do(Recover({}, NOW)) == ()


def test_recovering_twice_changes_nothing_more() -> None:
    story, _ = cut_off(limit=100)
    assert story.do(Recover({}, NOW))
    assert decide(Recover({}, NOW), story.world) == ()


def test_a_live_attempt_is_sealed_and_its_slot_released_and_stopped() -> None:
    story, task_id = cut_off()
    session = story.running(task_id).session
    story.do(Recover({f"{task_id}.1": outcome(End.INTERRUPTED, cost=12)}, NOW))
    assert isinstance(story.state_of(task_id), task.Sealed)
    assert story.events_of("slot-0")[-3:] == [
        SlotReleased(f"{task_id}.1", False, 12, 0, session),
        ProcessEnded(1, True, None, 0, "owner_lost", NOW),
        SlotStopped("owner_lost"),
    ]
    assert isinstance(story.world.slots["slot-0"], slot.Stopped)


def test_the_slot_keeps_the_conversation_and_the_cost_of_what_was_cut_off() -> None:
    story, task_id = cut_off()
    session = story.running(task_id).session
    story.do(Recover({f"{task_id}.1": outcome(End.INTERRUPTED, cost=12)}, NOW))
    card = story.world.slots["slot-0"].card
    assert (card.conversation, card.cost, card.restarts) == (session, 12, 0)


def test_a_conversation_that_had_not_begun_is_not_the_slots() -> None:
    story = opened(Settings(slots=1))
    task_id = submit(story, 0)
    story.settle()
    assert story.running(task_id).slot_id == "slot-0"
    story.do(Recover({}, NOW))
    assert story.world.slots["slot-0"].card.conversation is None


def test_its_reservation_is_settled_at_what_its_transcript_shows() -> None:
    story, task_id = cut_off(limit=100)
    story.do(Recover({f"{task_id}.1": outcome(End.INTERRUPTED, cost=12)}, NOW))
    budget = story.world.open_pool().budget
    assert (budget.spent, budget.reserved) == (12, 0)
    assert FundsSettled(f"{task_id}.1", 12, accounts=("day:1970-01-01",)) in story.events_of("pool")


def test_a_cost_that_nobody_saw_is_an_estimate() -> None:
    story, task_id = cut_off()
    story.do(Recover({}, NOW))
    assert FundsSettled(f"{task_id}.1", 0, estimated=True, accounts=("day:1970-01-01",)) in story.events_of(
        "pool"
    )
    sealed = story.state_of(task_id)
    assert isinstance(sealed, task.Sealed)
    assert sealed.job.attempts[-1].outcome.estimated


def test_a_live_attempt_that_was_to_be_cancelled_is_cancelled() -> None:
    story, task_id = cut_off()
    story.do(task.CancelTask(task_id, NOW))
    story.do(Recover({}, NOW))
    assert isinstance(story.state_of(task_id), task.Cancelled)


def test_what_a_sealed_attempt_seemed_to_say_is_no_success() -> None:
    story, task_id = cut_off()
    story.do(Recover({f"{task_id}.1": outcome()}, NOW))
    sealed = story.state_of(task_id)
    assert isinstance(sealed, task.Sealed)
    last = sealed.job.attempts[-1].outcome
    assert (last.end, last.code, last.retryable) == (End.INTERRUPTED, "interrupted", False)
    assert last.output.inline == "done"


def test_waiting_tasks_keep_waiting() -> None:
    story = warmed()
    parked = submit(story, 0, spec(retries=1))
    story.settle()
    end(story, parked, outcome(End.FAILED, retryable=True))
    pending = submit(story, 1, spec(slot="builder"))
    story.do(Recover({}, NOW))
    assert isinstance(story.world.tasks[parked], task.Parked)
    assert isinstance(story.world.tasks[pending], task.Pending)


def test_a_slot_on_its_way_out_has_left() -> None:
    story, _ = cut_off()
    story.do(slot.DrainSlot("slot-0"))
    story.do(Recover({}, NOW))
    assert SlotRetired() in story.events_of("slot-0")
    state = story.world.slots["slot-0"]
    assert isinstance(state, slot.Stopped)
    assert state.retired


def test_a_failed_slot_stays_failed() -> None:
    story = warmed(Settings(slots=1))
    wear_out(story)
    assert isinstance(story.world.slots["slot-0"], slot.Failed)
    assert story.do(Recover({}, NOW)) == ()


def test_the_next_owner_revives_slots_in_number_order_up_to_its_own_number() -> None:
    story = warmed(Settings(slots=3))
    story.do(Recover({}, NOW))
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(slots=2), None, False, NOW))
    assert story.settle()[:2] == [slot.ReviveSlot("slot-0"), slot.ReviveSlot("slot-1")]
    assert isinstance(story.world.slots["slot-2"], slot.Stopped)


def test_a_spare_conversation_is_lost_with_its_process() -> None:
    story = warmed(Settings(slots=1))
    before = story.world.slots["slot-0"]
    assert isinstance(before, slot.Idle)
    story.do(Recover({}, NOW))
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(slots=1), None, False, NOW))
    story.settle()
    after = story.world.slots["slot-0"]
    assert isinstance(after, slot.Starting)
    assert after.session != before.process.spare
