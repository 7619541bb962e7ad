"""What holds for chains in every log: a forged one breaks just what it was forged to break."""

from __future__ import annotations

import pytest
from claude_pool.domain import chain_events
from claude_pool.domain.chain_events import (
    ChainCancelled,
    ChainCompleted,
    ChainFailed,
    ChainSubmitted,
    ClosingRequested,
    EndingBegun,
    Fork,
    Plan,
    Step,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkplaceRequested,
)
from claude_pool.domain.task_events import (
    SessionOpened,
    TaskCancelled,
    TaskFailed,
    TaskSubmitted,
)
from claude_pool.domain.values import (
    Filling,
    Part,
    TaskSpec,
    Text,
    derived_id,
)

from tests.support.forged_log import CHAIN, OPENED, TASK, At, chain, codes, housed, ordered, step, task


def forked(*steps: Step) -> list[At]:
    """The chain is taken up again."""
    plan = Plan(steps, fork=Fork(CHAIN, steps[-1].name))
    return chain(ChainSubmitted(FORK, plan, "f", 0), chain_id=FORK)


def again(
    name: str, status: str = "failed", output: str | None = None, session: str = "", task_id: str = ""
) -> list[At]:
    """One of its steps is reused."""
    ran = task_id or task_of(name)
    return chain(StepReused(name, CHAIN, ran, 1, 1, status, Text(output), (), session), chain_id=FORK)


def task_of(name: str, run: int = 1, chain_id: str = CHAIN) -> str:
    return derived_id("task", chain_id, name, str(run))


def begun(
    name: str,
    run: int = 1,
    prompt: str | None = None,
    uses: str = "previous_output",
    chain_id: str = CHAIN,
) -> list[At]:
    """A step starts, with its task."""
    spec = TaskSpec(
        Text(name if prompt is None else prompt),
        part=Part(chain_id, name, run),
        fillings=(Filling(uses if run == 1 else "error", ()),),
    )
    task_id = task_of(name, run, chain_id)
    return [
        *chain(StepStarted(name, run, task_id), chain_id=chain_id),
        *task(TaskSubmitted(task_id, spec, "", 0), task_id=task_id),
    ]


def cancelled(name: str, run: int = 1) -> list[At]:
    """Its task was cancelled, and so is the step."""
    return [
        *task(TaskCancelled(), task_id=task_of(name, run)),
        *chain(StepCancelled(name, run, 0, 0)),
    ]


def failed(name: str, run: int = 1, chain_id: str = CHAIN) -> list[At]:
    return [
        *task(TaskFailed("x", "y"), task_id=task_of(name, run, chain_id)),
        *chain(StepFailed(name, run, "x", "y", Text(), 0, 0), chain_id=chain_id),
    ]


def copied(path: str = "/copies/z") -> list[At]:
    return chain(chain_events.WorkplaceMade(path, path, "/repo/.git", "b", "base", "main"))


def work_kept(merged: str | None = None) -> list[At]:
    return chain(chain_events.WorkKept("b", "h", 1, Text(), merged))


