"""Slots that rest or are out of service: what they do not do, what is told of them, how they come back."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, slot
from claude_pool.domain.attempts import Claim
from claude_pool.domain.claims import claim_for
from claude_pool.domain.errors import SlotsFailed, WrongState
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.pool_status import SlotWait, pool_status
from claude_pool.domain.reasons import waiting_for, waiting_until
from claude_pool.domain.slot_events import SlotTried
from claude_pool.domain.standing import Degraded, degraded
from claude_pool.domain.values import Options

from tests.support.domain_story import (
    NOW,
    Story,
    answer_launches,
    end,
    opened,
    spec,
    submit,
    warmed,
    wear_out,
)

MINUTE = 60_000
ONE = Settings(slots=1)


def out_of_service(settings: Settings = ONE) -> Story:
    """A pool whose slot-0 was just put out of service, two seconds after the beginning."""
    story = warmed(settings)
    assert wear_out(story) == NOW + 2_000
    assert isinstance(story.world.slots["slot-0"], slot.Failed)
    return story


def tried(story: Story, at: int) -> None:
    """The cool-down is over, and the trial's process answers."""
    story.settle(at)
    assert story.world.slots["slot-0"].card.health.on_trial
    answer_launches(story)


def test_a_slot_rests_after_its_second_failure_and_says_until_when() -> None:
    story = warmed(ONE)
    wear_out(story, times=2)
    resting = story.world.slots["slot-0"]
    assert isinstance(resting, slot.Cold)
    assert pool_status(story.world, "").slots[0].waits == SlotWait("backoff", NOW + 2_000)
    assert next_wake(story.world) == NOW + 2_000
    assert story.settle(NOW + 1_999) == []
    story.settle(NOW + 2_000)
    assert isinstance(story.world.slots["slot-0"], slot.Starting)


def test_a_task_waits_while_its_slot_rests() -> None:
    story = warmed(ONE)
    wear_out(story, times=2)
    task_id = submit(story, 0)
    assert story.settle(NOW + 1_999) == []
    with pytest.raises(WrongState, match="it rests after"):
        story.do(Claim(task_id, "slot-0", "", NOW + 1_000))
    with pytest.raises(WrongState, match="it rests after"):
        claim_for(story.world, "slot-0", story.surroundings, NOW + 1_000)
    story.settle(NOW + 2_000)
    assert task_id in story.world.running


def test_a_drain_waits_for_a_slot_that_rests() -> None:
    story = warmed(ONE)
    wear_out(story, times=2)
    task_id = submit(story, 0, spec(slot="builder"))
    story.do(pool.StartDrain("finish"))
    assert next_wake(story.world) == NOW + 2_000
    story.settle(NOW + 2_000)
    assert isinstance(story.world.slots["slot-0"], slot.Starting)
    assert task_id not in story.world.running


def test_a_slot_that_is_out_of_service_is_tried_again_after_a_minute() -> None:
    story = out_of_service()
    assert next_wake(story.world) == NOW + 2_000 + MINUTE
    status = pool_status(story.world, "").slots[0]
    assert (status.waits, status.on_trial) == (SlotWait("quarantine", NOW + 2_000 + MINUTE), False)
    assert story.settle(NOW + 1_999 + MINUTE) == []
    story.settle(NOW + 2_000 + MINUTE)
    assert isinstance(story.world.slots["slot-0"], slot.Starting)
    assert pool_status(story.world, "").slots[0].on_trial


def test_a_slot_whose_cause_is_mended_is_as_good_as_new_after_one_attempt() -> None:
    story = out_of_service()
    tried(story, NOW + 2_000 + MINUTE)
    task_id = submit(story, 0)
    story.settle(NOW + MINUTE)
    end(story, task_id)
    assert story.world.slots["slot-0"].card.health.ailing is False


def test_a_slot_whose_cause_stays_is_tried_ever_more_rarely() -> None:
    story = out_of_service()
    trials: list[int] = []
    for _ in range(6):
        wake = next_wake(story.world)
        assert wake is not None
        trials.append(wake)
        story.settle(wake)
        starting = story.world.slots["slot-0"]
        assert isinstance(starting, slot.Starting)
        story.do(slot.RecordLaunchFailed("slot-0", starting.launch, "slot_failed", "", wake))
        story.settle(wake)
    first = NOW + 2_000
    waited = [after - before for before, after in zip([first, *trials], trials, strict=False)]
    assert waited == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 10 * MINUTE, 10 * MINUTE]


@pytest.mark.parametrize("held", [pool.PausePool("by hand"), pool.StartDrain("finish")])
def test_nothing_is_tried_while_the_pool_is_held(held: pool.PoolCommand) -> None:
    story = out_of_service(Settings(slots=2))
    submit(story, 0)
    story.settle(NOW + 2_000)
    story.do(held)
    assert next_wake(story.world) is None
    assert story.settle(NOW + 3 * MINUTE) == []
    assert isinstance(story.world.slots["slot-0"], slot.Failed)


