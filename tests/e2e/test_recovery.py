"""What an owner's death leaves, and what the next owner makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.commands import Shell, a_shell
from tests.support.past import until_state
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until_sync

CUT_OFF = "Your work on the task below was cut off."


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


@pytest.mark.real
def test_a_conversation_of_the_real_cli_is_taken_up_once_after_its_owner_was_killed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running_api() as api:
        environment = cli_environment(tmp_path / "home", api.url)
        with a_shell(tmp_path, environment=environment, CLAUDE_POOL_CLAUDE=str(bundled_cli())) as shell:
            task_id = shell.run("submit", f"[[until: {gate}]] [[reply: done]] work").strip()
            until_sync(lambda: b"content_block_delta" in transcript(shell, task_id), 60)

            shell.kill_owner()
            gate.touch()
            shell.run("wait", task_id)

            view = shell.json("task", task_id)
            assert (view["state"], view["output"], view["attempts"]) == ("completed", "done", 2)
            status = shell.json("status")
            assert status["spent_microdollars"] == view["cost_microdollars"] > 0
            assert status["reserved_microdollars"] == 0
            assert "its on_interrupt decided: resume" in shell.run("why", task_id)
            shell.run("replay", "--check")
    prompts = [call.prompt for call in api.calls if "work" in call.prompt]
    assert [CUT_OFF in prompt for prompt in prompts] == [False, True], "it ran once more, and was told so"
