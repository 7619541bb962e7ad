"""What becomes of the work of a coordinator whose relay is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Shell, a_shell
from tests.support.past import facts, state_of
from tests.support.relays import relay, view
from tests.support.stand_in import until

_CHAIN = [{"name": "a", "prompt": "[[hang]] a"}, {"name": "b", "prompt": "b", "needs": ["a"]}]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with a_shell(tmp_path, CLAUDE_POOL_SLOTS="2") as made:
        yield made


def test_by_default_the_work_goes_on_and_its_result_waits(shell: Shell) -> None:
    with relay(shell) as coordinator:
        running = view(coordinator.call("pool_submit", prompt="[[slow: 20ms x 20]] [[reply: done]]"))
        coordinator.process.kill()
        coordinator.process.wait()

    shell.run("wait", running["task_id"])

    assert state_of(shell, running["task_id"]) == "completed"


def test_with_stop_its_unfinished_work_is_cancelled_with_the_reason_and_others_is_not(shell: Shell) -> None:
    with relay(shell) as other, relay(shell, "--on-disconnect", "stop") as coordinator:
        theirs = view(other.call("pool_submit", prompt="[[hang]] theirs"))["task_id"]
        until(lambda: state_of(shell, theirs) == "running", "their task")
        done = view(coordinator.call("pool_run", prompt="[[reply: ended before]]"))["task_id"]
        chain = view(coordinator.call("pool_submit_chain", steps=_CHAIN))["chain_id"]
        running = next(s for s in shell.json("chain", "show", chain)["steps"] if s["name"] == "a")["task_id"]
        until(lambda: state_of(shell, running) == "running", "the chain's first step")
        waiting = view(coordinator.call("pool_submit", prompt="[[reply: never]]"))["task_id"]

        coordinator.process.kill()
        coordinator.process.wait()

        until(lambda: facts(shell, "chain.cancelled") == 1, "the end of the chain")
        assert [state_of(shell, each) for each in (waiting, running)] == ["cancelled", "cancelled"]
        assert (state_of(shell, done), state_of(shell, theirs)) == ("completed", "running")
        steps = {s["name"]: s["state"] for s in shell.json("chain", "show", chain)["steps"]}
        assert steps == {"a": "cancelled", "b": "skipped"}
        for subject in (chain, waiting, running):
            assert "its coordinator went away" in shell.run("why", subject)
        ends = shell.run("replay", "--json", "--type", "task.cancelled").splitlines()
        whys = {each["stream"]: each["data"]["why"] for each in map(json.loads, ends)}
        assert whys[waiting] == "its coordinator went away (on_disconnect = stop)"


def test_the_end_of_its_input_counts_as_going_away_too(shell: Shell) -> None:
    shell.environment["CLAUDE_POOL_ON_DISCONNECT"] = "stop"
    with relay(shell) as coordinator:
        task_id = view(coordinator.call("pool_submit", prompt="[[hang]]"))["task_id"]
        coordinator.end_input()
        until(lambda: state_of(shell, task_id) == "cancelled", "the cancel")
    task_id = shell.run("submit", "[[slow: 20ms x 10]] [[reply: of a shell]]").strip()
    shell.run("wait", task_id)
    assert state_of(shell, task_id) == "completed"
