"""What callers are told of an owner that is not like them, or does not answer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool.adapters import calling
from claude_pool.adapters.calling import Unavailable, connect, greeting
from claude_pool.adapters.locking import owner_lock, takes_callers
from claude_pool.adapters.places import prepare
from claude_pool.domain.errors import StoreInUse

from tests.support.stand_in import PATIENCE, Bench, Coordinator, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def served(bench: Bench) -> Coordinator:
    coordinator = Coordinator(bench.claude_pool("serve"))
    coordinator.call("echo")
    return coordinator


def test_an_owner_of_another_version_is_told_of_by_relay_and_shell(bench: Bench) -> None:
    bench.script(version="9.9.9", results={"pool_submit": [{"task_id": "task-a"}]})
    coordinator = served(bench)
    coordinator.end_input()
    assert coordinator.process.wait(PATIENCE) == 0
    assert coordinator.process.stderr is not None
    told = coordinator.process.stderr.read().decode()
    coordinator.close()
    submitted = bench.run("submit", "hello")

    for said in (told, submitted.stderr):
        assert said.startswith(
            f"[config_conflict] The pool's owner (pid {bench.pids()[0]}) is claude-pool 9.9.9"
        )
        assert f"this is {calling.VERSION}" in said and "`claude-pool stop`" in said
    assert submitted.returncode == 0


def test_an_owner_of_a_later_protocol_is_explained(bench: Bench) -> None:
    bench.script(refuse={"claude_pool": 2, "version": "3.0.0", "hello": {}})

    refused = bench.run("submit", "hello")

    assert refused.returncode == 3
    assert "[config_conflict] The pool's owner (pid " in refused.stderr
    assert "is claude-pool 3.0.0 and greets by protocol 2" in refused.stderr


def test_an_owner_that_says_nothing_is_given_up_by_name(bench: Bench) -> None:
    bench.script(refuse="hang")
    with bench.claude_pool("submit", "hello") as first:
        try:
            until(lambda: os.path.exists(bench.places.socket), "the owner")
            began, pid = time.monotonic(), bench.pids()[0]
            with pytest.raises(Unavailable, match=rf"owner \(pid {pid}\) did not answer within 1 sec"):
                connect(bench.places, greeting("shell"), 1.0)
            assert time.monotonic() - began < 3
        finally:
            first.kill()


def test_an_owner_that_is_stopped_is_named_and_one_that_goes_on_answers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "STOPPED_SECONDS", 0.6)
    monkeypatch.setattr(calling, "_LOOK_SECONDS", 0.1)
    coordinator = served(bench)
    os.kill(bench.pids()[0], signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match=rf"`kill -CONT {bench.pids()[0]}`"):
            connect(bench.places, greeting("shell"), PATIENCE)
    finally:
        os.kill(bench.pids()[0], signal.SIGCONT)

    link = connect(bench.places, greeting("shell"), PATIENCE)
    assert link is not None
    link.socket.close()
    coordinator.close()


def test_the_lock_holds_also_when_its_file_is_removed(bench: Bench) -> None:
    prepare(bench.places)
    with owner_lock(bench.places):
        os.unlink(bench.places.lock)
        with pytest.raises(StoreInUse), owner_lock(bench.places):
            pass
    with owner_lock(bench.places, callers=False):
        assert not takes_callers(bench.places)
    with owner_lock(bench.places):
        assert takes_callers(bench.places)


def test_a_program_that_holds_the_pool_and_takes_no_callers_is_named_at_once(bench: Bench) -> None:
    prepare(bench.places)
    began = time.monotonic()
    with owner_lock(bench.places, callers=False):
        refused = bench.run("submit", "hello")

    assert (refused.returncode, time.monotonic() - began < 15) == (3, True)
    assert "[store_in_use] " in refused.stderr
