"""`replay --diff`: two chains, tasks or logs side by side, and whether they came to the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_pool.domain.chain_events import ChainSubmitted, Plan, Step, StepCompleted, StepStarted
from claude_pool.domain.task_events import (
    AttemptStarted,
    AttemptSucceeded,
    SessionOpened,
    TaskCompleted,
    TaskSubmitted,
)
from claude_pool.domain.values import End, Outcome, Part, TaskSpec, Text

from .test_replay import CHAIN, NOON, OTHER, OTHER_CHAIN, TASK, Logged

ABSENT = "task-zzzzzzzzzzzzzzzz"


def text(content: str) -> Text:
    return Text(inline=content, size=len(content))


def run(made: Logged, task_id: str, said: str, part: Part | None = None) -> None:
    """The task runs once and says something."""
    made.append(task_id, TaskSubmitted(task_id, TaskSpec(text("say hello"), part=part), "print", NOON))
    made.append(task_id, AttemptStarted(1, "slot-0", NOON))
    made.append(task_id, SessionOpened(1, f"session of {task_id}", "fresh", "/project"))
    made.append(task_id, AttemptSucceeded(1, Outcome(End.SUCCEEDED, output=text(said)), NOON + 1000))
    made.append(task_id, TaskCompleted())


def run_chain(made: Logged, chain_id: str, task_id: str, said: str) -> None:
    """The first of two steps runs and says something; the second waits."""
    steps = (Step("look", TaskSpec(text("look"))), Step("mend", TaskSpec(text("mend")), ("look",)))
    made.append(chain_id, ChainSubmitted(chain_id, Plan(steps), "print", NOON))
    made.append(chain_id, StepStarted("look", 1, task_id))
    run(made, task_id, said, Part(chain_id, "look"))
    made.append(chain_id, StepCompleted("look", 1, text(said), (), 0, 1))


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Logged]:
    made = Logged(tmp_path)
    yield made
    made.close()


def difference(made: Logged, left: str, right: str) -> tuple[int, Any]:
    ended = made.bench.run("replay", "--diff", left, right, "--json")
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def test_two_tasks_that_came_to_the_same_leave_with_0(logged: Logged) -> None:
    run(logged, TASK, "hello")
    run(logged, OTHER, "hello")

    code, told = difference(logged, TASK, OTHER)

    assert (code, told["same"], told["parts"][0]["differences"]) == (0, True, [])


def test_another_output_leaves_with_5(logged: Logged) -> None:
    run(logged, TASK, "hello")
    run(logged, OTHER, "good day")

    code, told = difference(logged, TASK, OTHER)

    assert (code, told["same"], told["parts"][0]["differences"]) == (5, False, ["output"])


def test_chains_are_aligned_by_their_steps(logged: Logged) -> None:
    run_chain(logged, CHAIN, TASK, "hello")
    run_chain(logged, OTHER_CHAIN, OTHER, "good day")

    code, told = difference(logged, CHAIN, OTHER_CHAIN)

    assert [(part["part"], part["differences"]) for part in told["parts"]] == [
        ("look", ["output"]),
        ("mend", []),
    ]
    assert code == 5


def test_a_log_is_held_against_another_by_its_state_directory(tmp_path: Path) -> None:
    made: list[Logged] = []
    for name, said in (("one", "hello"), ("two", "good day")):
        (tmp_path / name).mkdir()
        made.append(Logged(tmp_path / name))
        run(made[-1], TASK, said)
        run_chain(made[-1], CHAIN, OTHER, "as ever")
    here, there = (each.bench.places.state_dir for each in made)

    code, told = difference(made[0], here, there)

    assert [(part["part"], part["differences"]) for part in told["parts"]] == [
        ("say hello", ["output"]),
        ("chain 1 look", []),
    ]
    assert (code, difference(made[0], here, here)[0]) == (5, 0)
    for each in made:
        each.close()


def test_a_person_sees_both_sides_of_what_differs(logged: Logged) -> None:
    run_chain(logged, CHAIN, TASK, "hello")
    run_chain(logged, OTHER_CHAIN, OTHER, "good day")

    shown = logged.bench.run("replay", "--diff", CHAIN, OTHER_CHAIN).stdout

    assert "2cf24dba → 4cb4551b" in shown  # the digests of what was said
    assert shown.splitlines()[-1] == "1 of 2 parts differ"


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (TASK, CHAIN, "a task and a chain cannot be compared"),
        (TASK, ABSENT, "[not_found]"),
        (TASK, "slot-0", "a slot cannot be compared"),
        (TASK, "/nowhere", "/nowhere is no task, no chain and no state directory"),
    ],
)
def test_unlike_things_are_refused(logged: Logged, left: str, right: str, said: str) -> None:
    run_chain(logged, CHAIN, TASK, "hello")

    ended = logged.bench.run("replay", "--diff", left, right)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
