"""A slot gets a process only while there is memory for one more, says so, and gets it later by itself."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, slot
from claude_pool.domain.claims import claim_for
from claude_pool.domain.errors import WrongState
from claude_pool.domain.policies import looks_again_after, next_wake
from claude_pool.domain.pool_events import LaunchesAllowed, LaunchesHeld, Settings
from claude_pool.domain.pool_status import SlotWait, pool_status
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.room import Memory
from claude_pool.domain.slot import RecordLaunched, RecordLaunchFailed
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.values import Options

from tests.support.domain_story import NOW, Story, opened, spec, submit


def with_left(story: Story, available_mb: int | None) -> None:
    """So much memory is left now, and the policies have seen it."""
    memory = None if available_mb is None else Memory(available_mb, 256)
    story.surroundings = Surroundings({}, memory=memory)
    story.settle()


def launched(story: Story, slot_id: str) -> None:
    """The process of a slot that starts has come up."""
    story.do(RecordLaunched(slot_id, 1, 100, "2.1.0"))
    story.settle()


def states(story: Story) -> list[type[slot.Present]]:
    """What each slot is."""
    return [type(at) for at in story.world.slots.values()]


def test_a_slot_is_launched_while_its_share_and_the_reserve_are_left() -> None:
    story = opened(Settings(slots=2))
    with_left(story, 256 + 2 * 350)
    assert states(story) == [slot.Starting, slot.Starting]
    assert not story.world.open_pool().launches_held


def test_what_starts_counts_in_full_until_it_has_come_up() -> None:
    story = opened(Settings(slots=2))
    with_left(story, 256 + 2 * 350 - 1)
    assert states(story) == [slot.Starting, slot.Cold]
    assert story.events_of("pool")[-1] == LaunchesHeld(955, 956)
    launched(story, "slot-0")
    assert states(story) == [slot.Idle, slot.Starting]
    assert story.events_of("pool")[-1] == LaunchesAllowed()


def test_one_process_may_always_run() -> None:
    story = opened(Settings(slots=2))
    with_left(story, 0)
    assert states(story) == [slot.Starting, slot.Cold]


def short(slots: int = 2) -> Story:
    """A pool whose first slot has a process, and which has no memory for another."""
    story = opened(Settings(slots=slots))
    with_left(story, 100)
    launched(story, "slot-0")
    return story


def test_a_slot_that_is_held_back_says_so_and_goes_on_once_there_is_memory() -> None:
    story = short()
    assert [seen.waits for seen in pool_status(story.world, "").slots] == [None, SlotWait("memory", None)]
    assert (looks_again_after(story.world), next_wake(story.world)) == (2_000, None)
    with_left(story, 605)
    assert states(story) == [slot.Idle, slot.Cold]
    with_left(story, 606)
    assert states(story) == [slot.Idle, slot.Starting]
    assert looks_again_after(story.world) is None
    assert [seen.waits for seen in pool_status(story.world, "").slots] == [None, None]


def test_it_is_on_record_once_however_long_it_lasts() -> None:
    story = short()
    for left in (99, 98, 97):
        with_left(story, left)
    assert sum(isinstance(event, LaunchesHeld) for event in story.events_of("pool")) == 1
    assert story.do(pool.HoldLaunches(1, 2)) == ()
    with_left(story, None)
    assert story.do(pool.AllowLaunches()) == ()


def test_no_task_is_given_to_a_slot_without_a_process_meanwhile() -> None:
    story = short()
    first, second = submit(story, 0), submit(story, 1)
    pinned = submit(story, 2, spec(slot="slot-1"))
    story.settle()
    assert list(story.world.running) == [first]
    assert [waiting_for(story.world, story.world.tasks[n]) for n in (second, pinned)] == ["memory"] * 2
    with pytest.raises(WrongState, match="too little memory"):
        claim_for(story.world, "slot-1", story.surroundings, NOW)
    with_left(story, 5_000)
    assert list(story.world.running) == [first, second]


def test_a_task_that_no_slot_without_a_process_may_run_waits_for_its_slot() -> None:
    story = short()
    story.settle()
    pinned = submit(story, 1, spec(slot="slot-0"))
    assert waiting_for(story.world, story.world.tasks[pinned]) == "slot slot-0"


def test_a_slot_that_rests_anyway_is_not_held_back() -> None:
    story = short()
    with_left(story, 606)
    for launch in (1, 2):
        story.do(RecordLaunchFailed("slot-1", launch, "slot_failed", "It did not come up.", NOW))
        story.settle()
    with_left(story, 0)
    assert states(story) == [slot.Idle, slot.Cold]
    assert not story.world.open_pool().launches_held
    assert pool_status(story.world, "").slots[1].waits == SlotWait("backoff", NOW + 1_000)


def test_a_process_that_is_being_replaced_counts_as_starting() -> None:
    story = short(3)
    submit(story, 0, spec(options=Options(system_prompt="Be short.")))
    story.settle()
    with_left(story, 256 + 2 * 350 - 1)
    assert states(story) == [slot.Busy, slot.Cold, slot.Cold]
    with_left(story, 256 + 2 * 350)
    assert states(story) == [slot.Busy, slot.Starting, slot.Cold]


def test_nothing_is_held_while_the_owner_ends_or_a_drain_is_done() -> None:
    for command in (pool.StopOwner(), pool.StartDrain("finish")):
        story = short()
        story.do(command)
        story.settle()
        assert not story.world.open_pool().launches_held
        assert states(story)[1] is slot.Stopped


def test_the_next_owner_looks_for_itself() -> None:
    story = short()
    assert story.world.open_pool().launches_held
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(slots=2), None, False, NOW))
    assert not story.world.open_pool().launches_held
