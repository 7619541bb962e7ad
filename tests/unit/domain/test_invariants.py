"""What holds for every log: a whole one passes, a forged one does not."""

from __future__ import annotations

import pytest
from claude_pool.domain.invariants import Invariants, check
from claude_pool.domain.pool_events import (
    FundsReserved,
)
from claude_pool.domain.task_events import (
    AttemptSealed,
    AttemptStarted,
    ReviewRequested,
    SessionOpened,
    TaskCompleted,
    TaskSealed,
)

from tests.support.forged_log import (
    DAY,
    DONE,
    READY,
    SLOT,
    TASK,
    WHOLE,
    At,
    claimed,
    codes,
    ended_as,
    numbered,
    ordered,
    pool,
    result,
    step,
    task,
)


def test_a_whole_log_breaks_nothing() -> None:
    assert check(numbered(*WHOLE), final=True) == ()


def test_a_violation_says_where_and_what() -> None:
    (found,) = check(numbered(*WHOLE, *task(TaskCompleted())))

    assert (found.position, found.code) == (len(WHOLE) + 1, "after_the_end")
    assert found.text == "task.completed, but task-a is over"


def test_positions_and_versions_have_no_gaps() -> None:
    log = numbered(*WHOLE)

    assert [each.code for each in check(log[1:3])] == ["position_gap", "version_gap"]
    assert [each.code for each in check([log[0], log[2]])] == ["position_gap"]
    assert [each.code for each in check([log[0], (2, "pool", 3, log[1][3])])] == ["version_gap"]
    assert [each.code for each in check([log[0], log[0]])] == ["position_gap", "version_gap"]


def test_looking_at_what_is_missing_leaves_the_checks_as_they_were() -> None:
    invariants = Invariants()
    log = numbered(*WHOLE)
    for position, stream, version, event in log[:-3]:
        invariants.observe(position, stream, version, event)

    assert [each.code for each in invariants.close()] == ["not_settled", "half_an_end", "not_released"]
    for position, stream, version, event in log[-3:]:
        invariants.observe(position, stream, version, event)
    assert invariants.close() == ()


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (WHOLE, []),
        (READY, ["never_ended"]),
        (ended_as(AttemptSealed(1, result(), 0), TaskSealed(1)), []),
        (ended_as(DONE, ReviewRequested(1, 0)), []),
        (ordered(step("a")), ["never_ended"]),
        (
            [
                *READY,
                *claimed(),
                *task(AttemptStarted(1, SLOT, 0, 7), SessionOpened(1, "s", "fresh", "/")),
                *pool(FundsReserved(f"{TASK}.1", 7, DAY)),
            ],
            ["never_ended", "never_settled"],
        ),
    ],
)
def test_in_the_end_nothing_is_left_but_for_a_person(facts: list[At], wanted: list[str]) -> None:
    assert codes(*facts, final=True) == wanted
    assert codes(*facts) == []
