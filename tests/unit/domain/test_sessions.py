"""Conversations: who may be in one, which one a task runs in, and what a slot remembers of its own."""

from __future__ import annotations

from claude_pool.domain import slot
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.task_events import SessionOpened
from claude_pool.domain.values import End, Options, TaskSpec

from tests.support.domain_ledger import Ledger
from tests.support.domain_story import (
    NOW,
    Story,
    answer_clears,
    answer_launches,
    end,
    outcome,
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
    ledger.observe([Fact(r.stream, r.event) for r in story.log])
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


def conversation(story: Story, slot_id: str = "slot-0") -> str | None:
    """The slot's own conversation."""
    return story.world.slots[slot_id].card.conversation


def ran(story: Story, number: int, order: TaskSpec | None = None) -> str:
    """A task runs to its end in the only slot; the conversation it ran in."""
    task_id = submit(story, number, order)
    story.settle()
    answer_clears(story)
    story.settle()
    answer_launches(story)
    session = story.running(task_id).session
    end(story, task_id)
    return session


def test_a_slots_conversation_is_the_one_of_the_last_attempt_that_ran_there() -> None:
    story = warmed(Settings(slots=1))
    assert conversation(story) is None
    first = ran(story, 0)
    assert conversation(story) == first
    second = ran(story, 1)
    assert conversation(story) == second != first


def test_a_task_in_a_slot_without_a_conversation_begins_one() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0, spec(session="slot"))
    story.settle()
    assert [e.mode for e in story.events_of(task_id) if isinstance(e, SessionOpened)] == ["fresh"]


def test_a_task_continues_its_slots_conversation_after_the_process_was_cleared() -> None:
    story = warmed(Settings(slots=1))
    session = ran(story, 0)
    story.settle()
    answer_clears(story)
    submit(story, 1, spec(session="slot"))
    story.settle()
    claim = last_claim(story, "slot-0")
    assert (claim.session, claim.replaces) == (session, True)


def test_a_task_continues_its_slots_conversation_after_the_process_was_replaced() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    session = ran(story, 0)
    story.do(slot.RecordProcessEnded("slot-0", False, 1, 0, "", NOW))
    story.settle()
    answer_launches(story)
    task_id = submit(story, 1)
    story.settle()
    claim = last_claim(story, "slot-0")
    assert (claim.session, claim.replaces) == (session, True)
    opened = [e for e in story.events_of(task_id) if isinstance(e, SessionOpened)]
    assert [(e.mode, e.parent) for e in opened] == [("slot", session)]


def test_an_attempt_whose_process_never_came_up_leaves_the_slots_conversation() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    session = ran(story, 0)
    failing = submit(story, 1, spec(session="fresh", options=Options(system_prompt="Be brief.")))
    story.settle()
    end(story, failing, outcome(End.FAILED, "slot_failed", turns=0), alive=False)
    assert conversation(story) == session


def test_a_conversation_that_is_not_found_is_not_looked_for_again() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    ran(story, 0)
    story.do(slot.RecordProcessEnded("slot-0", False, 1, 0, "", NOW))
    failing = submit(story, 1)
    story.settle()
    end(story, failing, outcome(End.FAILED, "session_not_found", turns=0), alive=False)
    assert conversation(story) is None
    later = submit(story, 2)
    story.settle()
    assert [e.mode for e in story.events_of(later) if isinstance(e, SessionOpened)] == ["fresh"]


def test_a_callers_conversation_that_is_not_found_leaves_the_slots_own() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    session = ran(story, 0)
    failing = submit(story, 1, spec(session=f"resume:{session_name(5)}"))
    story.settle()
    end(story, failing, outcome(End.FAILED, "session_not_found", turns=0), alive=False)
    assert conversation(story) == session


def test_a_task_waits_while_its_slots_conversation_runs_elsewhere() -> None:
    story = warmed(Settings(slots=2, session="slot"))
    first = submit(story, 0, spec(slot="slot-0"))
    story.settle()
    session = story.running(first).session
    end(story, first)
    elsewhere = submit(story, 1, spec(session=f"resume:{session}", slot="slot-1"))
    story.settle()
    waits = submit(story, 2, spec(slot="slot-0"))
    story.settle()
    assert list(story.world.running) == [elsewhere]
    answer_launches(story)
    end(story, elsewhere)
    story.settle()
    assert story.running(waits).session == session


def test_a_task_that_waits_for_its_slots_busy_conversation_says_so() -> None:
    story = warmed(Settings(slots=2, session="slot"))
    first = submit(story, 0, spec(slot="slot-0"))
    story.settle()
    session = story.running(first).session
    waits = submit(story, 1, spec(slot="slot-0"))
    story.settle()
    assert waiting_for(story.world, story.world.tasks[waits]) == "slot slot-0"
    submit(story, 2, spec(session=f"resume:{session}", slot="slot-1", priority=1))
    end(story, first)
    story.settle()
    assert waiting_for(story.world, story.world.tasks[waits]) == "session_busy"