FORK = "chain-bbbbbbbbbbbbbbbb"
A, B = step("a"), step("b", "a")
MENDED = step("a", recovery=Text("mend"))
ONE = [*ordered(A), *begun("a")]
COPIED = [*ordered(A, isolation="worktree"), *chain(WorkplaceRequested("o")), *copied(), *begun("a")]
STOPS = chain(EndingBegun("step_failed", "m"))
PAST = [*ordered(A, B), *begun("a"), *failed("a"), *begun("b"), *failed("b"), *chain(ChainCompleted())]


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ([*ONE, *failed("a"), *STOPS, *chain(ChainFailed("step_failed", "m"))], []),
        (
            [*ordered(A, B), *begun("a"), *failed("a"), *begun("b"), *failed("b"), *chain(ChainCompleted())],
            [],
        ),
        ([*ordered(MENDED), *begun("a"), *failed("a"), *begun("a", 2, "mend"), *failed("a", 2)], []),
        (ordered(A) * 2, ["submitted_twice"]),
        (chain(EndingBegun("x")), ["unknown_chain"]),
        (chain(StepStarted("a", 1, TASK)), ["unknown_chain"]),
        (chain(StepSkipped("a")), ["unknown_chain"]),
        (chain(StepCancelled("a", 1, 0, 0)), ["unknown_chain"]),
        (chain(StepsEnded()), ["unknown_chain"]),
        (chain(ChainCompleted()), ["unknown_chain"]),
        (copied(), ["unknown_chain"]),
        (work_kept(), ["unknown_chain"]),
        ([*ONE, *failed("a"), *chain(ChainCompleted(), ClosingRequested("o"))], ["after_the_end"]),
        # turns
        ([*ordered(A), *chain(StepStarted("x", 1, TASK))], ["step_out_of_turn"]),
        ([*ordered(A, B), *chain(StepStarted("b", 1, task_of("b")))], ["step_out_of_turn"]),
        ([*ONE, *chain(StepStarted("a", 1, task_of("a")))], ["step_out_of_turn"]),
        ([*ONE, *failed("a"), *chain(StepStarted("a", 2, task_of("a", 2)))], ["step_out_of_turn"]),
        (
            [*ordered(MENDED), *begun("a"), *cancelled("a"), *chain(StepStarted("a", 2, "t"))],
            ["step_out_of_turn"],
        ),
        (
            [*ordered(A), *chain(EndingBegun("cancelled"), StepStarted("a", 1, task_of("a")))],
            ["step_out_of_turn"],
        ),
        ([*ordered(A), *chain(StepSkipped("a"), StepStarted("a", 1, task_of("a")))], ["step_out_of_turn"]),
        ([*ordered(A), *chain(StepSkipped("a"), StepSkipped("a"))], ["step_out_of_turn"]),
        ([*ordered(A), *chain(StepFailed("a", 1, "x", "y", Text(), 0, 0))], ["step_out_of_turn"]),
        # steps and their tasks
        ([*ordered(A), *chain(StepStarted("a", 1, task_of("a")))], ["step_without_task"]),
        (
            [*ordered(A), *chain(StepStarted("a", 1, "task-x"))],
            ["wrong_task_of_step", "step_without_task"],
        ),
        ([*ordered(A), *begun("a")[1:]], ["task_without_step"]),
        ([*ordered(A), *begun("a", prompt="other")], ["template_changed"]),
        ([*ordered(A), *begun("a", uses="steps.x.output")], ["template_changed"]),
        ([*ONE, *failed("a")[:1]], ["step_differs"]),
        ([*ONE, *failed("a")[1:]], ["step_differs"]),
        ([*ONE, *failed("a")[:1], *cancelled("a")[1:]], ["step_differs"]),
        ([*ONE, *failed("a")[:1], *chain(StepCompleted("a", 1, Text(), (), 0, 0))], ["step_differs"]),
        # what a fork reuses
        ([*PAST, *forked(A, B), *again("a"), *begun("b", chain_id=FORK), *failed("b", chain_id=FORK)], []),
        ([*PAST, *ordered(A, B, chain_id=FORK), *again("a")], ["step_out_of_turn"]),
        (again("a"), ["unknown_chain"]),
        ([*PAST, *forked(A, B), *again("x")], ["step_out_of_turn"]),
        ([*PAST, *forked(A, B), *again("a"), *again("a")], ["step_out_of_turn"]),
        ([*PAST, *forked(A, B), *begun("a", chain_id=FORK), *again("a")], ["step_out_of_turn"]),
        (
            [*PAST, *forked(A, B), *begun("a", chain_id=FORK), *failed("a", chain_id=FORK), *again("b")],
            ["step_out_of_turn"],
        ),
        ([*PAST, *forked(A, B), *again("b")], ["reused_before_needs"]),
        ([*PAST, *forked(A, B), *again("a", status="completed")], ["reuse_differs"]),
        ([*PAST, *forked(A, B), *again("a", output="else")], ["reuse_differs"]),
        ([*PAST, *forked(A, B), *again("a", task_id=task_of("b"))], ["reuse_differs"]),
        (
            [*PAST, *forked(A, B), *again("a"), *begun("a", chain_id=FORK)],
            ["step_out_of_turn", "task_without_step"],
        ),
        (
            [
                *PAST,
                *forked(A, B),
                *again("a", session="s"),
                *begun("b", chain_id=FORK),
                *task(SessionOpened(1, "s", "slot", "/"), task_id=task_of("b", chain_id=FORK)),
            ],
            ["wrong_move", "conversation_not_spared"],
        ),
        (
            [
                *PAST,
                *forked(A, B),
                *again("a", session="s"),
                *begun("b", chain_id=FORK),
                *task(SessionOpened(1, "s2", "fork", "/", "s"), task_id=task_of("b", chain_id=FORK)),
            ],
            ["wrong_move"],
        ),
        # copies
        ([*COPIED, *failed("a"), *chain(StepsEnded()), *work_kept(), *chain(ChainCompleted())], []),
        ([*ordered(A, isolation="worktree"), *begun("a")], ["one_step_a_copy"]),
        (
            [*ordered(A, step("b"), isolation="worktree"), *copied(), *begun("a"), *begun("b")],
            ["one_step_a_copy"],
        ),
        ([*COPIED, *copied()], ["one_step_a_copy"]),
        ([*COPIED, *housed(path="/copies/z")], ["shared_directory"]),
        ([*COPIED, *failed("a"), *chain(ChainCompleted())], ["work_not_kept"]),
        ([*COPIED, *failed("a"), *work_kept()], ["wrong_end"]),
        (
            [*COPIED, *failed("a"), *STOPS, *chain(StepsEnded()), *work_kept("main")],
            ["merged_in_vain"],
        ),
        (
            [
                *COPIED,
                *failed("a"),
                *chain(EndingBegun("skip_rest"), StepsEnded()),
                *work_kept("main"),
                *chain(ChainCompleted()),
            ],
            [],
        ),
        # ends
        ([*ONE, *chain(ChainCompleted())], ["wrong_end"]),
        ([*COPIED, *chain(StepsEnded())], ["wrong_end"]),
        ([*ordered(A, B), *begun("a"), *failed("a"), *chain(ChainCompleted())], ["wrong_end"]),
        ([*ONE, *failed("a"), *STOPS, *chain(ChainCompleted())], ["wrong_end"]),
        ([*ONE, *cancelled("a"), *chain(ChainCancelled())], ["wrong_end"]),
        ([*ONE, *cancelled("a"), *chain(EndingBegun("cancelled"), ChainCancelled())], []),
    ],
)
def test_what_holds_for_chains(facts: list[At], wanted: list[str]) -> None:
    assert codes(*OPENED, *facts) == wanted
