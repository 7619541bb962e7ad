"""How many slots are in service, and how a drain or a stop takes all of them out of it."""

from __future__ import annotations

from claude_pool.domain import pool, slot, task
from claude_pool.domain.coordination import Command
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.slot_events import SlotAdded
from claude_pool.domain.task_events import InterruptRequested
from claude_pool.domain.values import End

from tests.support.domain_story import (
    NOW,
    Story,
    answer_launches,
    end,
    opened,
    outcome,
    spec,
    submit,
    warmed,
    wear_out,
)

FOUR = Settings(slots=2, max_slots=4)


def stop_processes(story: Story) -> None:
    """Every process that is being ended is gone."""
    for slot_id, at in list(story.world.slots.items()):
        if isinstance(at, slot.Stopping):
            story.do(slot.RecordProcessEnded(slot_id, True, 0, 0, "", NOW))
    story.settle()


def in_service(story: Story) -> list[str]:
    """The slots that are neither stopped nor on their way out."""
    return [
        slot_id
        for slot_id, at in story.world.slots.items()
        if not isinstance(at, (slot.Stopped, slot.Stopping)) and not at.card.draining
    ]


def scale(story: Story, target: int) -> list[Command]:
    """Want so many slots, and let the policies react."""
    story.do(pool.SetTargetSlots(target))
    return story.settle()


def test_a_pool_begins_with_as_many_slots_as_it_is_set_to() -> None:
    story = opened(Settings(slots=3))
    story.settle()
    assert in_service(story) == ["slot-0", "slot-1", "slot-2"]


def test_more_slots_get_the_next_numbers() -> None:
    story = warmed(FOUR)
    assert scale(story, 4)[:2] == [slot.AddSlot("slot-2"), slot.AddSlot("slot-3")]


def test_an_idle_slot_leaves_before_a_busy_one_and_the_last_before_the_first() -> None:
    story = warmed(Settings(slots=3))
    submit(story, 0, spec(slot="slot-2"))
    story.settle()
    assert scale(story, 2) == [slot.DrainSlot("slot-1", NOW)]


def test_a_starting_slot_leaves_before_a_busy_one() -> None:
    story = warmed(FOUR)
    submit(story, 0)
    submit(story, 1)
    story.settle()
    scale(story, 3)
    assert scale(story, 2) == [slot.DrainSlot("slot-2", NOW)]


def test_a_failed_slot_leaves_first() -> None:
    story = warmed(Settings(slots=2))
    wear_out(story)
    assert isinstance(story.world.slots["slot-0"], slot.Failed)
    assert scale(story, 1) == [slot.DrainSlot("slot-0", NOW)]


def test_a_failed_slot_is_not_replaced_behind_the_persons_back() -> None:
    story = warmed(Settings(slots=1))
    wear_out(story)
    assert story.settle() == []
    assert list(story.world.slots) == ["slot-0"]


def test_a_number_is_never_used_again() -> None:
    story = warmed(FOUR)
    scale(story, 1)
    stop_processes(story)
    scale(story, 2)
    assert in_service(story) == ["slot-0", "slot-2"]


def test_a_slot_being_recycled_counts_until_it_leaves() -> None:
    story = warmed(Settings(slots=2, recycle_turns=1))
    done = submit(story, 0, spec(slot="slot-1"))
    story.settle()
    end(story, done)
    story.settle()
    submit(story, 1, spec(slot="slot-0"))
    story.settle()
    assert scale(story, 1) == [slot.DrainSlot("slot-1", NOW)]
    stop_processes(story)
    after = story.world.slots["slot-1"]
    assert isinstance(after, slot.Stopped)
    assert after.retired


def test_a_drain_lets_accepted_work_end_and_then_stops_all_slots() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    first, second = submit(story, 0), submit(story, 1)
    story.settle()
    story.do(pool.StartDrain("finish"))
    story.settle()
    end(story, first)
    story.settle()
    assert second in story.world.running
    end(story, second)
    assert story.settle() == [slot.StartStop("slot-0", "drain", NOW)]
    stop_processes(story)
    assert isinstance(story.world.slots["slot-0"], slot.Stopped)


def test_a_drain_may_cancel_what_is_accepted() -> None:
    story = warmed(Settings(slots=2, session="slot"))
    live, parked = submit(story, 0), submit(story, 1, spec(retries=1))
    story.settle()
    end(story, parked, outcome(End.FAILED, retryable=True))
    pending = submit(story, 2, spec(slot="builder"))
    story.do(pool.StartDrain("cancel"))
    story.settle()
    assert story.running(live).cancel
    assert isinstance(story.state_of(pending), task.Cancelled)
    assert isinstance(story.state_of(parked), task.Cancelled)
    end(story, live, outcome(End.INTERRUPTED))
    assert isinstance(story.state_of(live), task.Cancelled)


