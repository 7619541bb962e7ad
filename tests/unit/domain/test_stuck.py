"""Effects that never answer: each is given up at its bound, and holds neither slot nor task any more."""

from __future__ import annotations

import pytest
from claude_pool.domain import slot, task
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.errors import WrongState
from claude_pool.domain.invariants import Invariants
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import FundsSettled, Settings
from claude_pool.domain.records import Event
from claude_pool.domain.slot_events import (
    EffectAbandoned,
    LaunchFailed,
    LaunchStarted,
    ProcessEnded,
    SlotQuarantined,
    SlotRetired,
    SlotStopped,
)
from claude_pool.domain.stuck import CLEAR_MS, END_MS, LAUNCH_MS, STOP_MS
from claude_pool.domain.values import Options

from tests.support.domain_claims import check_rest, check_wake
from tests.support.domain_story import NOW, Story, answer_launches, end, opened, spec, submit, warmed

ONE = Settings(slots=1)


def given_up(story: Story, at: int) -> list[Event]:
    """What the slot records at its bound `at`, and nothing before; the timer rings then."""
    before = len(story.log)
    assert check_wake(story, NOW) == at
    assert story.settle(at - 1) == []
    assert story.settle(at)[0] == slot.AbandonEffect("slot-0", at)
    assert slot.AbandonEffect("slot-0", at) not in story.settle(at)
    return [r.event for r in story.log[before:] if r.stream == "slot-0"]


def used(settings: Settings = ONE) -> Story:
    """A slot with one attempt behind it, before the policies react."""
    story = warmed(settings)
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id)
    return story


def check_log(story: Story) -> None:
    """No invariant is hurt, and the view folds again."""
    invariants = Invariants()
    for r in story.log:
        invariants.observe(r.position, r.stream, r.version, r.event)
    assert not invariants.found and not invariants.close()
    assert repr(vars(story.replayed())) == repr(vars(story.world))


def test_a_start_that_never_ends_has_failed_after_two_minutes() -> None:
    story = opened(ONE)
    story.settle()
    at = NOW + LAUNCH_MS
    first, second, third, *_ = given_up(story, at)
    assert first == EffectAbandoned(1, "launch", at)
    assert isinstance(second, LaunchFailed) and (second.code, second.at) == ("timed_out_start", at)
    assert isinstance(third, LaunchStarted) and third.launch == 2
    check_log(story)


def test_starts_that_never_end_put_a_slot_out_of_service() -> None:
    story = opened(ONE)
    now = NOW
    for _ in range(40):
        story.settle(now)
        if isinstance(story.world.slots["slot-0"], slot.Failed):
            break
        now = next_wake(story.world) or 0
    last = story.world.slots["slot-0"]
    assert isinstance(last, slot.Failed) and last.code == "timed_out_start"
    assert story.world.slots["slot-0"].card.restarts == 5
    check_log(story)


def test_a_clear_that_never_ends_costs_the_process() -> None:
    story = used()
    story.settle()
    at = NOW + CLEAR_MS
    first, second, third, *_ = given_up(story, at)
    assert first == EffectAbandoned(1, "clear", at)
    assert isinstance(second, ProcessEnded) and not second.expected and "cleared" in second.problem
    assert isinstance(third, LaunchStarted)
    check_log(story)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (slot.StartStop("slot-0", "recycle", NOW), LaunchStarted),
        (slot.StartStop("slot-0", "shutdown", NOW), SlotStopped),
        (slot.DrainSlot("slot-0", NOW), SlotRetired),
    ],
)
def test_a_stop_that_never_ends_is_over_all_the_same(before: Command, after: type[Event]) -> None:
    story = warmed(ONE)
    story.do(before)
    at = NOW + STOP_MS
    first, second, third, *_ = story_of_stop(story, at)
    assert first == EffectAbandoned(1, "stop", at)
    assert isinstance(second, ProcessEnded) and not second.expected and "stopped" in second.problem
    assert isinstance(third, after)
    check_log(story)


def story_of_stop(story: Story, at: int) -> list[Event]:
    """What the slot records where its stop is given up; others may be launched for it meanwhile."""
    before = len(story.log)
    assert slot.AbandonEffect("slot-0", at - 1) not in story.settle(at - 1)
    assert story.settle(at)[0] == slot.AbandonEffect("slot-0", at)
    return [r.event for r in story.log[before:] if r.stream == "slot-0"]


def test_a_slot_that_is_recycled_while_it_leaves_is_retired_when_its_stop_is_given_up() -> None:
    story = warmed(ONE)
    story.do(slot.StartStop("slot-0", "recycle", NOW))
    story.do(slot.DrainSlot("slot-0", NOW))
    assert SlotRetired() in story_of_stop(story, NOW + STOP_MS)
    check_log(story)


def asked(limit: int | None = 1_000) -> tuple[Story, str]:
    """An attempt at work that was asked to end."""
    story = warmed(ONE, limit)
    task_id = submit(story, 0, spec(max_budget=300))
    story.settle()
    story.do(task.CancelTask(task_id, NOW))
    return story, task_id


def test_an_attempt_that_does_not_end_when_asked_is_over_after_half_a_minute() -> None:
    story, task_id = asked()
    at = NOW + END_MS
    events = given_up(story, at)
    assert events[0] == EffectAbandoned(1, "attempt", at)
    ended = next(e for e in events if isinstance(e, ProcessEnded))
    assert not ended.expected and ended.problem == "It did not end when it was asked to, and was killed."
    assert isinstance(story.state_of(task_id), task.Cancelled)
    assert story.world.slots["slot-0"].card.restarts == 1
    check_log(story)


