"""The shared context: shown once to a conversation, and again when it changed."""

from __future__ import annotations

from claude_pool.domain import pool
from claude_pool.domain.coordination import Recover
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import End
from claude_pool.domain.world import SHOWN_SESSIONS

from tests.support.domain_story import NOW, Story, end, outcome, session_name, spec, submit, warmed


def conversing() -> Story:
    """One slot whose tasks all continue one conversation, and a context of version 1."""
    story = warmed(Settings(slots=1, session="slot"))
    story.do(pool.SetContext("branch", "main"))
    return story


def shown(story: Story, number: int) -> int | None:
    """The version that the next task's prompt shows; the task then succeeds."""
    task_id = submit(story, number)
    story.settle()
    version = story.running(task_id).context
    end(story, task_id)
    return version


def test_an_empty_context_is_not_shown() -> None:
    assert shown(warmed(Settings(slots=1, session="slot")), 0) is None


def test_a_conversation_is_shown_the_context_once() -> None:
    story = conversing()
    assert [shown(story, 0), shown(story, 1)] == [1, None]


def test_it_is_shown_again_after_a_change() -> None:
    story = conversing()
    shown(story, 0)
    story.do(pool.SetContext("branch", "next"))
    assert [shown(story, 1), shown(story, 2)] == [2, None]


def test_it_is_shown_again_after_the_last_value_was_deleted() -> None:
    story = conversing()
    shown(story, 0)
    story.do(pool.DeleteContext("branch"))
    assert shown(story, 1) == 2


def test_another_conversation_is_shown_it_too() -> None:
    story = conversing()
    shown(story, 0)
    task_id = submit(story, 1, spec(session=f"resume:{session_name(1)}"))
    story.settle()
    assert story.running(task_id).context == 1


def test_a_fork_is_shown_it() -> None:
    story = conversing()
    shown(story, 0)
    session = story.world.slots["slot-0"].card.conversation
    task_id = submit(story, 1, spec(session=f"fork:{session}"))
    story.settle()
    assert story.running(task_id).context == 1


def test_a_conversation_that_never_got_the_prompt_is_shown_it_again() -> None:
    story = conversing()
    order = spec(session=f"resume:{session_name(1)}")
    failing = submit(story, 0, order)
    story.settle()
    end(story, failing, outcome(End.FAILED, "slot_failed", turns=0), alive=False)
    again = submit(story, 1, order)
    story.settle()
    assert story.running(again).context == 1


def test_a_conversation_whose_attempt_was_cut_off_unseen_is_shown_it_again() -> None:
    story = conversing()
    order = spec(session=f"resume:{session_name(1)}")
    submit(story, 0, order)
    story.settle()
    story.do(Recover({}, NOW))
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(slots=1), None, False, NOW))
    again = submit(story, 1, order)
    story.settle()
    assert story.running(again).context == 1


def test_of_very_many_conversations_only_the_latest_are_remembered() -> None:
    story = conversing()
    for number in range(SHOWN_SESSIONS + 2):
        task_id = submit(story, number, spec(session=f"resume:{session_name(number)}"))
        story.settle()
        end(story, task_id)
    world = story.world
    assert len(world.shown) == len(world.homes) == SHOWN_SESSIONS
    for known in (world.shown, world.homes):
        assert session_name(1) not in known
        assert session_name(2) in known
