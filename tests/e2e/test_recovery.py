"""What an owner's death leaves, and what the next owner makes of it."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import Shell, a_shell
from tests.support.waiting import until_sync


def until_state(shell: Shell, task_id: str, state: str) -> None:
    """Wait until a task is in a state."""
    until_sync(lambda: shell.json("task", task_id)["state"] == state)


def test_a_crash_seals_what_ran_and_what_waited_runs_under_the_next_owner(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        long = "[[slow: 100ms x 600]] [[usage: input=1000 output=600]] long"
        running = shell.run("submit", long, "--on-interrupt", "ask").strip()
        waiting = shell.run("submit", "[[reply: done]] short").strip()
        until_state(shell, running, "running")
        until_sync(lambda: b"content_block_delta" in transcript(shell, running))

        shell.kill_owner()

        assert shell.json("task", waiting)["state"] == "pending"
        shell.run("wait", waiting)
        sealed = shell.json("task", running)
        assert (sealed["state"], sealed["success"], sealed["error"]["code"]) == (
            "sealed",
            None,
            "interrupted",
        )
        assert sealed["cost_microdollars"] > 0
        assert sealed["cost_estimated"]
        assert shell.json("task", waiting)["output"] == "done"


def test_cancelling_a_sealed_task_settles_it(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        task_id = shell.run("submit", "[[hang]] forever", "--on-interrupt", "ask").strip()
        until_state(shell, task_id, "running")
        shell.kill_owner()
        shell.run("submit", "[[reply: next]] another")  # the next owner recovers

        shell.run("cancel", task_id)

        assert shell.json("task", task_id)["state"] == "cancelled"
        assert shell.json("status")["sealed_tasks"] == 0


def test_a_crash_after_a_recorded_cancel_leaves_the_task_cancelled(tmp_path: Path) -> None:
    with a_shell(tmp_path, persona="noterm") as shell:
        task_id = shell.run("submit", "[[hang]] forever").strip()
        until_state(shell, task_id, "running")
        shell.run("cancel", task_id, code=None)
        shell.kill_owner()

        shell.run("submit", "[[reply: next]] another")

        assert shell.json("task", task_id)["state"] == "cancelled"


def test_the_log_of_a_crashed_owner_adds_up(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        task_id = shell.run("submit", "[[hang]] forever").strip()
        until_state(shell, task_id, "running")
        shell.kill_owner()

        shell.run("replay", "--check")


def transcript(shell: Shell, task_id: str) -> bytes:
    """What the slot has printed for a task so far."""
    path = shell.state / "transcripts" / f"{task_id}.1.jsonl"
    return path.read_bytes() if path.exists() else b""
