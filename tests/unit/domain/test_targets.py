"""Tasks that name a slot, by its id or by its role."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, slot, task
from claude_pool.domain.claiming import eligible
from claude_pool.domain.errors import NotFound
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.slot import Card

from tests.support.domain_story import NOW, Story, end, spec, submit, warmed


def test_a_task_that_names_no_slot_may_run_in_any() -> None:
    assert eligible(spec(), Card("slot-0", role="builder"))


def test_a_task_may_name_a_slot_by_its_id() -> None:
    assert eligible(spec(slot="slot-0"), Card("slot-0"))
    assert not eligible(spec(slot="slot-0"), Card("slot-1"))


def test_a_task_may_name_a_role() -> None:
    assert eligible(spec(slot="builder"), Card("slot-0", role="builder"))
    assert not eligible(spec(slot="builder"), Card("slot-0", role="reviewer"))
    assert not eligible(spec(slot="builder"), Card("slot-0"))


def test_a_role_that_reads_like_an_id_does_not_stand_for_that_slot() -> None:
    assert not eligible(spec(slot="slot-1"), Card("slot-0", role="slot-1"))


def test_a_task_for_a_role_that_nobody_has_waits_until_somebody_has_it() -> None:
    story = warmed()
    task_id = submit(story, 0, spec(slot="builder"))
    story.settle()
    assert task_id not in story.world.running
    story.do(slot.ConfigureSlot("slot-1", role="builder"))
    story.settle()
    assert story.running(task_id).slot_id == "slot-1"


def test_a_task_for_a_slot_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NotFound, match="slot-7"):
        submit(warmed(), 0, spec(slot="slot-7"))


def test_a_task_for_a_slot_that_is_out_of_service_for_good_is_refused() -> None:
    story = warmed()
    story.do(slot.DrainSlot("slot-1"))
    story.do(slot.RecordProcessEnded("slot-1", True, 0, 0, "", NOW))
    with pytest.raises(NotFound, match="slot-1"):
        submit(story, 0, spec(slot="slot-1"))


def test_a_task_whose_slot_leaves_service_before_it_ran_fails() -> None:
    story = warmed()
    first = submit(story, 0, spec(slot="slot-1"))
    second = submit(story, 1, spec(slot="slot-1"))
    story.settle()
    story.do(pool.SetTargetSlots(1))
    story.do(slot.DrainSlot("slot-1"))
    end(story, first, alive=False)
    story.settle()
    after = story.state_of(second)
    assert isinstance(after, task.Failed)
    assert (after.code, after.message) == (
        "not_found",
        "slot-1 left service before the task could run there. Name another slot, or a role.",
    )


def start_again(story: Story, slots: int) -> None:
    """The owner ends, and the next one is to have so many slots."""
    story.do(pool.StopOwner())
    story.settle()
    for slot_id in ("slot-0", "slot-1"):
        story.do(slot.RecordProcessEnded(slot_id, True, 0, 0, "", NOW))
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(slots=slots), None, False, NOW))


def test_a_task_for_a_stopped_slot_runs_there_when_the_slot_comes_back() -> None:
    story = warmed(Settings(slots=2))
    start_again(story, slots=2)
    task_id = submit(story, 0, spec(slot="slot-1"))
    story.settle()
    assert story.running(task_id).slot_id == "slot-1"


def test_a_task_for_a_stopped_slot_fails_where_others_fill_the_pool_in_its_place() -> None:
    story = warmed(Settings(slots=2))
    story.do(pool.PausePool("lunch"))
    task_id = submit(story, 0, spec(slot="slot-1"))
    start_again(story, slots=1)
    story.do(pool.ResumePool())
    story.settle()
    after = story.state_of(task_id)
    assert isinstance(after, task.Failed)
    assert after.code == "not_found"


def test_a_task_for_a_stopped_slot_is_refused_once_others_fill_the_pool_in_its_place() -> None:
    story = warmed(Settings(slots=2))
    start_again(story, slots=1)
    story.settle()
    with pytest.raises(NotFound, match="slot-1"):
        submit(story, 0, spec(slot="slot-1"))