def test_a_pool_that_is_held_says_so_to_who_submits() -> None:
    story = out_of_service()
    story.do(pool.PausePool("by hand"))
    with pytest.raises(SlotsFailed, match="once nothing holds the pool"):
        submit(story, 0)


def test_a_stopping_owner_tries_nothing() -> None:
    story = out_of_service()
    story.do(pool.StopOwner())
    story.settle(NOW + 3 * MINUTE)
    assert next_wake(story.world) is None
    assert SlotTried() not in story.events_of("slot-0")


def test_one_slot_at_a_time_is_tried() -> None:
    story = out_of_service(Settings(slots=2))
    wear_out(story, "slot-1")
    story.settle(NOW + 2_000 + MINUTE)
    assert isinstance(story.world.slots["slot-0"], slot.Starting)
    assert isinstance(story.world.slots["slot-1"], slot.Failed)
    answer_launches(story)
    story.settle(NOW + 2_000 + MINUTE)
    assert isinstance(story.world.slots["slot-1"], slot.Starting)


def test_a_task_takes_a_healthy_slot_before_one_on_trial() -> None:
    story = out_of_service(Settings(slots=2))
    tried(story, NOW + 2_000 + MINUTE)
    first, second = submit(story, 0), submit(story, 1)
    story.settle(NOW + 2_000 + MINUTE)
    assert story.running(first).slot_id == "slot-1"
    assert story.running(second).slot_id == "slot-0"


def test_a_slot_on_trial_is_not_claimed_before_its_process_answers() -> None:
    story = out_of_service(Settings(slots=2))
    task_id = submit(story, 0, spec(slot="slot-0"))
    story.do(slot.TrySlot("slot-0"))
    with pytest.raises(WrongState, match="it is on trial"):
        story.do(Claim(task_id, "slot-0", "", NOW + 2_000))
    story.settle(NOW + 2_000)
    assert isinstance(story.world.slots["slot-0"], slot.Starting)
    answer_launches(story)
    story.settle(NOW + 2_000)
    assert task_id in story.world.running


def test_a_pool_whose_only_slot_is_being_tried_does_not_know_yet_whether_it_works() -> None:
    story = out_of_service()
    story.do(slot.TrySlot("slot-0"))
    with pytest.raises(SlotsFailed, match="a slot is being tried again"):
        submit(story, 0)


def test_a_task_does_not_wait_for_a_trial_where_it_can_run_elsewhere() -> None:
    story = out_of_service(Settings(slots=2))
    story.settle(NOW + 2_000 + MINUTE)
    assert isinstance(story.world.slots["slot-0"], slot.Starting)
    task_id = submit(story, 0, spec(options=Options(system_prompt="Be brief.")))
    story.settle(NOW + 2_000 + MINUTE)
    assert story.running(task_id).slot_id == "slot-1"


def test_a_pool_is_degraded_when_most_of_its_slots_are_out_of_service() -> None:
    story = warmed(Settings(slots=3))
    wear_out(story, "slot-0")
    assert degraded(story.world) is None
    task_id = submit(story, 0)
    wear_out(story, "slot-1")
    assert pool_status(story.world, "").degraded == Degraded(2, 3)
    story.settle(NOW + 2_000)
    assert story.running(task_id).slot_id == "slot-2"
    waiting = submit(story, 1)
    assert waiting_for(story.world, story.world.tasks[waiting]) == "degraded"
    lost = submit(story, 2, spec(slot="slot-0"))
    assert waiting_for(story.world, story.world.tasks[lost]) == "quarantine"
    assert waiting_until(story.world, story.world.tasks[lost]) == NOW + 2_000 + MINUTE
    assert waiting_until(story.world, story.world.tasks[waiting]) is None


def test_in_a_degraded_pool_one_slot_on_trial_works_at_a_time() -> None:
    story = opened(Settings(slots=5))
    story.settle()
    answer_launches(story)
    for number in range(5):
        wear_out(story, f"slot-{number}")
    at = NOW + 2_000 + MINUTE
    for _ in range(2):
        story.settle(at)
        answer_launches(story)
    first, second = submit(story, 0), submit(story, 1)
    story.settle(at)
    assert degraded(story.world) == Degraded(3, 5)
    assert first in story.world.running
    assert second not in story.world.running


def test_a_pool_without_a_healthy_slot_says_when_it_tries_again() -> None:
    story = out_of_service()
    with pytest.raises(SlotsFailed, match=r"It died.*tried again in 62 s\. pool_resume tries at once"):
        submit(story, 0)
