"""Processes by identity, and the sweep by cookie."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from claude_pool.adapters.claude import tree
from claude_pool.adapters.claude.environment import COOKIE
from claude_pool.adapters.claude.tree import Identity

from tests.support.waiting import until_sync


@pytest.fixture
def pool() -> str:
    """The name of a pool that nothing else uses."""
    return f"test-{uuid4()}"


@pytest.fixture
def sleeper(pool: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that carries the cookie of a slot of `pool`."""
    environment = {COOKIE: f"{pool}.slot-0.1", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(["sleep", "600"], env=environment, start_new_session=True) as process:
        # a program that is just being executed has no environment for a moment
        until_sync(lambda: tree.identify(process.pid) is not None)
        yield process
        process.kill()


def test_a_process_is_identified_by_pid_start_and_cookie(pool: str, sleeper: subprocess.Popen[bytes]) -> None:
    identity = tree.identify(sleeper.pid)
    assert identity is not None
    assert (identity.pid, identity.cookie) == (sleeper.pid, f"{pool}.slot-0.1")
    assert tree.alive(identity)


def test_a_reused_pid_is_another_process(pool: str, sleeper: subprocess.Popen[bytes]) -> None:
    identity = tree.identify(sleeper.pid)
    assert identity is not None
    assert not tree.alive(Identity(identity.pid, identity.start - 1, identity.cookie))
    assert not tree.alive(Identity(identity.pid, identity.start, f"{pool}.slot-1.1"))


def test_a_process_without_a_cookie_has_no_identity() -> None:
    with subprocess.Popen(["sleep", "600"], env={"PATH": "/usr/bin:/bin"}) as process:
        assert tree.identify(process.pid) is None
        process.kill()


def test_a_dead_process_is_not_alive_even_before_it_is_reaped(sleeper: subprocess.Popen[bytes]) -> None:
    identity = tree.identify(sleeper.pid)
    assert identity is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not tree.alive(identity)


def test_a_sweep_ends_the_pools_processes_and_no_others(pool: str, sleeper: subprocess.Popen[bytes]) -> None:
    environment = {COOKIE: f"{pool}-other.slot-0.1", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(["sleep", "600"], env=environment) as stranger:
        assert tree.sweep(f"{pool}.") == 1
        assert sleeper.wait(10) == -9
        assert tree.find(f"{pool}.") == ()
        assert stranger.poll() is None
        stranger.kill()


def test_a_sweep_where_nothing_is_left_kills_nothing(pool: str) -> None:
    assert tree.sweep(f"{pool}.") == 0


def test_a_sweep_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        tree.sweep("")


def test_resident_memory_is_of_that_very_process(sleeper: subprocess.Popen[bytes]) -> None:
    identity = tree.identify(os.getpid()) or Identity(os.getpid(), _start(os.getpid()), "")
    assert tree.resident_mb(os.getpid(), identity.start) > 5
    assert tree.resident_mb(os.getpid(), identity.start + 1) == 0
    assert tree.resident_mb(sleeper.pid, 0) == 0


def _start(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
