"""What the policies do with slots that have nothing to do: launch, clear ahead, recycle, stop, retire."""

from __future__ import annotations

from claude_pool.domain import pool, slot
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.slot_events import LaunchStarted, StopStarted
from claude_pool.domain.values import End

from tests.support.domain_story import (
    NOW,
    Story,
    answer_clears,
    answer_launches,
    end,
    opened,
    outcome,
    spec,
    submit,
    warmed,
)


def work_through(story: Story, numbers: range) -> None:
    """Let the one slot work on a queue that is never empty."""
    for number in numbers:
        submit(story, number)
    for _ in range(200):
        story.settle()
        answer_clears(story)
        answer_launches(story)
        for slot_id, at in list(story.world.slots.items()):
            if isinstance(at, slot.Stopping):
                story.do(slot.RecordProcessEnded(slot_id, True, 0, 0, "", NOW))
        for task_id in list(story.world.running):
            end(story, task_id)
        if not story.world.tasks:
            return
    raise AssertionError("the queue does not get empty")


def test_slots_are_launched_ahead_of_work() -> None:
    story = opened(Settings(slots=2))
    story.settle()
    assert [type(at) for at in story.world.slots.values()] == [slot.Starting, slot.Starting]


def test_each_launch_of_each_owner_begins_a_conversation_of_its_own() -> None:
    sessions: set[str] = set()
    for owner in ("owner-1", "owner-2"):
        story = opened(Settings(slots=2), owner=owner)
        story.settle()
        for slot_id in ("slot-0", "slot-1"):
            starting = story.world.slots[slot_id]
            assert isinstance(starting, slot.Starting)
            sessions.add(starting.session)
            story.do(slot.RecordLaunchFailed(slot_id, starting.launch, "slot_failed", "", NOW))
        story.settle()
        sessions |= {at.session for at in story.world.slots.values() if isinstance(at, slot.Starting)}
    assert len(sessions) == 8


def test_each_owner_gives_an_attempt_a_conversation_of_its_own() -> None:
    sessions: set[str] = set()
    for owner in ("owner-1", "owner-2"):
        story = opened(Settings(slots=1), owner=owner)
        task_id = submit(story, 0)
        story.settle()
        sessions.add(story.running(task_id).session)
    assert len(sessions) == 2


def test_an_idle_process_is_given_an_empty_conversation_ahead_of_work() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id)
    assert story.settle() == [slot.StartClear("slot-0", NOW)]


def test_a_pool_whose_tasks_continue_their_slots_conversation_does_not_clear_ahead() -> None:
    story = warmed(Settings(session="slot"))
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id)
    assert story.settle() == []


def test_a_worn_process_is_recycled() -> None:
    story = warmed(Settings(slots=1, recycle_turns=1))
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id)
    assert story.settle() == [slot.StartStop("slot-0", "recycle", NOW)]
    story.do(slot.RecordProcessEnded("slot-0", True, 0, 0, "", NOW))
    story.settle()
    assert isinstance(story.world.slots["slot-0"], slot.Starting)


def test_a_process_that_grew_too_large_is_recycled() -> None:
    story = warmed(Settings(slots=1, recycle_rss_mb=500))
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id, rss_mb=500)
    assert story.settle() == [slot.StartStop("slot-0", "recycle", NOW)]


def test_a_worn_process_is_recycled_however_long_the_queue_is() -> None:
    story = warmed(Settings(slots=1, recycle_turns=3))
    work_through(story, range(7))
    recycled = [e for e in story.events_of("slot-0") if isinstance(e, StopStarted)]
    assert recycled == [StopStarted("recycle", NOW)] * 2


def test_three_launches_that_fail_within_a_minute_fail_the_slot() -> None:
    story = opened(Settings(slots=1))
    for second in (0, 1_000, 2_000):
        story.settle(NOW + second)
        starting = story.world.slots["slot-0"]
        assert isinstance(starting, slot.Starting)
        story.do(slot.RecordLaunchFailed("slot-0", starting.launch, "slot_failed", "No CLI.", NOW + second))
    assert story.settle(NOW + 2_000) == []
    failed = story.world.slots["slot-0"]
    assert isinstance(failed, slot.Failed)
    assert (failed.code, failed.problem) == ("slot_failed", "No CLI.")


def test_a_slot_that_fails_on_its_way_out_leaves_all_the_same() -> None:
    story = opened(Settings(slots=2))
    for second in range(3):
        story.settle(NOW + second * 1_000)
        if second == 2:
            story.do(pool.SetTargetSlots(1))
            story.settle(NOW + second * 1_000)
        starting = story.world.slots["slot-1"]
        assert isinstance(starting, slot.Starting)
        story.do(slot.RecordLaunchFailed("slot-1", starting.launch, "slot_failed", "", NOW + second * 1_000))
    story.settle(NOW + 2_000)
    after = story.world.slots["slot-1"]
    assert isinstance(after, slot.Stopped)
    assert after.retired


def test_a_busy_slot_leaves_after_its_attempt() -> None:
    story = warmed(Settings(slots=2))
    first, second = submit(story, 0), submit(story, 1)
    story.settle()
    story.do(pool.SetTargetSlots(1))
    assert story.settle() == [slot.DrainSlot("slot-1", NOW)]
    end(story, second)
    assert story.settle() == [slot.StartStop("slot-1", "retire", NOW)]
    story.do(slot.RecordProcessEnded("slot-1", True, 0, 0, "", NOW))
    after = story.world.slots["slot-1"]
    assert isinstance(after, slot.Stopped)
    assert after.retired
    assert first in story.world.running


def test_a_cold_slot_that_is_to_leave_has_left() -> None:
    story = opened(Settings(slots=2))
    story.settle()
    story.do(pool.SetTargetSlots(1))
    story.settle()
    starting = story.world.slots["slot-1"]
    assert isinstance(starting, slot.Starting)
    story.do(slot.RecordLaunchFailed("slot-1", starting.launch, "slot_failed", "", NOW))
    assert story.settle() == [slot.StartStop("slot-1", "retire", NOW)]
    after = story.world.slots["slot-1"]
    assert isinstance(after, slot.Stopped)
    assert after.retired


def test_a_process_that_dies_idle_is_replaced() -> None:
    story = warmed(Settings(slots=1))
    story.do(slot.RecordProcessEnded("slot-0", False, -9, 0, "killed", NOW))
    story.settle()
    launches = [e.launch for e in story.events_of("slot-0") if isinstance(e, LaunchStarted)]
    assert launches == [1, 2]
    assert story.world.slots["slot-0"].card.restarts == 1


def test_a_failed_attempt_with_a_living_process_does_not_count_against_the_slot() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    for number in range(4):
        task_id = submit(story, number, spec(session="slot"))
        story.settle()
        end(story, task_id, outcome(End.FAILED))
    assert story.world.slots["slot-0"].card.restarts == 0
