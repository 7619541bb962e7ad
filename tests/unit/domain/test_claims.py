"""Which task gets which slot, and when it is better to wait."""

from __future__ import annotations

from claude_pool.domain import pool, slot, task
from claude_pool.domain.attempts import Claim
from claude_pool.domain.claiming import Fit, claim_plan
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.task import Job
from claude_pool.domain.values import End, Options, TaskSpec

from tests.support.domain_story import (
    NOW,
    Story,
    answer_clears,
    answer_launches,
    end,
    opened,
    outcome,
    session_name,
    spec,
    submit,
    warmed,
)

BRIEF = Options(system_prompt="Be brief.")
"""Options that need another process than the default ones."""


def order_of_claims(story: Story) -> list[str]:
    """The tasks in the order in which their first attempts started."""
    names = [r.stream for r in story.log if r.event.NAME == "attempt.started"]
    return list(dict.fromkeys(names))


def run_all(story: Story) -> None:
    """Everything runs to its end."""
    while story.world.tasks:
        story.settle()
        answer_clears(story)
        answer_launches(story)
        for task_id in list(story.world.running):
            end(story, task_id)


def fit(story: Story, slot_id: str, order: TaskSpec) -> Fit:
    """How well the slot suits the task."""
    at = story.world.slots[slot_id]
    assert isinstance(at, (slot.Idle, slot.Cold))
    plan = claim_plan(story.world, Job("task-aaaaaaaaaaaaaaaa", order, "", NOW), at, "")
    assert plan is not None
    return plan.fit


def test_tasks_are_claimed_in_the_order_of_their_submission() -> None:
    story = warmed(Settings(slots=1))
    tasks = [submit(story, number) for number in (3, 1, 2)]
    run_all(story)
    assert order_of_claims(story) == tasks


def test_a_higher_priority_goes_first() -> None:
    story = warmed(Settings(slots=1))
    low = submit(story, 0, spec(priority=-1))
    normal = submit(story, 1)
    high = submit(story, 2, spec(priority=5))
    run_all(story)
    assert order_of_claims(story) == [high, normal, low]


def test_a_task_that_tries_again_keeps_its_place_in_the_queue() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    first = submit(story, 0, spec(retries=1))
    story.settle()
    submit(story, 1)
    submit(story, 2)
    end(story, first, outcome(End.FAILED, retryable=True))
    story.settle()
    end(story, next(iter(story.world.running)))
    story.settle(NOW + 1_000)
    assert list(story.world.running) == [first]


def test_all_free_slots_are_claimed_in_one_go() -> None:
    story = warmed(Settings(slots=3))
    tasks = [submit(story, number) for number in range(3)]
    claims = [command for command in story.settle() if isinstance(command, Claim)]
    assert [claim.task_id for claim in claims] == tasks
    assert {claim.slot_id for claim in claims} == {"slot-0", "slot-1", "slot-2"}


def test_a_successor_starts_in_the_same_reaction_as_its_predecessors_end() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    first, second = submit(story, 0), submit(story, 1)
    story.settle()
    end(story, first)
    assert story.settle()[0] == Claim(second, "slot-0", "", NOW)


def test_a_task_that_cannot_run_blocks_none_behind_it() -> None:
    story = warmed(Settings(slots=1))
    submit(story, 0, spec(slot="nobody", priority=9))
    behind = submit(story, 1)
    story.settle()
    assert list(story.world.running) == [behind]


def test_slots_suit_a_task_from_ready_to_another_process() -> None:
    story = warmed(Settings(slots=1))
    assert fit(story, "slot-0", spec()) is Fit.READY
    assert fit(story, "slot-0", spec(options=BRIEF)) is Fit.OTHER_KEY
    done = submit(story, 0)
    story.settle()
    end(story, done)
    assert fit(story, "slot-0", spec()) is Fit.NEEDS_CLEAR
    story.do(slot.RecordProcessEnded("slot-0", True, 0, 0, "", NOW))
    assert fit(story, "slot-0", spec()) is Fit.COLD


def test_the_slot_that_is_ready_is_taken() -> None:
    story = warmed(Settings(slots=2, session="slot"))
    used = submit(story, 0, spec(slot="slot-0"))
    story.settle()
    end(story, used)
    fresh = submit(story, 1, spec(session="fresh"))
    story.settle()
    assert story.running(fresh).slot_id == "slot-1"


