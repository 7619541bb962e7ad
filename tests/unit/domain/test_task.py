"""A task: submitted, parked, run in attempts, interrupted, cancelled, sealed, and ended once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain.errors import WrongState
from claude_pool.domain.task import (
    BACKOFF_CAP_MS,
    Cancelled,
    CancelTask,
    Completed,
    Failed,
    FailTask,
    InterruptAttempt,
    Job,
    LiveAttempt,
    Parked,
    ParkTask,
    Pending,
    RecordAttemptEnded,
    Running,
    SealAttempt,
    Sealed,
    StartAttempt,
    SubmitTask,
    TaskCommand,
    UnparkTask,
    backoff_ms,
    live_attempt_id,
    session_policy,
)
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    InterruptRequested,
    SessionOpened,
    TaskCancelled,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskParked,
    TaskSealed,
    TaskSubmitted,
    TaskUnparked,
)
from claude_pool.domain.values import End, Outcome, SessionMode, SessionPolicy

from tests.support.domain_decider import given_task
from tests.support.domain_story import outcome, session_name, spec

ID = "task-aaaaaaaaaaaaaaaa"
SUBMITTED = TaskSubmitted(ID, spec(retries=2), "f", 5)
PENDING: tuple[TaskEvent, ...] = (SUBMITTED,)
PARKED: tuple[TaskEvent, ...] = (*PENDING, TaskParked("budget"))
RUNNING: tuple[TaskEvent, ...] = (
    *PENDING,
    AttemptStarted(1, "slot-0", 10),
    SessionOpened(1, "s1", "fresh", "/project"),
)
DONE = outcome(cost=7)
BROKEN = outcome(End.FAILED, "provider_error", retryable=True)
STOPPED = outcome(End.INTERRUPTED)
COMPLETED: tuple[TaskEvent, ...] = (*RUNNING, AttemptSucceeded(1, DONE, 20), TaskCompleted())
FAILED: tuple[TaskEvent, ...] = (*PENDING, TaskFailed("timed_out_queue", "late"))
CANCELLED: tuple[TaskEvent, ...] = (*PENDING, TaskCancelled())
SEALED: tuple[TaskEvent, ...] = (*RUNNING, AttemptSealed(1, STOPPED, 20), TaskSealed(1))


def ended(what: Outcome, number: int = 1) -> RecordAttemptEnded:
    """The attempt ended so."""
    return RecordAttemptEnded(ID, number, what, 20)


def test_a_submitted_task_is_pending() -> None:
    after = given_task().when(SubmitTask(ID, SUBMITTED.spec, "f", 5)).then(SUBMITTED)
    assert isinstance(after, Pending)
    assert (after.job.next_attempt, after.job.cost) == (1, 0)


def test_a_task_is_submitted_once() -> None:
    given_task(*PENDING).when(SubmitTask(ID, SUBMITTED.spec, "f", 5)).refused(
        WrongState, f"{ID} is pending: it was submitted before"
    )


def test_a_pending_task_is_parked_for_a_reason() -> None:
    after = given_task(*PENDING).when(ParkTask(ID, "budget", 90)).then(TaskParked("budget", 90))
    assert isinstance(after, Parked)
    assert (after.reason, after.until) == ("budget", 90)


@pytest.mark.parametrize("before", [(), PARKED, RUNNING, COMPLETED])
def test_nothing_else_is_parked(before: tuple[TaskEvent, ...]) -> None:
    given_task(*before).when(ParkTask(ID, "budget")).refused(WrongState, "only a pending task")


def test_a_parked_task_is_pending_again() -> None:
    assert isinstance(given_task(*PARKED).when(UnparkTask(ID)).then(TaskUnparked()), Pending)


@pytest.mark.parametrize("before", [(), PENDING, RUNNING])
def test_nothing_else_is_unparked(before: tuple[TaskEvent, ...]) -> None:
    given_task(*before).when(UnparkTask(ID)).refused(WrongState, "it is not parked")


def test_an_attempt_starts_with_a_slot_a_conversation_and_its_limits() -> None:
    command = StartAttempt(
        ID, "slot-0", "s1", "resume", "s0", "/project", 30, 40, 99, 2, "opus", "high", "plan", 10
    )
    after = (
        given_task(*PENDING)
        .when(command)
        .then(
            AttemptStarted(1, "slot-0", 10, 30, 40, 99, 2, "opus", "high", "plan"),
            SessionOpened(1, "s1", "resume", "/project", "s0"),
        )
    )
    assert isinstance(after, Running)
    assert after.live == LiveAttempt(
        1, "slot-0", 10, 30, 40, 99, 2, "opus", "high", "plan", session="s1", directory="/project"
    )
    assert live_attempt_id(after) == f"{ID}.1"


@pytest.mark.parametrize("before", [(), PARKED, RUNNING, SEALED, CANCELLED])
def test_only_a_pending_task_starts_an_attempt(before: tuple[TaskEvent, ...]) -> None:
    command = StartAttempt(ID, "slot-0", "s", "fresh", None, "/", 0, None, None, None, None, None, None, 10)
    given_task(*before).when(command).refused(WrongState, "only a pending task")


def test_an_attempt_that_succeeds_completes_its_task() -> None:
    after = given_task(*RUNNING).when(ended(DONE)).then(AttemptSucceeded(1, DONE, 20), TaskCompleted())
    assert isinstance(after, Completed)
    assert (after.job.cost, after.job.attempts[0].session, after.job.attempts[0].ended_at) == (7, "s1", 20)


def test_an_attempt_that_fails_for_good_fails_its_task() -> None:
    broken = outcome(End.FAILED, "turn_limit", message="Too many turns.")
    after = (
        given_task(*RUNNING)
        .when(ended(broken))
        .then(AttemptFailed(1, broken, 20), TaskFailed("turn_limit", "Too many turns."))
    )
    assert isinstance(after, Failed)


def test_a_retryable_failure_parks_the_task_for_a_while() -> None:
    after = (
        given_task(*RUNNING)
        .when(ended(BROKEN))
        .then(AttemptFailed(1, BROKEN, 20), TaskParked("backoff", 1_020))
    )
    assert isinstance(after, Parked)
    assert after.job.next_attempt == 2


def test_each_retryable_failure_doubles_the_wait() -> None:
    first = (AttemptFailed(1, BROKEN, 20), TaskParked("backoff", 1_020), TaskUnparked())
    second = (AttemptStarted(2, "slot-0", 30), SessionOpened(2, "s2", "fresh", "/"))
    given_task(*RUNNING, *first, *second).when(ended(BROKEN, 2)).then(
        AttemptFailed(2, BROKEN, 20), TaskParked("backoff", 2_020)
    )


def test_the_last_retryable_failure_fails_the_task() -> None:
    again: tuple[TaskEvent, ...] = ()
    for number in (1, 2):
        opened = SessionOpened(number, f"s{number}", "fresh", "/")
        failed = (AttemptFailed(number, BROKEN, 20), TaskParked("backoff", 30), TaskUnparked())
        again += (AttemptStarted(number, "slot-0", 10), opened, *failed)
    last = (AttemptStarted(3, "slot-0", 10), SessionOpened(3, "s3", "fresh", "/"))
    given_task(*PENDING, *again, *last).when(ended(BROKEN, 3)).then(
        AttemptFailed(3, BROKEN, 20), TaskFailed("provider_error", "It did not work.", True)
    )


def test_the_wait_doubles_up_to_a_minute() -> None:
    assert [backoff_ms(n) for n in (0, 1, 2, 3, 6)] == [1_000, 1_000, 2_000, 4_000, 32_000]
    assert backoff_ms(7) == backoff_ms(10_000) == BACKOFF_CAP_MS


def test_an_attempt_without_a_code_has_no_result() -> None:
    given_task(*RUNNING).when(ended(STOPPED)).then(
        AttemptFailed(1, STOPPED, 20), TaskFailed("no_result", "The attempt was interrupted.")
    )


@pytest.mark.parametrize("before", [(), PENDING, SEALED, COMPLETED])
def test_an_outcome_without_a_live_attempt_is_refused(before: tuple[TaskEvent, ...]) -> None:
    given_task(*before).when(ended(DONE)).refused(WrongState, "attempt 1 is not live")


def test_a_late_outcome_of_an_older_attempt_is_refused() -> None:
    given_task(*RUNNING).when(ended(DONE, number=2)).refused(WrongState, "attempt 2 is not live")


@pytest.mark.parametrize("before", [PENDING, PARKED, SEALED])
def test_a_task_that_does_not_run_is_cancelled_at_once(before: tuple[TaskEvent, ...]) -> None:
    assert isinstance(given_task(*before).when(CancelTask(ID, 15)).then(TaskCancelled()), Cancelled)


def test_a_running_task_is_asked_to_end_once() -> None:
    after = given_task(*RUNNING).when(CancelTask(ID, 15)).then(CancelRequested(15))
    assert isinstance(after, Running)
    assert after.live.cancel
    given_task(*RUNNING, CancelRequested(15)).when(CancelTask(ID, 16)).then()


def test_cancelling_what_is_cancelled_changes_nothing() -> None:
    given_task(*CANCELLED).when(CancelTask(ID, 15)).then()


@pytest.mark.parametrize("before", [(), COMPLETED, FAILED])
def test_what_is_over_cannot_be_cancelled(before: tuple[TaskEvent, ...]) -> None:
    given_task(*before).when(CancelTask(ID, 15)).refused(WrongState, "nothing left to cancel")


def test_a_cancelled_attempt_has_no_error() -> None:
    given_task(*RUNNING, CancelRequested(15)).when(ended(BROKEN)).then(
        AttemptCancelled(1, replace(BROKEN, code=None, message=None), 20), TaskCancelled()
    )


def test_an_attempt_that_succeeds_before_it_is_cancelled_has_succeeded() -> None:
    given_task(*RUNNING, CancelRequested(15)).when(ended(DONE)).then(
        AttemptSucceeded(1, DONE, 20), TaskCompleted()
    )


def test_an_attempt_is_interrupted_once() -> None:
    interrupted = InterruptRequested(1, "timed_out_task", 15)
    command = InterruptAttempt(ID, 1, "timed_out_task", 15)
    after = given_task(*RUNNING).when(command).then(interrupted)
    assert isinstance(after, Running)
    assert after.live.interrupt == "timed_out_task"
    given_task(*RUNNING, interrupted).when(InterruptAttempt(ID, 1, "interrupted", 16)).then()


@pytest.mark.parametrize("before", [(), PENDING, COMPLETED])
def test_there_is_nothing_to_interrupt_without_an_attempt(before: tuple[TaskEvent, ...]) -> None:
    given_task(*before).when(InterruptAttempt(ID, 1, "interrupted", 15)).then()


def test_another_attempt_is_not_interrupted() -> None:
    given_task(*RUNNING).when(InterruptAttempt(ID, 2, "interrupted", 15)).then()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("timed_out_task", "The attempt ran longer than its timeout_seconds."),
        ("task_budget_reached", "The attempt reached its budget."),
    ],
)
def test_an_interrupted_attempt_failed_for_what_interrupted_it(code: str, message: str) -> None:
    failed = replace(BROKEN, code=code, message=message, retryable=False)
    given_task(*RUNNING, InterruptRequested(1, code, 15)).when(ended(BROKEN)).then(
        AttemptFailed(1, failed, 20), TaskFailed(code, message)
    )


def test_an_attempt_interrupted_by_a_stop_is_sealed() -> None:
    after = given_task(*RUNNING, InterruptRequested(1, "interrupted", 15)).when(ended(BROKEN))
    sealed, last = after.decide(after.command, after.state)
    assert isinstance(sealed, AttemptSealed)
    assert (sealed.outcome.end, sealed.outcome.code) == (End.INTERRUPTED, "interrupted")
    assert not sealed.outcome.retryable
    assert last == TaskSealed(1)


def test_a_live_attempt_is_sealed_when_its_owner_is_lost() -> None:
    command = SealAttempt(ID, STOPPED, 30)
    facts = given_task(*RUNNING).when(command)
    assert [type(event) for event in facts.decide(command, facts.state)] == [AttemptSealed, TaskSealed]
    assert isinstance(given_task(*SEALED).state, Sealed)


def test_an_attempt_that_was_to_be_cancelled_is_cancelled_when_its_owner_is_lost() -> None:
    given_task(*RUNNING, CancelRequested(15)).when(SealAttempt(ID, BROKEN, 30)).then(
        AttemptCancelled(1, replace(BROKEN, code=None, message=None), 30), TaskCancelled()
    )


@pytest.mark.parametrize("before", [(), PENDING, SEALED])
def test_there_is_nothing_to_seal_without_an_attempt(before: tuple[TaskEvent, ...]) -> None:
    given_task(*before).when(SealAttempt(ID, STOPPED, 30)).refused(WrongState, "it has no live attempt")


@pytest.mark.parametrize("before", [PENDING, PARKED])
def test_a_waiting_task_is_given_up(before: tuple[TaskEvent, ...]) -> None:
    command = FailTask(ID, "timed_out_queue", "late", 30)
    after = given_task(*before).when(command).then(TaskFailed("timed_out_queue", "late"))
    assert isinstance(after, Failed)


@pytest.mark.parametrize("before", [(), RUNNING, SEALED, FAILED])
def test_nothing_else_is_given_up(before: tuple[TaskEvent, ...]) -> None:
    given_task(*before).when(FailTask(ID, "timed_out_queue", "late", 30)).refused(
        WrongState, "only a waiting task"
    )


EVERY_COMMAND: tuple[TaskCommand, ...] = (
    ParkTask(ID, "budget"),
    UnparkTask(ID),
    ended(DONE),
    SealAttempt(ID, STOPPED, 30),
    FailTask(ID, "timed_out_queue", "late", 30),
    SubmitTask(ID, SUBMITTED.spec, "f", 5),
)


@pytest.mark.parametrize("over", [COMPLETED, FAILED, CANCELLED])
@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_what_is_over_stays_as_it_is(over: tuple[TaskEvent, ...], command: TaskCommand) -> None:
    given_task(*over).when(command).refused(WrongState)


def test_a_task_runs_in_the_conversation_it_names_or_the_pools() -> None:
    default = SessionPolicy(SessionMode.SLOT)
    assert session_policy(Job(ID, spec(), "f", 5), default) == default
    assert session_policy(Job(ID, spec(session="fresh"), "f", 5), default) == SessionPolicy(SessionMode.FRESH)
    assert session_policy(Job(ID, spec(session="nonsense"), "f", 5), default) == default
    named = SessionPolicy(SessionMode.FORK, session_name(1))
    assert session_policy(Job(ID, spec(session=f"fork:{session_name(1)}"), "f", 5), default) == named
