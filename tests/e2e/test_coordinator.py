"""The main job: a real Claude Code CLI as coordinator, real CLI slots behind it, and the log read back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from claude_pool.adapters.demo.directives import Step, ToolCall
from claude_pool.adapters.demo.script import Script
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api

from tests.support.owners import processes_under, stopped_owners
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until_sync

POOL = Path(sys.executable).with_name("claude-pool")
PROMPTS = [
    "[[reply: 4]] two and two",
    "[[reply: Paris]] capital of France",
    "[[reply: blue]] colour of the sky",
]


def coordinate(
    folder: Path, environment: dict[str, str], prompt: str, *pool_flags: str
) -> list[dict[str, Any]]:
    """Run the real CLI once with the pool among its MCP servers; the lines it printed."""
    serve = [
        "serve",
        "--slots=3",
        "--model=haiku",
        f"--claude={bundled_cli()}",
        "--idle-exit=20",
        *pool_flags,
    ]
    servers = {"mcpServers": {"pool": {"command": str(POOL), "args": serve, "alwaysLoad": True}}}
    command = [
        str(bundled_cli()),
        "-p",
        "--output-format=stream-json",
        "--verbose",
        "--model=haiku",
        "--setting-sources=",
        "--strict-mcp-config",
        f"--mcp-config={json.dumps(servers)}",
        "--allowedTools=mcp__pool",
    ]
    ran = subprocess.run(
        command,
        input=prompt,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout[-2000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]


def tool_results(lines: list[dict[str, Any]]) -> list[Any]:
    """What the coordinator's tools answered."""
    return [
        line["tool_use_result"] for line in lines if line.get("type") == "user" and "tool_use_result" in line
    ]


def pool(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(
        [str(POOL), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def api() -> Any:
    """A scripted API whose coordinator fans out."""
    script = Script()
    script.when(
        "Ask three slots",
        Step(tools=(ToolCall("mcp__pool__pool_fan_out", {"prompts": PROMPTS, "wait_seconds": 60}),)),
        Step(says="text", text="All three have answered."),
    )
    with running_api(script) as running:
        yield running


@pytest.mark.real
@pytest.mark.cli
def test_a_real_coordinator_gets_three_answers_from_real_slots_and_replay_tells_them_again(
    tmp_path: Path, api: ScriptedApi
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    environment = cli_environment(tmp_path / "home", api.url)

    with stopped_owners(tmp_path, environment):
        lines = coordinate(project, environment, "Ask three slots, please.")

        result = next(line for line in lines if line.get("type") == "result")
        assert result["result"] == "All three have answered."
        views = _structured(tool_results(lines)[0])["results"]
        assert [view["output"] for view in views] == ["4", "Paris", "blue"]
        assert {view["state"] for view in views} == {"completed"}

        for view in views:
            replayed = pool(environment, project, "replay", "--task", view["task_id"], "--json")
            assert replayed.returncode == 0, replayed.stderr
            names = [json.loads(line)["name"] for line in replayed.stdout.splitlines()]
            assert names[0] == "task.submitted"
            assert "task.completed" in names

        checked = pool(environment, project, "replay", "--check")
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def leaving() -> Any:
    """A scripted API whose coordinator submits work of some seconds, and ends while that runs."""
    script = Script()
    submit = ToolCall("mcp__pool__pool_submit", {"prompt": "[[slow: 100ms x 30]] [[reply: after you]]"})
    script.when("Submit and leave", Step(tools=(submit,)), Step(says="text", text="It is on its way."))
    with running_api(script) as running:
        yield running


@pytest.mark.real
@pytest.mark.cli
@pytest.mark.parametrize("flags", [(), ("--embedded",)], ids=["owner", "embedded"])
def test_what_a_real_coordinator_leaves_behind_when_it_ends_is_on_record(
    tmp_path: Path, leaving: ScriptedApi, flags: tuple[str, ...]
) -> None:
    """The real CLI signals its MCP servers when it ends, and kills them half a second later."""
    project = tmp_path / "project"
    project.mkdir()
    environment = cli_environment(tmp_path / "home", leaving.url)

    with stopped_owners(tmp_path, environment):
        lines = coordinate(project, environment, "Submit and leave, please.", *flags)
        task_id = _structured(tool_results(lines)[0])["task_id"]

        if flags:
            until_sync(lambda: not processes_under(tmp_path), 5.0)
            assert (
                json.loads(pool(environment, project, "task", task_id, "--json").stdout)["state"] == "sealed"
            )
        waited = pool(environment, project, "wait", task_id, "--json")

        assert waited.returncode == 0, waited.stdout + waited.stderr
        task = json.loads(pool(environment, project, "task", task_id, "--json").stdout)
        assert (task["state"], task["output"]) == ("completed", "after you")
        assert task["attempts"] == (2 if flags else 1)
        checked = pool(environment, project, "replay", "--check")
        assert checked.returncode == 0, checked.stdout + checked.stderr


def _structured(result: Any) -> Any:
    """The structured content of a tool result, however the CLI hands it on."""
    if isinstance(result, str):
        return json.loads(result)
    if isinstance(result, list):
        return json.loads("".join(part.get("text", "") for part in cast("list[dict[str, str]]", result)))
    return cast("dict[str, Any]", result).get("structuredContent", result)