def test_a_used_conversation_is_cleared_before_a_fresh_task() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    used = submit(story, 0)
    story.settle()
    end(story, used)
    fresh = submit(story, 1, spec(session="fresh"))
    assert story.settle() == [slot.StartClear("slot-0", NOW)]
    answer_clears(story)
    story.settle()
    assert fresh in story.world.running


def test_a_task_waits_for_a_process_that_is_nearly_ready_rather_than_replace_another() -> None:
    story = warmed(Settings(slots=2))
    used = submit(story, 0, spec(slot="slot-0"))
    brief = submit(story, 1, spec(slot="slot-1", options=BRIEF))
    story.settle()
    answer_launches(story)
    end(story, used)
    end(story, brief)
    story.settle()
    assert isinstance(story.world.slots["slot-0"], slot.Clearing)
    story.do(slot.RecordCleared("slot-1", session_name(1)))
    waits = submit(story, 2)
    assert story.settle() == []
    assert waiting_for(story.world, story.world.tasks[waits]) == "slot"
    answer_clears(story)
    story.settle()
    assert story.running(waits).slot_id == "slot-0"


def test_of_two_tasks_only_one_waits_for_the_one_process_that_is_nearly_ready() -> None:
    story = opened(Settings(slots=2))
    story.settle()
    starting = story.world.slots["slot-1"]
    assert isinstance(starting, slot.Starting)
    story.do(slot.RecordLaunchFailed("slot-1", starting.launch, "slot_failed", "", NOW))
    submit(story, 0)
    second = submit(story, 1)
    claims = [command for command in story.settle() if isinstance(command, Claim)]
    assert [(claim.task_id, claim.slot_id) for claim in claims] == [(second, "slot-1")]


def test_a_conversation_that_is_resumed_does_not_wait_for_an_empty_one() -> None:
    story = opened(Settings(slots=2))
    story.settle()
    starting = story.world.slots["slot-1"]
    assert isinstance(starting, slot.Starting)
    story.do(slot.RecordLaunchFailed("slot-1", starting.launch, "slot_failed", "", NOW))
    resumed = submit(story, 0, spec(session=f"resume:{session_name(1)}"))
    story.settle()
    assert story.running(resumed).slot_id == "slot-1"


def test_a_task_does_not_wait_for_a_slot_that_it_did_not_name() -> None:
    story = opened(Settings(slots=2))
    story.settle()
    starting = story.world.slots["slot-1"]
    assert isinstance(starting, slot.Starting)
    story.do(slot.RecordLaunchFailed("slot-1", starting.launch, "slot_failed", "", NOW))
    named = submit(story, 0, spec(slot="slot-1"))
    story.settle()
    assert story.running(named).slot_id == "slot-1"


def test_what_surrounds_a_directory_is_part_of_the_key() -> None:
    story = warmed(Settings(slots=1, working_dir="/project"))
    story.surroundings = Surroundings({"/project": "new project text"})
    submit(story, 0)
    claim = story.settle()[0]
    assert isinstance(claim, Claim)
    assert claim.surroundings == "new project text"
    at = story.world.slots["slot-0"]
    assert isinstance(at, slot.Busy)
    assert at.process is None


def test_a_directory_that_nothing_is_known_of_has_no_surroundings() -> None:
    assert Surroundings({"/project": "text"}).at("/other") == ""
    assert Surroundings({"/project": "text"}).at(None) == ""


def test_in_a_pause_no_attempt_starts_and_the_reason_says_so() -> None:
    story = warmed()
    story.do(pool.PausePool("not_logged_in"))
    task_id = submit(story, 0)
    assert story.settle() == []
    assert waiting_for(story.world, story.world.tasks[task_id]) == "not_logged_in"
    story.do(pool.ResumePool())
    story.settle()
    assert task_id in story.world.running


def test_a_running_task_waits_for_nothing() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    assert waiting_for(story.world, story.world.tasks[task_id]) is None


def test_while_the_owner_stops_nothing_starts_and_the_reason_says_so() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.do(pool.StopOwner())
    story.settle()
    assert isinstance(story.world.tasks[task_id], task.Pending)
    assert waiting_for(story.world, story.world.tasks[task_id]) == "stopping"
