"""Permission questions of attempts, and what can be decided on a sealed task."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import task
from claude_pool.domain.coordination import Recover
from claude_pool.domain.errors import WrongState
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.questions import (
    AnswerQuestion,
    AskQuestion,
    ExpireQuestion,
    Question,
    QuestionCommand,
    WithdrawQuestion,
)
from claude_pool.domain.records import Actor, Meta, Recorded
from claude_pool.domain.story import story as story_of
from claude_pool.domain.stuck import END_MS
from claude_pool.domain.task import CancelTask, InterruptAttempt, ReopenTask
from claude_pool.domain.task_board import question_text, sealed_choices, task_card
from claude_pool.domain.task_events import (
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    SessionOpened,
    TaskReopened,
)
from claude_pool.domain.values import End, SessionMode, SessionPolicy, Text, Transcript

from tests.support.domain_story import NOW, Story, answer_launches, end, outcome, spec, submit, warmed

INPUT = Text(inline='{"command": "touch x"}', size=22)
SEEN = replace(outcome(End.INTERRUPTED, cost=3), transcript=Transcript(100, "0" * 64))


def question(number: int = 1, deadline: int = NOW + 60_000) -> Question:
    """What an attempt asks."""
    return Question(f"question-{number}", "Bash", INPUT, "Bash: touch x", deadline, NOW)


def asked(number: int = 1, deadline: int = NOW + 60_000) -> QuestionAsked:
    """The fact of it."""
    return QuestionAsked(f"question-{number}", 1, "Bash", INPUT, "Bash: touch x", deadline, NOW)


def answer(task_id: str, choice: str = "allow", number: int = 1) -> AnswerQuestion:
    """Somebody says so."""
    return AnswerQuestion(task_id, f"question-{number}", choice, None, None, NOW + 5)


def asking(*numbers: int) -> tuple[Story, str]:
    """A pool with a task that runs and has asked these questions."""
    story = warmed(Settings(slots=1, question_ms=60_000))
    task_id = submit(story, 0)
    story.settle()
    for number in numbers:
        story.do(AskQuestion(task_id, 1, question(number)))
    return story, task_id


def facts(story: Story, command: QuestionCommand) -> list[object]:
    """What the command brings about."""
    return [fact.event for fact in story.do(command)]


def test_a_question_is_recorded_and_waits() -> None:
    story, task_id = asking()
    assert facts(story, AskQuestion(task_id, 1, question())) == [asked()]
    assert story.world.questions == {"question-1": task_id}
    assert story.running(task_id).questions == (question(),)


@pytest.mark.parametrize("choice", ["allow", "deny"])
def test_an_answer_closes_its_question_and_no_other(choice: str) -> None:
    story, task_id = asking(1, 2)
    changed = Text(inline="{}", size=2)
    command = AnswerQuestion(task_id, "question-1", choice, "because", changed, NOW + 5)
    assert facts(story, command) == [QuestionAnswered("question-1", choice, "because", changed, NOW + 5)]
    assert story.world.questions == {"question-2": task_id}


def test_a_second_answer_is_refused() -> None:
    story, task_id = asking(1)
    story.do(answer(task_id))
    with pytest.raises(WrongState, match="waits for no answer"):
        story.do(answer(task_id, "deny"))


def test_another_attempt_cannot_ask() -> None:
    story, task_id = asking()
    with pytest.raises(WrongState):
        story.do(AskQuestion(task_id, 2, question()))


@pytest.mark.parametrize("ends", [CancelTask, InterruptAttempt])
def test_an_attempt_that_is_being_ended_neither_asks_nor_is_answered(ends: type[object]) -> None:
    story, task_id = asking(1)
    story.do(
        CancelTask(task_id, NOW)
        if ends is CancelTask
        else InterruptAttempt(task_id, 1, "task_budget_reached", NOW)
    )
    with pytest.raises(WrongState):
        story.do(AskQuestion(task_id, 1, question(2)))
    with pytest.raises(WrongState):
        story.do(answer(task_id))


def test_an_attempt_that_is_being_ended_does_not_wait_for_the_deadline() -> None:
    story, task_id = asking(1)
    assert next_wake(story.world) == NOW + 60_000
    story.do(CancelTask(task_id, NOW))
    assert next_wake(story.world) == NOW + END_MS
    assert ExpireQuestion(task_id, "question-1", NOW + 60_000) not in story.settle(NOW + 60_000)


def test_nobody_answered_in_time() -> None:
    story, task_id = asking(1)
    assert story.settle(NOW + 59_999) == []
    assert story.settle(NOW + 60_000) == [ExpireQuestion(task_id, "question-1", NOW + 60_000)]
    assert story.events_of(task_id)[-1] == QuestionExpired("question-1", "deadline", NOW + 60_000)
    assert story.world.questions == {} and next_wake(story.world) is None


def test_a_question_does_not_expire_early_or_twice() -> None:
    story, task_id = asking(1)
    assert facts(story, ExpireQuestion(task_id, "question-1", NOW)) == []
    story.do(answer(task_id))
    assert facts(story, ExpireQuestion(task_id, "question-1", NOW + 60_000)) == []


def test_the_slot_may_want_no_answer_any_more() -> None:
    story, task_id = asking(1)
    withdraw = WithdrawQuestion(task_id, "question-1", NOW + 7)
    assert facts(story, withdraw) == [QuestionExpired("question-1", "withdrawn", NOW + 7)]
    assert facts(story, withdraw) == []


def test_the_end_of_an_attempt_closes_its_questions() -> None:
    story, task_id = asking(1, 2)
    end(story, task_id)
    assert story.world.questions == {}
    assert facts(story, WithdrawQuestion(task_id, "question-1", NOW)) == []


@pytest.mark.parametrize("event", [asked(), QuestionExpired("question-1", "deadline", NOW)])
def test_a_question_of_a_task_that_does_not_run_changes_nothing(
    event: QuestionAsked | QuestionExpired,
) -> None:
    story = warmed(Settings(slots=1))
    submit(story, 0)
    waiting = story.world.tasks[submit(story, 1)]
    assert task.evolve(waiting, event) is waiting


def test_the_deadline_of_the_attempt_goes_on_while_somebody_is_asked() -> None:
    story = warmed(Settings(slots=1, task_timeout_ms=1_000))
    task_id = submit(story, 0)
    story.settle()
    story.do(AskQuestion(task_id, 1, question()))
    assert story.settle(NOW + 1_000) == [InterruptAttempt(task_id, 1, "timed_out_task", NOW + 1_000)]


def test_the_board_shows_what_a_running_task_asks() -> None:
    story, task_id = asking(1)
    card = task_card(story.world.tasks[task_id], NOW, story.world)
    assert (card.state, card.reason, card.questions) == ("running", "question", (question(),))
    assert question_text(question()) == "May it use Bash: touch x"
    story.do(answer(task_id))
    card = task_card(story.world.tasks[task_id], NOW, story.world)
    assert (card.reason, card.questions) == (None, ())


def sealed(transcript: bool = True) -> tuple[Story, str]:
    """A pool whose owner died while a task ran, and another one took over."""
    story, task_id = asking()
    seen = SEEN if transcript else replace(SEEN, transcript=Transcript())
    story.do(Recover({f"{task_id}.1": seen}, NOW))
    return story, task_id


def run_again(story: Story, task_id: str, resume: bool) -> list[SessionOpened]:
    """The conversations of its attempts after somebody decided so."""
    story.do(ReopenTask(task_id, resume, NOW + 1))
    assert not story.world.sealed
    story.settle()
    answer_launches(story)
    story.settle()
    return [event for event in story.events_of(task_id) if isinstance(event, SessionOpened)]


def test_a_sealed_task_runs_again_as_it_was_ordered() -> None:
    story, task_id = sealed()
    first, second = run_again(story, task_id, resume=False)
    assert (second.mode, second.session == first.session) == ("fresh", False)
    assert not story.running(task_id).resumed


def test_a_sealed_task_goes_on_in_its_conversation_once() -> None:
    story, task_id = sealed()
    first, second = run_again(story, task_id, resume=True)
    assert (second.mode, second.session, second.parent) == ("resume", first.session, first.session)
    assert story.running(task_id).resumed
    state = story.world.tasks[task_id]
    assert state.job.resume is None
    story.do(Recover({f"{task_id}.2": SEEN}, NOW))
    with pytest.raises(WrongState, match="cannot be resumed"):
        story.do(ReopenTask(task_id, True, NOW))
    assert sealed_choices(story.world.tasks[task_id].job) == ("rerun", "cancel")


def test_what_left_no_trace_cannot_be_resumed() -> None:
    story, task_id = sealed(transcript=False)
    assert sealed_choices(story.world.tasks[task_id].job) == ("rerun", "cancel")
    with pytest.raises(WrongState):
        story.do(ReopenTask(task_id, True, NOW))


def test_a_trace_of_a_sealed_attempt_can_be_resumed() -> None:
    story, task_id = sealed()
    assert sealed_choices(story.world.tasks[task_id].job) == ("resume", "rerun", "cancel")


def test_only_a_sealed_task_is_decided_upon() -> None:
    story, task_id = asking()
    with pytest.raises(WrongState, match="only a sealed task"):
        story.do(ReopenTask(task_id, False, NOW))
    state = story.world.tasks[task_id]
    assert task.evolve(state, TaskReopened("rerun", None, NOW)) is state


def test_the_conversation_that_was_cut_off_goes_before_all_others() -> None:
    job = task.Job("task-aaaaaaaaaaaaaaaa", spec(session="slot"), "f", 5, resume="s1")
    policy = task.session_policy(job, SessionPolicy())
    assert (policy.mode, policy.session) == (SessionMode.RESUME, "s1")


def test_the_story_tells_of_questions() -> None:
    meta = Meta(NOW, "cmd", "cmd", Actor.COORDINATOR)
    events = (
        asked(deadline=9),
        QuestionAnswered("question-1", "allow", None, None, 1),
        QuestionAnswered("question-1", "deny", "not now", None, 1),
        QuestionExpired("question-1", "deadline", 1),
        TaskReopened("rerun", None, 1),
    )
    told = story_of([Recorded(n, "task", n, e, meta, b"") for n, e in enumerate(events, 1)])
    assert [reason.text for reason in told] == [
        "attempt 1 asks for leave until 9: Bash: touch x",
        "question-1 answered: allow",
        "question-1 answered: deny (not now)",
        "question-1 closed without an answer: deadline",
        "somebody decided: rerun",
    ]


def test_the_view_of_a_new_process_agrees() -> None:
    story, task_id = asking(1, 2)
    story.do(answer(task_id))
    assert repr(vars(story.replayed())) == repr(vars(story.world))
