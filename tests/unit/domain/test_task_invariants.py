"""What holds for tasks and their money in every log: a forged one breaks just what it was forged to break."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain.pool_events import (
    FundsSettled,
    OwnerStarted,
    OwnerStopped,
    OwnerStopping,
    PoolPaused,
    PoolResumed,
    Settings,
)
from claude_pool.domain.slot_events import (
    SlotAdded,
)
from claude_pool.domain.task_events import (
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    InterruptRequested,
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    ReviewRequested,
    SessionOpened,
    TaskApproved,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskParked,
    TaskRejected,
    TaskReopened,
    TaskSealed,
    TaskUnparked,
)
from claude_pool.domain.values import (
    Limit,
    LimitKind,
    Text,
)

from tests.support.forged_log import (
    DAY,
    DONE,
    FAILS,
    NEXT,
    OPENED,
    OTHER,
    READY,
    RUNS,
    SLOT,
    TASK,
    WHOLE,
    At,
    chain,
    claimed,
    codes,
    ended_as,
    launched,
    pool,
    result,
    settled,
    slot,
    started,
    submitted,
    task,
)

AGAIN = [*claimed(2), *started(2)]
RETRIED = [*OPENED, *launched(), *submitted(retries=1), *claimed(), *started()]
LIMITED = replace(result(retryable=True), limit=Limit(LimitKind.RATE))
ASKED = QuestionAsked("q", 1, "Bash", Text(), "t", 9, 0)
SECOND = [*launched(NEXT), *submitted(OTHER)]
CUT_OFF = ended_as(AttemptSealed(1, result(), 0), TaskSealed(1))
GOES_ON = TaskReopened("resume", "s", 0, automatic=True)


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        # the log
        ([*OPENED, *slot(PoolPaused("why"))], ["wrong_stream"]),
        ([*OPENED, *chain(SlotAdded(SLOT))], ["wrong_stream"]),
        # the states of a task
        (task(TaskUnparked()), ["unknown_task"]),
        ([*READY, *submitted()], ["submitted_twice"]),
        ([*READY, *task(TaskUnparked())], ["wrong_move"]),
        ([*READY, *task(TaskCompleted())], ["wrong_move"]),
        ([*READY, *task(TaskParked("budget"), TaskUnparked(), TaskFailed("x", "y"))], []),
        ([*READY, *task(DONE), *pool(FundsSettled(f"{TASK}.1", 5, accounts=DAY))], ["wrong_move"]),
        ([*READY, *task(SessionOpened(1, "s", "fresh", "/"))], ["wrong_move"]),
        (ended_as(FAILS, TaskCompleted()), ["wrong_move", "half_an_end"]),
        (ended_as(DONE, TaskFailed("x", "y")), ["wrong_move", "half_an_end"]),
        (ended_as(DONE, ReviewRequested(1, 0), TaskApproved(0), TaskCompleted()), []),
        (ended_as(DONE, ReviewRequested(1, 0), TaskApproved(0)), ["half_an_end"]),
        ([*READY, *task(TaskRejected(1, Text(), 0))], ["wrong_move"]),
        (ended_as(AttemptSealed(1, result(), 0), TaskSealed(1), TaskReopened("rerun", None, 0)), []),
        ([*CUT_OFF, *task(TaskReopened("resume", "s", 0, automatic=True))], []),
        ([*CUT_OFF, *task(TaskReopened("rerun", None, 0, automatic=True))], ["reopened_too_often"]),
        ([*CUT_OFF, *task(GOES_ON, TaskSealed(1), GOES_ON)], ["reopened_too_often"]),
        ([*CUT_OFF, *task(TaskReopened("rerun", None, 0), TaskSealed(1))], ["sealed_in_sight"]),
        (ended_as(FAILS, TaskSealed(1)), ["sealed_in_sight"]),
        ([*READY, *task(GOES_ON)], ["wrong_move"]),
        ([*READY, *task(TaskSealed(1))], ["sealed_in_sight"]),
        (ended_as(AttemptSealed(1, result(), 0)), ["half_an_end"]),
        ([*WHOLE, *task(TaskCancelled())], ["after_the_end"]),
        ([*WHOLE, *task(AttemptStarted(2, SLOT, 0))], ["after_the_end", "attempt_without_claim"]),
        ([*READY, *task(TaskCancelled()), *claimed(), *started()], ["after_the_end", "after_the_end"]),
        # attempts
        ([*READY, *claimed(2), *started(2)], ["wrong_attempt_number"]),
        (
            [
                *RUNS,
                *task(AttemptSucceeded(2, result(), 0), TaskCompleted()),
                *pool(FundsSettled(f"{TASK}.2", 5, accounts=DAY)),
            ],
            ["not_the_live_attempt"],
        ),
        ([*RUNS, *task(InterruptRequested(2, "x", 0))], ["not_the_live_attempt"]),
        ([*ended_as(FAILS, TaskParked("backoff", 1)), *task(TaskUnparked()), *AGAIN], []),
        (
            [
                *RETRIED,
                *task(AttemptFailed(1, LIMITED, 0), TaskParked("rate", 1)),
                *settled(),
                *task(TaskUnparked()),
                *AGAIN,
            ],
            [],
        ),
        (
            [
                *ended_as(AttemptFailed(1, result(retryable=True), 0), TaskParked("backoff", 1)),
                *task(TaskUnparked()),
                *AGAIN,
            ],
            ["too_many_attempts"],
        ),
        (
            [
                *RETRIED,
                *task(AttemptFailed(1, result(retryable=True), 0), TaskParked("backoff", 1)),
                *settled(),
                *task(TaskUnparked()),
                *AGAIN,
            ],
            [],
        ),
        ([*ended_as(DONE, ReviewRequested(1, 0)), *task(TaskRejected(1, Text(), 0)), *AGAIN], []),
        ([*RUNS, *SECOND, *claimed(1, OTHER, NEXT), *started(1, OTHER, NEXT)], ["one_attempt_a_session"]),
        ([*RUNS, *SECOND, *claimed(1, OTHER, NEXT), *started(1, OTHER, NEXT, "s2")], []),
        ([*READY, *pool(PoolPaused("usage")), *claimed(), *started()], ["started_while_held"]),
        ([*READY, *pool(PoolPaused("usage"), PoolResumed()), *claimed(), *started()], []),
        ([*READY, *pool(OwnerStopping()), *claimed(), *started()], ["started_while_held"]),
        ([*READY, *pool(OwnerStopping(), OwnerStopped()), *claimed(), *started()], ["started_while_held"]),
        (
            [
                *READY,
                *pool(OwnerStopping(), OwnerStarted("o2", 1, "v", Settings())),
                *claimed(),
                *started(),
            ],
            [],
        ),
        # questions
        ([*RUNS, *task(ASKED, QuestionAnswered("q", "allow", None, None, 0))], []),
        ([*RUNS, *task(ASKED, ASKED)], ["question_twice"]),
        ([*RUNS, *task(QuestionExpired("q", "deadline", 0))], ["question_twice"]),
        ([*READY, *task(ASKED)], ["wrong_move"]),
        ([*READY, *task(QuestionExpired("q", "deadline", 0))], ["wrong_move"]),
        # money
        (
            [
                *RUNS,
                *task(AttemptSucceeded(1, result(-5), 0), TaskCompleted()),
                *settled(cost=-5),
            ],
            ["below_zero"],
        ),
        (
            [*RUNS, *task(AttemptSucceeded(1, result(estimated=True), 0), TaskCompleted()), *settled()],
            ["certainty_lost"],
        ),
        (ended_as(DONE, TaskCompleted())[:-2] + settled(estimated=True), ["certainty_lost"]),
        ([*RUNS, *task(DONE, TaskCompleted()), *settled()[1:]], ["slot_differs", "not_settled"]),
    ],
)
def test_what_holds_for_tasks(facts: list[At], wanted: list[str]) -> None:
    assert codes(*facts) == wanted
