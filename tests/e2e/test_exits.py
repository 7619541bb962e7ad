"""How an owner ends by a signal: drained by choice, bounded, and on record."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from claude_pool.adapters.config.settings import settle
from claude_pool.adapters.handover import OWNER_COMMAND

from tests.support.commands import Shell, a_shell
from tests.support.owners import processes_under
from tests.support.past import facts, reading, state_of
from tests.support.relays import relay, view
from tests.support.stand_in import PATIENCE, until

AT_ONCE_SECONDS = 4.0
"""Far above what an end takes here, far below any wait that it could be mistaken for."""

IDLE_END_SECONDS = 1.0
"""An owner with nothing to do takes no longer from the signal to its exit."""

TRIALS = 3
"""So often the end is tried: other work on the machine may make one of them late."""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with a_shell(tmp_path) as made:
        yield made


@contextmanager
def an_owner(shell: Shell, **options: object) -> Generator[subprocess.Popen[bytes]]:
    """An owner that is our own child, so that its exit code is seen; it answers when this begins."""
    settings = settle(options, shell.environment, str(shell.folder))
    document = json.dumps(settings.document()).encode()
    Path(settings.places.state_dir).mkdir(parents=True, mode=0o700)
    command = OWNER_COMMAND
    with subprocess.Popen(
        command, cwd="/", env=shell.environment, stdin=subprocess.PIPE, start_new_session=True
    ) as owner:
        assert owner.stdin
        owner.stdin.write(document)
        owner.stdin.close()
        try:
            until(lambda: Path(settings.places.address).exists(), "the owner")
            yield owner
        finally:
            owner.kill()


def idle(shell: Shell) -> int:
    with reading(shell) as log:
        return int(log.status()["idle_slots"])


def running(shell: Shell, prompt: str = "[[hang]]") -> str:
    task_id = shell.run("submit", prompt).strip()
    until(lambda: state_of(shell, task_id) == "running", "the attempt")
    return task_id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_owner_ends_within_a_second_with_0_and_says_so_in_the_log(
    shell: Shell, number: signal.Signals
) -> None:
    took: list[float] = []
    while len(took) < TRIALS and min(took, default=AT_ONCE_SECONDS) > IDLE_END_SECONDS:
        with an_owner(shell) as owner:
            shell.run("wait", "--timeout", "0", code=None)  # by then it has loaded all that it needs
            until(lambda: idle(shell) == 1, "the slot")
            owner.send_signal(signal.SIGHUP)
            began = time.monotonic()
            owner.send_signal(number)

            assert owner.wait(PATIENCE) == 0

            took.append(time.monotonic() - began)
        with reading(shell) as log:
            assert [each.event.NAME for each in log.events()][-1] == "pool.owner_stopped"
    assert min(took) <= IDLE_END_SECONDS
    assert max(took) < AT_ONCE_SECONDS


def test_without_a_drain_what_runs_is_interrupted_and_what_waits_stays(shell: Shell) -> None:
    with an_owner(shell) as owner:
        task_id = running(shell)
        waiting = shell.run("submit", "[[reply: later]]").strip()
        owner.send_signal(signal.SIGTERM)
        assert owner.wait(PATIENCE) == 0
    assert (state_of(shell, task_id), state_of(shell, waiting)) == ("sealed", "pending")
    assert facts(shell, "pool.owner_stopped") == 1


def test_a_drain_lets_what_runs_end(shell: Shell) -> None:
    with an_owner(shell, drain_seconds="60") as owner:
        with relay(shell) as coordinator:
            prompts = ("[[slow: 100ms x 40]] [[reply: whole]]", "[[reply: later]]")
            asked = [view(coordinator.call("pool_submit", prompt=prompt)) for prompt in prompts]
            task_id, waiting = (each["task_id"] for each in asked)
            until(lambda: state_of(shell, task_id) == "running", "the attempt")
            owner.send_signal(signal.SIGTERM)
            assert owner.wait(PATIENCE) == 0
    assert (state_of(shell, task_id), state_of(shell, waiting)) == ("completed", "pending")


def test_a_drain_ends_with_its_time(shell: Shell) -> None:
    with an_owner(shell, drain_seconds="0.3") as owner:
        task_id = running(shell)
        owner.send_signal(signal.SIGTERM)
        assert owner.wait(PATIENCE) == 0
    assert state_of(shell, task_id) == "sealed"


def test_a_second_signal_skips_the_drain_and_a_third_ends_it_at_once(tmp_path: Path) -> None:
    with a_shell(tmp_path, persona="noterm") as shell, an_owner(shell, drain_seconds="600") as owner:
        task_id = running(shell)
        owner.send_signal(signal.SIGTERM)
        until(lambda: facts(shell, "pool.owner_stopping") == 1, "the drain")
        assert state_of(shell, task_id) == "running"
        owner.send_signal(signal.SIGTERM)
        until(lambda: facts(shell, "pool.owner_stopping") == 2, "the end of the drain")
        owner.send_signal(signal.SIGINT)
        assert owner.wait(PATIENCE) in (128 + signal.SIGINT, 0)
        until(lambda: not processes_under(tmp_path), "nothing")


def test_a_slot_that_will_not_go_keeps_the_owner_no_longer_than_10_s(tmp_path: Path) -> None:
    with a_shell(tmp_path, persona="noterm") as shell, an_owner(shell) as owner:
        task_id = running(shell)
        began = time.monotonic()
        owner.send_signal(signal.SIGTERM)
        owner.wait(PATIENCE)
        assert time.monotonic() - began <= 10.5
        assert not processes_under(tmp_path)
        assert state_of(shell, task_id) in ("sealed", "running")


def test_an_embedded_owner_that_is_given_half_a_second_loses_nothing(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell, relay(shell, "--embedded") as coordinator:
        task_id = view(coordinator.call("pool_submit", prompt="[[hang]]"))["task_id"]
        waiting = view(coordinator.call("pool_submit", prompt="[[reply: later]]"))["task_id"]
        until(lambda: state_of(shell, task_id) == "running", "it")

        # What the CLI does with its servers: the end of input, SIGINT, SIGTERM, and SIGKILL after 0.5 s.
        owner = coordinator.process
        coordinator.end_input()
        owner.send_signal(signal.SIGINT)
        owner.send_signal(signal.SIGTERM)
        try:
            owner.wait(0.5)
        except subprocess.TimeoutExpired:
            owner.kill()
            owner.wait()
        ended = time.monotonic()
        until(lambda: not processes_under(tmp_path), "nothing")
        assert time.monotonic() - ended < AT_ONCE_SECONDS

        assert state_of(shell, waiting) == "pending"
        assert state_of(shell, task_id) in ("sealed", "running")
        shell.run("replay", "--check")
