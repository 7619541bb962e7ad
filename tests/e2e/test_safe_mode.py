"""After three starts that came to nothing the pool can be read and mended, and does nothing."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from claude_pool.adapters.owner.starts import DIED

from tests.support.commands import a_shell
from tests.support.past import facts
from tests.support.relays import refusal, relay, relay_process, view
from tests.support.stand_in import gone, until


def broken(state: Path, problem: str = "it fell over") -> None:
    """The record of three starts of late that came to nothing."""
    now = int(time.time() * 1000)
    rows = [[now - age, 1, problem] for age in (3000, 2000, 1000)]
    (state / "owner.starts").write_text(json.dumps(rows))


def test_it_reads_refuses_changes_says_why_and_a_resume_ends_it(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        task_id = shell.run("submit", "[[reply: one]]").strip()
        shell.run("wait", task_id)
        shell.run("stop")
        broken(shell.state)
        started = facts(shell, "pool.owner_started")

        refused = shell.run("submit", "two", code=1)
        status = shell.json("status")
        doctor = shell.run("doctor", code=1)

        assert "[wrong_state] The pool is in safe mode" in refused and "it fell over" in refused
        assert "it fell over" in status["safe_mode"] and status["completed_tasks"] == 1
        assert "safe mode" in doctor
        assert shell.json("task", task_id)["output"] == "one"
        assert facts(shell, "pool.owner_started") == started

        shell.run("resume")

        assert shell.run("run", "[[reply: three]]").strip() == "three"
        assert "safe_mode" not in shell.json("status")


def test_a_coordinator_ends_it_by_pool_resume(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        shell.run("submit", "[[reply: one]]")
        shell.run("stop", "--now")
        broken(shell.state)
        with relay(shell) as coordinator:
            assert "safe mode" in view(coordinator.call("pool_status"))["safe_mode"]
            assert refusal(coordinator.call("pool_run", prompt="two")).startswith("[wrong_state] ")
            safe = int((shell.state / "owner.lock").read_text())
            assert "safe_mode" in view(coordinator.call("pool_resume"))
            until(lambda: gone(safe), "the end of safe mode")
            assert view(coordinator.call("pool_run", prompt="[[reply: two]]"))["output"] == "two"


def test_owners_that_die_young_lead_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    record = state / "owner.starts"
    with a_shell(tmp_path, CLAUDE_POOL_STATE_DIR=str(state)) as shell:
        with relay_process(shell) as first:
            until(record.exists, "the start")
            first.kill()
        owner = int((state / "owner.lock").read_text())
        os.kill(owner, signal.SIGKILL)
        until(lambda: gone(owner), "its end")
        ((_, pid, problem),) = json.loads(record.read_text())
        assert (pid, problem) == (owner, DIED)

        broken(state, problem)

        assert DIED in shell.run("submit", "[[hang]]", code=1)
        shell.run("stop")


def test_a_log_that_cannot_be_opened_says_so_in_safe_mode_too(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        shell.run("submit", "[[reply: one]]")
        shell.run("stop", "--now")
        broken(shell.state)
        log = shell.state / "log.sqlite"
        whole = log.read_bytes()
        log.write_bytes(b"not a log at all" * 400)
        assert "[store_unreadable] " in shell.run("submit", "two", code=3)
        log.write_bytes(whole)