def test_an_attempt_that_is_given_up_is_settled_once_at_what_was_reserved_for_it() -> None:
    story, task_id = asked()
    held = story.world.open_pool().budget.held[f"{task_id}.1"].amount
    story.settle(NOW + END_MS)
    settled = [e for e in story.events_of("pool") if isinstance(e, FundsSettled)]
    assert [(e.cost, e.estimated, e.overdrawn) for e in settled] == [(held, True, 0)]
    budget = story.world.open_pool().budget
    assert (budget.spent, budget.reserved) == (held, 0) and held > 0


def test_the_time_of_an_attempt_that_is_asked_twice_counts_from_the_first_time() -> None:
    story, task_id = asked(None)
    story.do(task.InterruptAttempt(task_id, 1, "timed_out_task", NOW + 20_000))
    assert next_wake(story.world) == NOW + END_MS
    twice = warmed(ONE)
    other = submit(twice, 0)
    twice.settle()
    twice.do(task.InterruptAttempt(other, 1, "timed_out_task", NOW))
    twice.do(task.CancelTask(other, NOW + 20_000))
    assert next_wake(twice.world) == NOW + END_MS


def test_an_attempt_that_nobody_asked_to_end_may_take_its_time() -> None:
    story = warmed(ONE)
    submit(story, 0)
    story.settle()
    assert next_wake(story.world) is None
    assert story.settle(NOW + 10 * LAUNCH_MS) == []


def launching(retries: int = 0) -> tuple[Story, str]:
    """An attempt whose claim asks for a process of its own."""
    story = warmed(ONE)
    task_id = submit(story, 0, spec(options=Options(system_prompt="Be brief."), retries=retries))
    story.settle()
    return story, task_id


def test_a_process_that_an_attempt_waits_for_without_end_fails_it() -> None:
    story, task_id = launching()
    at = NOW + LAUNCH_MS
    assert given_up(story, at)[0] == EffectAbandoned(2, "launch", at)
    failed = story.state_of(task_id)
    assert isinstance(failed, task.Failed) and failed.code == "timed_out_start"
    assert failed.job.cost == 0 and not failed.job.outcomes[0].estimated
    check_log(story)


def test_it_is_tried_again_like_any_start_that_failed() -> None:
    story, task_id = launching(retries=1)
    story.settle(NOW + LAUNCH_MS)
    state = story.world.tasks[task_id]
    assert isinstance(state, task.Parked) and state.reason == "backoff"


def test_an_attempt_that_waits_for_its_process_hears_only_then_that_it_is_to_end() -> None:
    story, task_id = launching()
    story.do(task.CancelTask(task_id, NOW))
    assert check_wake(story, NOW) == NOW + LAUNCH_MS
    answer_launches(story)
    assert check_wake(story, NOW) == NOW + LAUNCH_MS + END_MS


@pytest.mark.parametrize("effect", ["launch", "clear", "stop", "attempt"])
def test_a_late_word_of_what_was_given_up_changes_nothing(effect: str) -> None:
    story = {"launch": lambda: opened(ONE), "clear": used, "stop": lambda: warmed(ONE)}.get(
        effect, lambda: asked()[0]
    )()
    if effect == "stop":
        story.do(slot.StartStop("slot-0", "recycle", NOW))
    running = dict(story.world.tasks)
    story.settle()
    story.settle(NOW + LAUNCH_MS)
    before = len(story.log)
    late: list[Command] = [
        slot.RecordLaunched("slot-0", 1, 7, "2.1.330"),
        slot.RecordLaunchFailed("slot-0", 1, "slot_failed", "", NOW),
        slot.RecordCleared("slot-0", "s9"),
        slot.RecordProcessEnded("slot-0", False, -9, 0, "", NOW),
    ]
    for command in late:
        story.do(command)
    for task_id in running:
        with pytest.raises(WrongState, match="attempt 1 is not live"):
            story.do(task.RecordAttemptEnded(task_id, 1, story.state_of(task_id).job.outcomes[0], NOW))  # type: ignore[union-attr]
    assert len(story.log) == before
    check_rest(story, NOW + LAUNCH_MS)


def test_a_slot_that_waits_for_nothing_is_not_given_up() -> None:
    story = warmed(ONE)
    with pytest.raises(WrongState, match="it waits for no process"):
        story.do(slot.AbandonEffect("slot-0", NOW))
    with pytest.raises(WrongState, match="it waits for no process"):
        story.do(slot.AbandonEffect("slot-9", NOW))


def test_what_began_at_an_unknown_time_has_no_bound() -> None:
    story = opened(ONE)
    story.do(slot.AddSlot("slot-0"))
    story.do(slot.StartLaunch("slot-0", "key", "session"))
    assert next_wake(story.world) is None


def test_nothing_that_has_a_bound_outlives_its_owner() -> None:
    stories = [opened(ONE), used(), asked()[0], launching()[0], warmed(ONE)]
    stories[-1].do(slot.StartStop("slot-0", "recycle", NOW))
    for story in stories[:-1]:
        story.settle()
    for story in stories:
        assert next_wake(story.world) is not None
        story.do(Recover({}, NOW))
        assert not any(isinstance(e, SlotQuarantined) for e in story.events_of("slot-0"))
        assert next_wake(story.world) is None
