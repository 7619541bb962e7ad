"""`--at`: the pool as it stood, from the same folds, whatever has happened since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_pool.domain.pool_events import BudgetOpened, FundsReserved, FundsSettled, PoolOpened
from claude_pool.domain.task_events import AttemptStarted, AttemptSucceeded, SessionOpened, TaskCompleted
from claude_pool.domain.values import End, Outcome, Text

from .test_replay import NOON, OTHER, TASK, Logged

ATTEMPT = f"{TASK}.1"
DONE = Outcome(End.SUCCEEDED, cost=70, output=Text(inline="hello", size=5), model="haiku", turns=1)


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Logged]:
    """Events 1 to 10, a second apart: a task runs from 5 on and is completed at 9; another comes at 10."""
    made = Logged(tmp_path)
    made.append("pool", PoolOpened("pool", NOON))
    made.append("pool", BudgetOpened(1000))
    made.submit(TASK, "say hello")
    made.append("pool", FundsReserved(ATTEMPT, 100))
    made.append(TASK, AttemptStarted(1, "slot-0", NOON, 100, None, None, None, "haiku", None, None))
    made.append(TASK, SessionOpened(1, "session", "fresh", "/project"))
    made.append(TASK, AttemptSucceeded(1, DONE, NOON + 7000))
    made.append("pool", FundsSettled(ATTEMPT, 70))
    made.append(TASK, TaskCompleted())
    made.submit(OTHER, "and more")
    yield made
    made.close()


def seen(logged: Logged, *words: str) -> Any:
    ended = logged.bench.run(*words, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    ("at", "state", "output"), [("3", "pending", ""), ("6", "running", ""), ("9", "completed", "hello")]
)
def test_a_task_is_what_it_was_then(logged: Logged, at: str, state: str, output: str) -> None:
    view = seen(logged, "task", TASK, "--at", at)

    assert (view["state"], view["output"] or "") == (state, output)


def test_a_status_counts_what_there_was(logged: Logged) -> None:
    then, now = seen(logged, "status", "--at", "6"), seen(logged, "status")

    assert (then["position"], then["running_tasks"], then["reserved_microdollars"]) == (6, 1, 100)
    assert (now["position"], now["completed_tasks"], now["spent_microdollars"]) == (10, 1, 70)


def test_the_last_moment_is_the_present(logged: Logged) -> None:
    assert seen(logged, "status", "--at", "10") == seen(logged, "status")


def test_a_list_has_only_what_was_submitted_in_the_states_of_then(logged: Logged) -> None:
    listed = seen(logged, "tasks", "--state", "running", "--at", "6")["tasks"]

    assert [task["task_id"] for task in listed] == [TASK]
    assert seen(logged, "tasks", "--state", "running")["tasks"] == []


def test_costs_are_those_that_were_settled_by_then(logged: Logged) -> None:
    before, after = (seen(logged, "cost", "--at", at)["total"]["cost_microdollars"] for at in ("7", "8"))

    assert (before, after) == (0, 70)


def test_a_story_ends_there(logged: Logged) -> None:
    told = seen(logged, "why", TASK, "--at", "6")

    assert (told["state"], told["story"][-1]["position"]) == ("running", 6)


def test_a_time_means_the_last_event_until_then(logged: Logged) -> None:
    assert seen(logged, "status", "--at", "2023-11-15T12:00:05.900Z")["position"] == 6


@pytest.mark.parametrize("verb", ["task", "why"])
def test_a_task_that_came_later_is_not_there_yet(logged: Logged, verb: str) -> None:
    ended = logged.bench.run(verb, OTHER, "--at", "9")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("[not_found]")
    assert "It came later: its first event is 10." in ended.stderr


def test_a_task_that_never_was_is_not_said_to_come_later(logged: Logged) -> None:
    ended = logged.bench.run("task", "task-zzzzzzzzzzzzzzzz", "--at", "9")

    assert ended.returncode == 2
    assert "came later" not in ended.stderr


def test_the_id_of_an_attempt_asks_about_its_task(logged: Logged) -> None:
    assert seen(logged, "why", f"{TASK}.1") == seen(logged, "why", TASK)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("11", "11 is no position of the log, which has 1 to 10"),
        ("0", "0 is no position of the log"),
        ("2023-11-15T11:59:59Z", "the log began later, at 2023-11-15T12:00:00Z"),
        ("yesterday", "'yesterday' is neither a position of the log nor a time; say 120, "),
        ("-1", "'-1' is neither a position of the log nor a time"),
    ],
)
def test_what_lies_outside_of_the_log_is_refused(logged: Logged, at: str, said: str) -> None:
    ended = logged.bench.run("status", "--at", at)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
