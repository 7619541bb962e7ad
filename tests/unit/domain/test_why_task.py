"""Why a task waits, runs, failed or cost what it did, and who allowed it."""

from __future__ import annotations

from claude_pool.domain import task
from claude_pool.domain.pool_events import FundsReserved, FundsSettled, FundsToppedUp, Settings
from claude_pool.domain.records import Actor
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.task import CancelTask
from claude_pool.domain.task_events import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    InterruptRequested,
    QuestionAnswered,
    SessionOpened,
    TaskApproved,
    TaskCancelled,
    TaskFailed,
    TaskRejected,
    TaskReopened,
    TaskSubmitted,
)
from claude_pool.domain.values import End, Text
from claude_pool.domain.why_task import slot_holds, task_answer
from claude_pool.domain.world import World

from tests.support.domain_answers import PRICES, recorded, texts, why_task
from tests.support.domain_story import NOW, end, opened, outcome, spec, submit, task_name, warmed, wear_out

T = task_name(0)


def test_a_task_that_waits_tells_for_what_its_place_and_what_its_slots_do() -> None:
    story = warmed(Settings(slots=1))
    first = submit(story, 0)
    story.settle()
    submit(story, 1)
    last = submit(story, 2)
    answer = why_task(story, last)
    assert (answer.state, answer.question, answer.ahead, answer.do) == ("pending", "waits", 1, None)
    assert answer.because[0].reason == "slot"
    assert answer.because[0].text.startswith("waits for slot since ")
    assert answer.because[0].position == len(story.log)
    assert texts(answer.because, "queue") == ["1 task before it, of 2 that wait for a slot"]
    assert texts(answer.because, "slot")[1:] == [f"slot-0 is busy with {first}"]
    assert texts(answer.because, "submitted")[0].startswith("submitted by a coordinator at ")


def test_of_many_slots_some_are_named() -> None:
    story = opened(Settings(slots=10, max_slots=10))
    story.settle()
    waiting = submit(story, 0)
    assert texts(why_task(story, waiting).because, "slot")[-1] == "2 more slots that it could take"


def test_a_task_that_no_slot_in_service_may_take_says_so() -> None:
    story = opened(Settings(slots=1))
    waiting = submit(story, 0)
    assert "no slot in service is one that it could take" in texts(why_task(story, waiting).because, "slot")


def test_a_parked_task_says_until_when_and_what_helps() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0, spec(retries=1))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True))
    answer = why_task(story, task_id)
    assert (answer.state, answer.do, answer.ahead) == ("parked", "it goes on by itself", None)
    assert "at the latest" in answer.because[0].text


def test_a_task_that_runs_says_since_when_and_why_there() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0, spec(slot="slot-0"))
    story.settle()
    answer = why_task(story, task_id, NOW + 3_000)
    assert answer.question == "runs"
    assert "runs in slot-0" in answer.because[0].text
    assert answer.because[0].text.endswith("for 3.0 s")
    assert texts(answer.because, "placed")[0].startswith(
        "there because the task names slot-0, and it was free"
    )
    assert texts(answer.because, "claimed") == [f"{task_id}.1 got slot-0, the warm process 1"]


def test_a_completed_task_tells_what_it_cost_and_why() -> None:
    story = warmed(Settings(slots=1), limit=1_000_000)
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id, outcome(cost=300_000))
    answer = why_task(story, task_id)
    assert answer.question == "completed"
    assert answer.because[0].text.startswith("completed in one attempt for $0.3")
    assert [each.reason for each in answer.because] == [
        "completed", "claimed", "reserved", "settled", "submitted",
    ]  # fmt: skip


def test_a_failed_task_tells_the_code_the_deciding_event_and_what_to_do() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id, outcome(End.FAILED, "turn_limit", message="Too many."))
    answer = why_task(story, task_id)
    assert (answer.question, answer.do) == ("failed", "give it more max_turns, or less to do")
    assert answer.because[0].text == "failed with turn_limit: Too many."
    assert texts(answer.because, "attempts") == ["it was tried once"]
    assert texts(answer.because, "decided") == ["decided by attempt.failed, which came of a coordinator"]


def test_a_failure_that_may_pass_is_to_be_tried_again() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True))
    assert why_task(story, task_id).do == "submit it again: that may help"


