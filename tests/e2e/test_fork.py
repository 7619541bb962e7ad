"""`fork` over the real CLI: a chain in a work tree from a step on, a task in a copy of its conversation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.owners import stopped_owners
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.real_git import repository

POOL = Path(sys.executable).with_name("claude-pool")

CHAIN = """
isolation: worktree
steps:
  - name: write
    prompt: '[[tool: Bash {"command": "echo draft > notes.txt"}]] [[reply: written]]'
  - name: list
    prompt: '[[tool: Bash {"command": "ls"}]] [[result]]'
  - name: more
    prompt: '[[tool: Bash {"command": "echo more > more.txt && git status --porcelain"}]] [[result]]'
"""


@pytest.mark.real
@pytest.mark.cli
def test_a_fork_sees_the_files_of_reused_steps_and_a_copied_conversation_is_another(
    tmp_path: Path,
) -> None:
    there = repository(tmp_path, "w")
    (tmp_path / "chain.yaml").write_text(CHAIN, encoding="utf-8")
    with running_api() as api:
        environment = cli_environment(tmp_path / "home", api.url) | {
            "CLAUDE_POOL_CLAUDE": str(bundled_cli()),
            "CLAUDE_POOL_SLOTS": "1",
            "CLAUDE_POOL_PERMISSION_MODE": "bypassPermissions",
            "PATH": f"{os.environ['PATH']}",
        }

        def pool(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
            ran = subprocess.run(
                [str(POOL), *words], cwd=there.path, env=environment,
                capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip
            assert ran.returncode == code, ran.stdout + ran.stderr
            return ran

        def view(*words: str) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(pool(*words, "--json").stdout)
            return found

        with stopped_owners(tmp_path, environment):
            first = view("chain", "run", str(tmp_path / "chain.yaml"))
            outputs = [step["output"] for step in first["steps"]]
            assert outputs == ["written", "a.txt\nnotes.txt", "?? more.txt\n?? notes.txt"]
            ran = pool("fork", first["chain_id"], "--from", "list", "--wait", "--json")
            second = json.loads(ran.stdout)
            assert "reuses write of" in ran.stderr and "runs list, more" in ran.stderr
            outputs = [step["output"] for step in second["steps"]]
            assert outputs == ["written", "a.txt\nnotes.txt", "?? more.txt"]
            assert there.git("rev-parse", f"{second['base']}^") == first["base"]
            assert there.files(second["branch"]) == ["a.txt", "more.txt", "notes.txt"]
            assert second["steps"][0]["cost_microdollars"] == 0 < second["cost_microdollars"]
            assert "reused" in pool("chain", "show", second["chain_id"]).stdout
            assert "is reused" in pool("why", second["chain_id"]).stdout
            assert "did you mean list" in pool("fork", first["chain_id"], "--from", "lst", code=2).stderr

            told = view("run", "Remember the plum. [[reply: yes]]")
            again = view("fork", told["task_id"], "--prompt", "What was it? [[recall]]", "--wait")
            assert again["session_id"] != told["session_id"]
            assert "plum" in again["output"]
            assert (
                "What was it"
                not in view("run", "[[recall]]", "--session", f"fork:{told['session_id']}")["output"]
            )
            pool("replay", "--check")
