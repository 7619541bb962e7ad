"""A review on the real CLI: what the model is shown after its results were rejected."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import open_pool

from tests.support.commands import a_shell
from tests.support.past import facts
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until_sync

PROMPT = "[[model]] Say which model you are."
FEEDBACK = ("name the vendor too", "and be polite")


async def reviewed(folder: Path, api: ScriptedApi) -> tuple[dict[str, Any], list[str]]:
    """The end of a task whose result is rejected twice, then approved; and its results in order."""
    (folder / "work").mkdir()
    async with open_pool(
        slots=1,
        model="haiku",
        state_dir=str(folder / "state"),
        working_dir=str(folder / "work"),
        claude=str(bundled_cli()),
        environ=cli_environment(folder / "home", api.url),
    ) as pool:
        task_id = await pool.submit(TaskRequest(PROMPT, review=3))
        outputs = [await result(pool, task_id)]
        for feedback in FEEDBACK:
            assert (await pool.reject(task_id, feedback))["state"] in ("pending", "running")
            outputs.append(await result(pool, task_id))
        return await pool.approve(task_id), outputs


async def result(pool: Application, task_id: str) -> str:
    """What waits for a verdict."""
    await pool.waiting.finished([task_id], 30)
    view = await pool.view(task_id)
    assert view["state"] == "pending_review", view
    return str(view["output"])


@pytest.mark.real
def test_the_third_attempt_is_shown_both_results_and_what_was_said_of_them(tmp_path: Path) -> None:
    with running_api() as api:
        view, outputs = asyncio.run(reviewed(tmp_path, api))
        prompts = [call.prompt for call in api.calls if PROMPT in call.prompt]

    assert (view["state"], view["attempts"], len(prompts)) == ("completed", 3, 3)
    assert [each["feedback"] for each in view["rejections"]] == list(FEEDBACK)
    assert view["cost_microdollars"] > 0
    for number, (output, feedback) in enumerate(zip(outputs, FEEDBACK, strict=False), 1):
        assert f'<rejected-result number="{number}">\n{output}\n</rejected-result>' in prompts[2]
        assert f'<feedback number="{number}">\n{feedback}\n</feedback>' in prompts[2]
    assert FEEDBACK[1] not in prompts[1]


def test_a_script_is_told_that_a_result_waits_for_a_verdict(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        ended = shell.raw("run", "--review", "[[reply: a draft]] write")

        assert (ended.returncode, ended.stdout) == (7, "a draft\n")
        task_id = ended.stderr.split()[0]
        assert ended.stderr == f"{task_id} is pending_review: review\n"
        assert shell.run("reject", task_id, "-", stdin="too short") == f"{task_id} pending\n"
        shell.run("wait", task_id, code=7)
        assert shell.run("approve", task_id) == f"{task_id} completed\n"
        assert shell.json("status")["pending_review_tasks"] == 0


def test_the_owner_does_not_stay_for_a_verdict(tmp_path: Path) -> None:
    with a_shell(tmp_path, CLAUDE_POOL_IDLE_EXIT="0.2") as shell:
        task_id = shell.raw("run", "--review=1", "[[reply: a draft]] write").stderr.split()[0]

        owner = Path(f"/proc/{(shell.state / 'owner.lock').read_text().strip()}")
        until_sync(lambda: not owner.exists())
        assert shell.json("task", task_id)["state"] == "pending_review"
        rejected = shell.json("reject", task_id, "no")
        assert (rejected["state"], rejected["error"]["code"]) == ("failed", "review_rejected")


def test_a_question_is_answered_from_another_shell(tmp_path: Path) -> None:
    with a_shell(tmp_path, CLAUDE_POOL_PERMISSION_MODE="default") as shell:
        words = '[[tool: Bash {"command": "touch made && echo done"}]] [[result]] do it'
        task_id = shell.run("submit", words).strip()
        until_sync(lambda: facts(shell, "question.asked") > 0)
        (question,) = shell.json("questions")

        assert question["text"] == "May it use Bash: touch made && echo done"
        assert shell.run("answer", question["question_id"], "allow").startswith(task_id)
        shell.run("wait", task_id)

        assert shell.json("task", task_id)["output"] == "done"
        assert (shell.folder / "made").exists()
        assert "[wrong_state]" in shell.run("answer", question["question_id"], "deny", code=1)
        shell.run("replay", "--check")


def test_questions_are_denied_at_once_where_the_pool_says_so(tmp_path: Path) -> None:
    with a_shell(tmp_path, CLAUDE_POOL_PERMISSION_MODE="default", CLAUDE_POOL_QUESTION_SECONDS="0") as shell:
        task = shell.json("run", '[[tool: Bash {"command": "touch made"}]] [[reply: went on]] do it')

        assert (task["output"], task["permission_denials"][0]["tool"]) == ("went on", "Bash")
