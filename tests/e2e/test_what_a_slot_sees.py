"""What a real slot's tools see of the owner, and what everybody sees of a slot's processes."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from claude_pool.adapters.claude.environment import SlotEnvironment, slot_environment
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.commands import COMMAND, Shell, a_shell
from tests.support.owners import processes_under
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until_sync

CANARIES = {
    name: f"canary-value-of-{name.lower()}"
    for name in (
        "PGPASSWORD", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "CLAUDE_CODE_SESSION_ACCESS_TOKEN",
        "CLAUDE_CODE_ENTRYPOINT",
        "AI_AGENT", "MCP_SERVER_TOKEN", "CLAUDE_CODE_SESSION_ID", "SSH_AUTH_SOCK", "BASH_ENV",
        "GIT_SSH_COMMAND", "GIT_CONFIG_PARAMETERS", "NODE_OPTIONS",
    )
}  # fmt: skip
KEY = "sk-ant-canary-key-0123456789"
OF_A_SHELL = {"OLDPWD", "PWD", "SHLVL", "_", "SHELL"}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A pool of the real CLI, whose owner's environment is full of what is no slot's business."""
    folder = tmp_path_factory.mktemp("seen")
    with running_api() as api:
        environment = cli_environment(folder / "home", api.url) | {"ANTHROPIC_API_KEY": KEY}
        more = {"CLAUDE_POOL_CLAUDE": str(bundled_cli()), "CLAUDE_POOL_PERMISSION_MODE": "bypassPermissions"}
        with a_shell(folder, environment=environment, **more, **CANARIES) as shell:
            yield shell


def bash(command: str) -> str:
    return f"[[tool: Bash {json.dumps({'command': command})}]]"


def inside(pid: int) -> bool:
    """Whether a process is one of a slot."""
    with contextlib.suppress(OSError):
        return b"CLAUDE_POOL_DEPTH=1" in Path(f"/proc/{pid}/environ").read_bytes()
    return False


def held(pid: int) -> set[str]:
    """What the descriptors of a process lead to, sockets by their paths."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[6]}]": line[7] for line in lines if len(line) > 7}
    found: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            name = os.readlink(entry)
            found.add(sockets.get(name, name))
    return found


@pytest.mark.real
def test_a_tool_sees_the_variables_of_the_allow_list_only(shell: Shell) -> None:
    seen = shell.folder / "seen"
    ran = shell.json("run", f"{bash(f'env -0 > {seen}')} [[reply: done]]")
    assert ran["output"] == "done"
    pairs = dict(pair.split("=", 1) for pair in seen.read_text("utf-8").split("\0") if "=" in pair)
    assert pairs["CLAUDE_POOL_DEPTH"] == "1"
    allowed = slot_environment(shell.environment, SlotEnvironment("", "")).keys() | OF_A_SHELL
    handed_on = {name for name, value in shell.environment.items() if pairs.get(name) == value}
    assert handed_on - allowed == set()
    assert {"ANTHROPIC_API_KEY", "HOME"} <= handed_on
    assert "canary-value" not in "".join(pairs.values())


@pytest.mark.real
def test_no_command_line_tells_a_prompt_or_a_key_and_a_slot_holds_no_file_of_the_owner(shell: Shell) -> None:
    gate = shell.folder / "gate"
    wait = bash(f"until [ -e {gate} ]; do sleep 0.1; done")
    options = (
        "--system-prompt=instruction-canary",
        "--mcp-servers",
        '{"x": {"command": "true", "env": {"X": "server-canary"}}}',
    )
    task_id = shell.run("submit", "-", *options, stdin=f"prompt-canary {wait} [[reply: done]]").strip()
    until_sync(
        lambda: any("sleep 0.1" in words for words in processes_under(shell.folder.parent).values()), 60
    )

    pids = processes_under(shell.folder.parent)
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids if Path(f"/proc/{pid}").exists()}
    slots = [pid for pid in lines if inside(pid)]
    owner = int((shell.state / "owner.lock").read_text())
    of_the_owner = {name for name in held(owner) if "log.sqlite" in name or name.endswith((".lock", ".sock"))}
    of_slots = {pid: held(pid) for pid in slots if Path(f"/proc/{pid}").exists()}
    gate.touch()
    shell.run("wait", task_id)

    assert any(b"--print" in line or b"\0-p\0" in line for line in lines.values()), "the CLI is among them"
    assert owner in lines and owner not in slots
    secrets = (b"prompt-canary", b"instruction-canary", b"server-canary", b"canary-value", KEY.encode())
    assert [line for line in lines.values() if any(secret in line for secret in secrets)] == []
    assert any("log.sqlite" in name for name in of_the_owner) and len(of_the_owner) > 1
    assert {pid: found & of_the_owner for pid, found in of_slots.items() if found & of_the_owner} == {}


@pytest.mark.real
def test_a_slot_that_starts_a_pool_is_refused_and_told_why(shell: Shell) -> None:
    ran = shell.json("run", f"{bash(f'{COMMAND} run hello 2>&1; ls -A')} [[result]]")
    assert "[wrong_state] this process is in a slot of a pool (CLAUDE_POOL_DEPTH=1)" in ran["output"]
    assert shell.json("status")["pending_tasks"] == 0
