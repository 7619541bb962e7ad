"""A claim that a person asks for: the ordinary rules, for one slot, now."""

from __future__ import annotations

import pytest
from claude_pool.domain import ledger, pool, slot
from claude_pool.domain.claims import claim_for
from claude_pool.domain.errors import Paused, WrongState
from claude_pool.domain.options import overlaid
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.values import Options

from tests.support.domain_story import Story, spec, submit, warmed

NOWHERE = Surroundings({})


def test_the_first_task_of_the_queue_is_claimed() -> None:
    story = warmed(Settings(slots=1))
    first = submit(story, 0)
    submit(story, 1)

    claim = claim_for(story.world, "slot-0", NOWHERE, 5)

    assert (claim.task_id, claim.slot_id, claim.now) == (first, "slot-0", 5)


def test_a_task_for_another_slot_is_passed_over() -> None:
    story = warmed(Settings(slots=1))
    submit(story, 0, spec(slot="reviewer"))
    second = submit(story, 1)

    assert claim_for(story.world, "slot-0", NOWHERE, 0).task_id == second


def test_a_task_that_cannot_be_paid_is_passed_over() -> None:
    story = warmed(Settings(slots=1))
    submit(story, 0, spec(options=Options(max_budget=100)))
    second = submit(story, 1, spec(options=Options(max_budget=10)))
    story.do(ledger.SetLimits("pool", 50, None))

    assert claim_for(story.world, "slot-0", NOWHERE, 0).task_id == second


def test_with_an_empty_queue_there_is_nothing_to_claim() -> None:
    story = warmed(Settings(slots=1))

    with pytest.raises(WrongState, match="no pending task"):
        claim_for(story.world, "slot-0", NOWHERE, 0)


def test_a_paused_pool_claims_nothing() -> None:
    story: Story = warmed(Settings(slots=1))
    submit(story, 0)
    story.do(pool.PausePool("a wrong key"))

    with pytest.raises(Paused, match="a wrong key"):
        claim_for(story.world, "slot-0", NOWHERE, 0)


def test_a_slot_that_is_not_there_claims_nothing() -> None:
    with pytest.raises(WrongState, match="slot-7 is absent"):
        claim_for(warmed(Settings(slots=1)).world, "slot-7", NOWHERE, 0)


def test_configuring_one_option_leaves_the_others() -> None:
    story = warmed(Settings(slots=1))
    story.do(slot.ConfigureSlot("slot-0", options=Options(model="haiku")))
    story.do(slot.ConfigureSlot("slot-0", options=Options(effort="low")))

    assert story.world.slots["slot-0"].card.options == Options(model="haiku", effort="low")


def test_an_option_that_is_given_replaces_the_present_one() -> None:
    assert overlaid(Options(model="haiku"), Options(model="opus")) == Options(model="opus")
