"""A whole pool at work, of whose processes one dies: what is left of it, and what its log says afterwards.

`CLAUDE_POOL_TEST_TRIALS` sets how often an owner of real CLIs is killed with `--long`.
"""

from __future__ import annotations

import os

import pytest
from claude_pool.domain import task
from claude_pool.domain.chain_events import WorkKept
from claude_pool.domain.invariants import check
from claude_pool.domain.task_events import TaskCompleted, TaskFailed

from tests.faults.deaths import (
    BOTH,
    CLI,
    GONE_SECONDS,
    KEEPER,
    OWNER,
    Scene,
    ask,
    at_work,
    bash,
    kill,
    relay,
)

TRIALS = int(os.environ.get("CLAUDE_POOL_TEST_TRIALS", "5"))


def states(scene: Scene) -> list[str]:
    """The states of the three tasks that are at work, in the order of their submission."""
    folded: dict[str, task.Task] = {}
    for each in scene.log():
        if each.stream.startswith("task-"):
            folded[each.stream] = task.evolve(folded.get(each.stream, task.ABSENT), each.event)  # type: ignore[arg-type]
    return [type(state).__name__.lower() for state in list(folded.values())[:3]]


def recover(scene: Scene) -> None:
    """Start the next owner."""
    scene.shell.run("resume")


def holds(scene: Scene) -> None:
    """The log is whole, and nobody touched the user's repository."""
    assert check([(e.position, e.stream, e.version, e.event) for e in scene.log()]) == ()
    assert scene.there.git("status", "--porcelain") == ""
    assert scene.there.git("branch", "--show-current") == "main"


def an_owner_dies(real: bool) -> None:
    """Kill an owner, look at once, after a second, and under the next owner."""
    with at_work(real) as scene:
        after = kill(scene, OWNER)
        assert after.seconds is not None and after.seconds <= GONE_SECONDS
        assert after.late_calls == 0
        assert states(scene) == ["running"] * 3, "nobody has looked yet"
        recover(scene)
        assert states(scene) == ["sealed"] * 3
        scene.shell.run("cancel", scene.chain)
        scene.wait_for("chain.cancelled", scene.chain)
        kept = scene.wait_for("chain.work_kept", scene.chain)
        assert isinstance(kept, WorkKept) and kept.branch is not None
        assert scene.there.show(kept.branch, "work.txt") == "work"
        holds(scene)


def test_of_a_killed_owner_nothing_runs_and_nothing_calls_a_second_later() -> None:
    an_owner_dies(real=False)


@pytest.mark.real
@pytest.mark.cli
@pytest.mark.slow
@pytest.mark.parametrize("trial", range(TRIALS))
def test_of_a_killed_owner_of_real_slots_nothing_runs_and_nothing_calls_a_second_later(trial: int) -> None:
    assert trial >= 0
    an_owner_dies(real=True)


@pytest.mark.parametrize("victim", [KEEPER, pytest.param(CLI, marks=pytest.mark.slow)])
def test_a_slot_that_loses_its_keeper_or_cli_fails_its_task_alone(victim: str) -> None:
    one_slot_dies(victim, real=False)


@pytest.mark.real
@pytest.mark.cli
@pytest.mark.slow
@pytest.mark.parametrize("victim", [KEEPER, CLI])
def test_a_real_slot_that_loses_its_keeper_or_cli_fails_its_task_alone(victim: str) -> None:
    one_slot_dies(victim, real=True)


def one_slot_dies(victim: str, real: bool) -> None:
    """Kill one slot's keeper or CLI: its task ends, its tree goes, and the others do not notice."""
    with at_work(real) as scene:
        others = {scene.slot_of(scene.spender): scene.cli(scene.slot_of(scene.spender))}
        after = kill(scene, victim)
        assert after.seconds is not None and after.seconds <= GONE_SECONDS
        failed = scene.wait_for("task.failed", scene.daemons)
        assert isinstance(failed, TaskFailed) and failed.code == "slot_failed"
        assert states(scene) == ["failed", "running", "running"]
        assert {slot: scene.cli(slot) for slot in others} == others
        holds(scene)


def test_what_an_owner_and_a_keeper_leave_together_is_swept_at_the_next_start() -> None:
    an_owner_and_a_keeper_die(real=False)


@pytest.mark.real
@pytest.mark.cli
@pytest.mark.slow
def test_what_an_owner_and_a_keeper_of_real_slots_leave_is_swept_at_the_next_start() -> None:
    an_owner_and_a_keeper_die(real=True)


def an_owner_and_a_keeper_die(real: bool) -> None:
    """Without its keeper a daemon lives on, but it calls nothing, and the next owner ends it."""
    with at_work(real) as scene:
        slot = scene.slot_of(scene.daemons)
        after = kill(scene, BOTH)
        assert after.late_calls == 0
        left = scene.processes()
        assert {each.cookie for each in left} <= {f"{scene.pool}{slot}.{n}" for n in range(1, 5)}
        recover(scene)
        assert not {each.pid for each in left} & {each.pid for each in scene.processes()}
        assert states(scene) == ["sealed"] * 3
        holds(scene)


def test_of_a_killed_relay_the_accepted_work_goes_on() -> None:
    with at_work(real=False) as scene:
        owner = scene.owner()
        with relay(scene.shell) as process:
            given = {"prompt": bash("echo hi") + " [[reply: here]]", "idempotency_key": "relay"}
            answer = ask(process, "tools/call", {"name": "pool_submit", "arguments": given})
            task_id = answer["structuredContent"]["task_id"]
            process.kill()
            process.wait()
        scene.shell.run("cancel", scene.daemons)
        assert isinstance(scene.wait_for("task.completed", task_id), TaskCompleted)
        assert scene.owner() == owner
        assert states(scene) == ["cancelled", "running", "running"]
        holds(scene)