def test_a_cold_slot_stops_with_the_drain_and_is_not_launched_meanwhile() -> None:
    story = warmed(Settings(slots=2, session="slot"))
    live = submit(story, 0, spec(slot="slot-0"))
    story.settle()
    story.do(pool.StartDrain("finish"))
    story.do(slot.RecordProcessEnded("slot-1", False, 1, 0, "", NOW))
    assert story.settle() == []
    end(story, live)
    assert story.settle() == [slot.StartStop("slot-0", "drain", NOW), slot.StartStop("slot-1", "drain", NOW)]


def test_a_lifted_drain_brings_the_slots_back() -> None:
    story = warmed(Settings(slots=2))
    story.do(pool.StartDrain("finish"))
    story.settle()
    stop_processes(story)
    story.do(pool.LiftDrain())
    assert story.settle()[:2] == [slot.ReviveSlot("slot-0"), slot.ReviveSlot("slot-1")]


def test_while_the_pool_drains_the_number_of_slots_is_left_alone() -> None:
    story = warmed(FOUR)
    submit(story, 0)
    story.settle()
    story.do(pool.StartDrain("finish"))
    assert scale(story, 4) == []
    story.do(pool.LiftDrain())
    assert story.settle()[:2] == [slot.AddSlot("slot-2"), slot.AddSlot("slot-3")]


def test_a_stop_lets_attempts_end_and_leaves_the_queue_in_the_log() -> None:
    story = warmed(Settings(slots=2, session="slot"))
    live = submit(story, 0, spec(slot="slot-0"))
    story.settle()
    waits = submit(story, 1, spec(slot="slot-0"))
    story.do(pool.StopOwner())
    assert story.settle() == [slot.StartStop("slot-1", "shutdown", NOW)]
    end(story, live)
    assert story.settle() == [slot.StartStop("slot-0", "shutdown", NOW)]
    stop_processes(story)
    assert all(isinstance(at, slot.Stopped) for at in story.world.slots.values())
    assert isinstance(story.world.tasks[waits], task.Pending)


def test_a_stop_at_once_interrupts_and_seals() -> None:
    story = warmed(Settings(slots=1))
    live = submit(story, 0)
    story.settle()
    story.do(pool.StopOwner(now=True))
    assert story.settle() == [task.InterruptAttempt(live, 1, "interrupted", NOW)]
    assert InterruptRequested(1, "interrupted", NOW) in story.events_of(live)
    end(story, live, outcome(End.INTERRUPTED))
    assert isinstance(story.state_of(live), task.Sealed)


def test_a_cancelled_attempt_is_not_interrupted_again_by_a_stop() -> None:
    story = warmed(Settings(slots=1))
    live = submit(story, 0)
    story.settle()
    story.do(task.CancelTask(live, NOW))
    story.do(pool.StopOwner(now=True))
    assert story.settle() == []


def test_a_stop_waits_for_a_process_that_is_being_started() -> None:
    story = opened(Settings(slots=1))
    story.settle()
    story.do(pool.StopOwner())
    assert story.settle() == []
    answer_launches(story)
    assert story.settle() == [slot.StartStop("slot-0", "shutdown", NOW)]


def test_a_stop_takes_a_slot_without_a_process_out_of_service() -> None:
    story = opened(Settings(slots=1))
    story.settle()
    story.do(pool.StopOwner())
    starting = story.world.slots["slot-0"]
    assert isinstance(starting, slot.Starting)
    story.do(slot.RecordLaunchFailed("slot-0", starting.launch, "slot_failed", "", NOW))
    assert story.settle() == [slot.StartStop("slot-0", "shutdown", NOW)]
    assert isinstance(story.world.slots["slot-0"], slot.Stopped)


def test_a_pool_without_an_owner_wants_nothing() -> None:
    story = Story()
    assert story.wanted() is None
    story.append(*opened().do(pool.RecordOwnerStopped()))
    assert story.wanted() is None
    assert not any(isinstance(r.event, SlotAdded) for r in story.log)


def test_slots_on_their_way_out_count_towards_the_most_that_may_run() -> None:
    story = warmed(Settings(slots=1, max_slots=2))
    submit(story, 0)
    scale(story, 2)
    answer_launches(story)
    last = submit(story, 1)
    story.settle()
    scale(story, 1)
    scale(story, 2)
    assert in_service(story) == ["slot-0"]
    assert list(story.world.slots) == ["slot-0", "slot-1"]
    end(story, last)
    story.settle()
    stop_processes(story)
    assert in_service(story) == ["slot-0", "slot-2"]
