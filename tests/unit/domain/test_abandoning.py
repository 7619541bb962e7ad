"""Work that nobody wants any more is cancelled in one append, with the reason."""

from __future__ import annotations

from claude_pool.domain.chain_events import EndingBegun
from claude_pool.domain.coordination import Abandon
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import CancelRequested, TaskCancelled
from claude_pool.domain.values import End

from tests.support.domain_chains import CHAIN, accept, plan, states, step, step_task
from tests.support.domain_story import NOW, Story, end, outcome, submit, task_name, warmed

WHY = "its coordinator went away"
LATER = NOW + 1_000


def busy() -> Story:
    """One slot, which runs task 0; task 1 waits."""
    story = warmed(Settings(slots=1))
    for number in range(2):
        submit(story, number)
    story.settle()
    return story


def test_what_runs_is_asked_to_end_and_what_waits_has_ended() -> None:
    story = busy()
    facts = story.do(Abandon((task_name(0), task_name(1)), WHY, LATER))
    assert facts == (
        Fact(task_name(0), CancelRequested(LATER, WHY)),
        Fact(task_name(1), TaskCancelled(WHY)),
    )
    assert end(story, task_name(0), outcome(End.INTERRUPTED))[1].event == TaskCancelled()


def test_the_work_of_others_is_untouched() -> None:
    story = busy()
    story.do(Abandon((task_name(1),), WHY, LATER))
    assert list(story.world.running) == [task_name(0)]
    assert not story.running(task_name(0)).cancel


def test_a_chain_ends_whole_and_keeps_the_reason() -> None:
    story = warmed(Settings(slots=1))
    accept(story, plan(step("a"), step("b", "a")))
    facts = story.do(Abandon((CHAIN, step_task("a")), WHY, LATER))
    assert facts[0].event == EndingBegun("cancelled", WHY)
    assert Fact(step_task("a"), TaskCancelled(WHY)) in facts
    assert states(story) == {"a": "cancelled", "b": "skipped"}


def test_what_has_ended_and_what_never_was_is_passed_over() -> None:
    story = busy()
    end(story, task_name(0))
    assert story.do(Abandon((task_name(0), "chain-aaaaaaaaaaaaaaaa"), WHY, LATER)) == ()
    story.do(Abandon((task_name(1),), WHY, LATER))
    assert story.do(Abandon((task_name(1),), WHY, LATER)) == ()
