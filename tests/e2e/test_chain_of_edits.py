"""A chain in a worktree of a real repository, where real CLI slots write and edit files, merged back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.owners import stopped_owners
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.real_git import repository

POOL = Path(sys.executable).with_name("claude-pool")

CHAIN = """
isolation: worktree
merge: ff
steps:
  - name: look
    prompt: '[[tool: Bash {"command": "pwd"}]] [[result]]'
    allowed_tools: ["Bash(pwd)"]
  - name: write
    prompt: >-
      [[tool: Write {"file_path": "{previous_output}/notes.txt", "content": "a draft"}]] [[reply: written]]
  - name: edit
    prompt: >-
      [[tool: Read {"file_path": "{steps.look.output}/notes.txt"}]]
      [[tool: Edit {"file_path": "{steps.look.output}/notes.txt",
      "old_string": "draft", "new_string": "text"}]]
      [[reply: edited]]
"""


@pytest.mark.real
@pytest.mark.cli
def test_real_slots_edit_files_in_a_worktree_and_the_work_is_merged(tmp_path: Path) -> None:
    there = repository(tmp_path, "w")
    (tmp_path / "chain.yaml").write_text(CHAIN, encoding="utf-8")
    with running_api() as api:
        environment = cli_environment(tmp_path / "home", api.url) | {
            "CLAUDE_POOL_CLAUDE": str(bundled_cli()),
            "CLAUDE_POOL_SLOTS": "2",
            "CLAUDE_POOL_PERMISSION_MODE": "acceptEdits",
            "PATH": f"{os.environ['PATH']}",
        }

        def pool(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [str(POOL), *words], cwd=there.path, env=environment,
                capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip

        with stopped_owners(tmp_path, environment):
            ran = pool("chain", "run", "--json", str(tmp_path / "chain.yaml"))
            assert ran.returncode == 0, ran.stdout + ran.stderr
            view = json.loads(ran.stdout)
            assert [step["output"] for step in view["steps"]][1:] == ["written", "edited"]
            assert view["merged"] == "main"
            assert there.show("main", "notes.txt") == "a text"
            assert (there.path / "notes.txt").read_text("utf-8") == "a text"
            assert there.git("status", "--porcelain") == ""
            changed = pool("chain", "show", "--diff", view["chain_id"])
            assert "+a text" in changed.stdout
            assert not Path(view["steps"][0]["output"]).exists()
            checked = pool("replay", "--check")
            assert checked.returncode == 0, checked.stdout + checked.stderr
