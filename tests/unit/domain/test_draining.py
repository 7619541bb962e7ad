"""What a drain waits for, and what only a person can move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import ledger, pool, slot, task
from claude_pool.domain.coordination import Recover
from claude_pool.domain.draining import held_up, unfinished
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import End, Text

from tests.support.domain_chains import accept, plan, step
from tests.support.domain_story import (
    NOW,
    Story,
    answer_clears,
    answer_launches,
    end,
    outcome,
    spec,
    submit,
    task_name,
    warmed,
)


def draining(mode: str = "finish", tasks: int = 1) -> Story:
    """A pool of one slot whose first task runs while it drains."""
    story = warmed(Settings(slots=1))
    for number in range(tasks):
        submit(story, number)
    story.settle()
    story.do(pool.StartDrain(mode))
    return story


def go_on(story: Story) -> None:
    """What waits gets the slot as soon as it is ready."""
    story.settle()
    answer_clears(story)
    story.settle()


def slots_of(story: Story) -> list[str]:
    return [type(state).__name__ for state in story.world.slots.values()]


def stop_slots(story: Story) -> None:
    story.settle()
    for slot_id, state in list(story.world.slots.items()):
        if isinstance(state, slot.Stopping):
            story.do(slot.RecordProcessEnded(slot_id, True, 0, 0, "", NOW))


def test_what_runs_and_what_waits_is_unfinished() -> None:
    story = draining(tasks=2)
    assert (unfinished(story.world), held_up(story.world)) == (True, ())
    end(story, task_name(0))
    go_on(story)
    end(story, task_name(1))
    assert not unfinished(story.world)


def test_sealed_tasks_and_those_under_review_block_no_drain() -> None:
    story = warmed(Settings(slots=2))
    submit(story, 0)
    submit(story, 1)
    story.settle()
    story.do(Recover({}, NOW))
    assert [type(state) for state in story.world.tasks.values()] == [task.Sealed, task.Sealed]
    assert not unfinished(story.world)


@pytest.mark.parametrize(("reason", "held"), [("provider_billing", ("provider_billing",)), ("lunch", ())])
def test_a_pause_without_an_end_holds_up_all_that_waits(reason: str, held: tuple[str, ...]) -> None:
    story = draining(tasks=2)
    story.do(pool.PausePool(reason))
    assert held_up(story.world) == ()
    end(story, task_name(0), outcome(End.FAILED))
    assert (unfinished(story.world), held_up(story.world)) == (True, held)


def test_a_question_about_a_soft_limit_holds_up_what_waits_for_it() -> None:
    story = draining(tasks=2)
    story.do(ledger.SetLimits(ledger.WHOLE, None, 1))
    end(story, task_name(0), outcome(cost=5))
    story.settle()
    assert held_up(story.world) == ("soft_limit",)
    story.do(pool.StartDrain("cancel"))
    assert held_up(story.world) == ()
    story.settle()
    assert not unfinished(story.world)


def test_a_chain_that_makes_its_copy_is_unfinished() -> None:
    story = warmed(Settings(slots=1))
    accept(story, plan(step("a"), isolation="clone"))
    story.do(pool.StartDrain("finish"))
    assert (unfinished(story.world), held_up(story.world)) == (True, ())


def test_work_that_comes_back_has_its_slot_again() -> None:
    story = warmed(Settings(slots=1))
    reviewed = task_name(0)
    order = spec()
    submit(story, 0, replace(order, review=2))
    story.settle()
    end(story, reviewed)
    story.do(pool.StartDrain("finish"))
    stop_slots(story)
    assert slots_of(story) == ["Stopped"]
    story.do(task.RejectTask(reviewed, Text("no"), NOW))
    story.settle()
    answer_launches(story)
    assert isinstance(story.world.tasks[reviewed], task.Running)
    story.do(task.CancelTask(reviewed, NOW))
    end(story, reviewed)
    stop_slots(story)
    assert slots_of(story) == ["Stopped"]


def test_undone_after_a_cancel_it_admits_work_and_what_was_cancelled_stays_so() -> None:
    story = draining("cancel", tasks=2)
    story.settle()
    story.do(pool.LiftDrain())
    assert story.running(task_name(0)).cancel
    assert isinstance(story.state_of(task_name(1)), task.Cancelled)
    submit(story, 2)
    end(story, task_name(0), outcome(End.INTERRUPTED))
    go_on(story)
    assert isinstance(story.world.tasks[task_name(2)], task.Running)
