"""Why a slot works, rests or is out of service."""

from __future__ import annotations

from claude_pool.domain.answers import Answer
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.why_slot import slot_answer

from tests.support.domain_answers import texts
from tests.support.domain_story import NOW, Story, submit, warmed, wear_out


def why(story: Story) -> Answer:
    """Why slot-0 is as it is."""
    own = [each for each in story.log if each.stream == "slot-0"]
    return slot_answer(story.world.slots["slot-0"], own, story.world, NOW)


def test_a_free_slot_takes_work() -> None:
    answer = why(warmed(Settings(slots=1)))
    assert (answer.state, answer.question, answer.do) == ("idle", "stands", None)
    assert texts(answer.because, "free") == ["it takes work: 0 tasks pending"]
    assert texts(answer.because, "restarts") == []


def test_a_busy_slot_names_its_task_and_the_event() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0)
    story.settle()
    first = why(story).because[0]
    assert first.text.startswith(f"slot-0 is busy with {task_id}, since ")
    assert first.position is not None
    assert story.log[first.position - 1].event.NAME == "slot.claimed"


def test_a_slot_that_rests_says_so() -> None:
    story = warmed(Settings(slots=1))
    wear_out(story, times=2)
    answer = why(story)
    assert answer.because[0].reason == "backoff"
    assert "not_ready" in [each.reason for each in answer.because]
    assert texts(answer.because, "restarts") == ["2 of its processes ended by themselves"]


def test_a_slot_out_of_service_says_what_helps() -> None:
    story = warmed(Settings(slots=1))
    wear_out(story)
    answer = why(story)
    assert (answer.state, answer.because[0].reason) == ("failed", "quarantine")
    assert answer.do is not None
    assert "claude-pool resume" in answer.do