def test_a_cancelled_task_tells_by_whom() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0)
    story.do(CancelTask(task_id, NOW))
    answer = why_task(story, task_id)
    assert answer.question == "cancelled"
    assert answer.because[0].text.startswith("cancelled by a coordinator at ")


def test_who_asked_for_a_cancel_is_told_rather_than_what_it_led_to() -> None:
    job = task.Job(T, spec(), "f", NOW)
    events = recorded((T, CancelRequested(NOW, "Enough.")), (T, TaskCancelled()))
    answer = task_answer(task.Cancelled(job), events, World(), NOW, PRICES)
    assert answer.because[0].text.endswith(": Enough.")
    assert answer.because[0].position == 1


def test_an_interrupt_and_the_lack_of_any_event_are_no_surprise() -> None:
    job = task.Job(T, spec(), "f", NOW)
    failed = task.Failed(job, "timed_out_task", "Late.", False)
    events = recorded(
        (T, InterruptRequested(1, "timed_out_task", NOW)), (T, TaskFailed("timed_out_task", "L"))
    )
    answer = task_answer(failed, events, World(), NOW, PRICES)
    assert texts(answer.because, "interrupted") == ["it was interrupted by somebody at a shell"]
    assert task_answer(failed, (), World(), NOW, PRICES).because == ()
    assert task_answer(task.Cancelled(job), (), World(), NOW, PRICES).because == ()


def test_where_it_runs_is_told_of_what_is_known() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0)
    story.settle()
    state = story.world.tasks[task_id]
    assert task_answer(state, (), story.world, NOW, PRICES).because == ()
    started = recorded((task_id, AttemptStarted(1, "slot-0", NOW)))
    assert [each.reason for each in task_answer(state, started, story.world, NOW, PRICES).because] == ["runs"]
    opens = SessionOpened(1, "s2", "resume", "/w", "s1")
    more = recorded((task_id, AttemptStarted(1, "slot-0", NOW)), (task_id, opens))
    placed = texts(task_answer(state, more, story.world, NOW, PRICES).because, "placed")
    assert placed == ["there because it goes on with s1; resume session s2 in /w"]


def test_money_and_verdicts_are_told_with_their_events() -> None:
    attempt = f"{T}.1"
    events = recorded(
        (T, TaskSubmitted(T, spec(), "f", NOW)),
        ("slot-0", SlotClaimed(attempt, "s", 2, "k", replaces=True)),
        ("pool", FundsReserved(attempt, 10_000)),
        ("pool", FundsToppedUp(attempt, 20_000)),
        (T, QuestionAnswered("question-a", "allow", None, None, NOW)),
        (T, AttemptFailed(1, outcome(End.FAILED), NOW)),
        ("pool", FundsSettled(attempt, 50_000, estimated=True, overdrawn=20_000)),
        (T, TaskRejected(1, Text(inline="No."), NOW)),
        (T, TaskReopened("rerun", None, NOW)),
        (T, TaskReopened("resume", "s", NOW, automatic=True)),
        (T, TaskApproved(NOW)),
    )
    state = task.Completed(task.Job(T, spec(), "f", NOW))
    because = task_answer(state, events, World(), NOW, PRICES).because
    assert texts(because, "claimed") == [f"{attempt} got slot-0, a new process 2"]
    assert [each.position for each in because if each.reason in ("reserved", "topped_up")] == [3, 4]
    assert "estimated from its meter" in texts(because, "settled")[0]
    assert "above what was reserved" in texts(because, "settled")[0]
    assert texts(because, "answered") == ["somebody at a shell answered allow"]
    assert texts(because, "rejected") == ["somebody at a shell gave rejection 1"]
    assert texts(because, "approved") == ["somebody at a shell approved the result"]
    assert texts(because, "reopened") == [
        "somebody at a shell decided: rerun", "its on_interrupt decided: resume",
    ]  # fmt: skip


def test_every_actor_has_words() -> None:
    state = task.Completed(task.Job(T, spec(), "f", NOW))
    for actor in Actor:
        events = recorded((T, TaskSubmitted(T, spec(), "f", NOW)), actor=actor)
        assert texts(task_answer(state, events, World(), NOW, PRICES).because, "submitted")


def test_a_slot_out_of_service_tells_why_and_until_when() -> None:
    story = warmed(Settings(slots=1))
    wear_out(story)
    held = slot_holds(story.world, story.world.slots["slot-0"])
    assert held.startswith("slot-0 is failed (quarantine until ")
    assert held.endswith(": It died.")
