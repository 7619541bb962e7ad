"""Conversations: who may be in one, which one a task runs in, and what a slot remembers of its own."""

from __future__ import annotations

from claude_pool.domain import slot
from claude_pool.domain.coordination import waiting_for
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.slot_events import SlotClaimed

from tests.support.domain_ledger import Ledger
from tests.support.domain_story import (
    Story,
    answer_clears,
    answer_launches,
    end,
    session_name,
    spec,
    submit,
    warmed,
)


def last_claim(story: Story, slot_id: str) -> SlotClaimed:
    """The latest claim of a slot."""
    return [e for e in story.events_of(slot_id) if isinstance(e, SlotClaimed)][-1]


def spare(story: Story, slot_id: str) -> str:
    """The empty conversation that an idle slot holds ready."""
    at = story.world.slots[slot_id]
    assert isinstance(at, slot.Idle) and at.process.spare is not None
    return at.process.spare


def test_an_empty_conversation_that_someone_resumes_elsewhere_is_not_given_to_a_fresh_task() -> None:
    story = warmed()
    ledger = Ledger()
    story.watchers.append(ledger.observe)
    submit(story, 0, spec(session=f"resume:{spare(story, 'slot-1')}", slot="slot-0"))
    submit(story, 1, spec(slot="slot-1"))
    story.settle()
    assert len(ledger.sessions) == 2
    assert last_claim(story, "slot-1").replaces


def test_a_task_that_resumes_a_busy_conversation_waits_for_it() -> None:
    story = warmed()
    first = submit(story, 0)
    story.settle()
    second = submit(story, 1, spec(session=f"resume:{story.running(first).session}"))
    story.settle()
    assert waiting_for(story.world, story.world.tasks[second]) == "session_busy"
    end(story, first)
    story.settle()
    assert second in story.world.running


def test_two_tasks_that_resume_one_conversation_run_one_after_the_other() -> None:
    story = warmed()
    session = session_name(7)
    first = submit(story, 0, spec(session=f"resume:{session}"))
    second = submit(story, 1, spec(session=f"resume:{session}"))
    story.settle()
    assert list(story.world.running) == [first]
    assert story.world.sessions == {session: first}
    answer_launches(story)
    end(story, first)
    story.settle()
    assert list(story.world.running) == [second]
    assert story.world.sessions == {session: second}


def test_a_process_that_holds_the_conversation_is_not_replaced() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    first = submit(story, 0)
    story.settle()
    session = story.running(first).session
    end(story, first)
    submit(story, 1, spec(session=f"resume:{session}"))
    story.settle()
    assert not last_claim(story, "slot-0").replaces


def test_a_process_that_missed_turns_of_its_conversation_is_replaced() -> None:
    story = warmed(Settings(slots=2, session="slot"))
    first = submit(story, 0, spec(slot="slot-0"))
    story.settle()
    session = story.running(first).session
    end(story, first)
    elsewhere = submit(story, 1, spec(session=f"resume:{session}", slot="slot-1"))
    story.settle()
    answer_launches(story)
    end(story, elsewhere)
    other = submit(story, 2, spec(session="fresh", slot="slot-1"))
    story.settle()
    answer_clears(story)
    story.settle()
    end(story, other)
    submit(story, 3, spec(slot="slot-0"))
    story.settle()
    claim = last_claim(story, "slot-0")
    assert claim.session == session
    assert claim.replaces
