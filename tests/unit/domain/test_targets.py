"""Tasks that name a slot, by its id or by its role."""

from __future__ import annotations

import pytest
from claude_pool.domain import slot
from claude_pool.domain.claiming import eligible
from claude_pool.domain.errors import NotFound
from claude_pool.domain.slot import Card

from tests.support.domain_story import spec, submit, warmed


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
