"""The README's claims are run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.owners import stopped_owners
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.real_git import repository
from tests.support.waiting import until_sync

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text("utf-8")
COMMAND = Path(sys.executable).with_name("claude-pool")


def block(marker: str) -> str:
    """The code block after a marker."""
    found = re.search(rf"<!-- {re.escape(marker)} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found, marker
    return found[1]


@pytest.mark.real
def test_the_library_example_prints_two_answers(tmp_path: Path) -> None:
    with running_api() as api:
        environment = cli_environment(tmp_path / "home", api.url)
        environment["CLAUDE_POOL_CLAUDE"] = str(bundled_cli())
        ran = subprocess.run(
            [sys.executable, "-c", block("example: library")],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["completed", "completed"]
    assert "2 + 2" in lines[0]
    assert "3 + 3" in lines[1]


@pytest.mark.real
@pytest.mark.cli
def test_the_chain_runs_waits_for_its_verdict_and_lands(tmp_path: Path) -> None:
    there = repository(tmp_path, "w")
    (tmp_path / "mend.yaml").write_text(block("example: chain"), encoding="utf-8")
    with running_api() as api:
        environment = cli_environment(tmp_path / "home", api.url)
        environment["CLAUDE_POOL_CLAUDE"] = str(bundled_cli())

        def pool(*words: str) -> dict[str, Any]:
            ran = subprocess.run(
                [str(COMMAND), *words, "--json"],
                cwd=there.path, env=environment, capture_output=True, text=True, timeout=90, check=False,
            )  # fmt: skip
            assert ran.returncode in (0, 7), ran.stderr
            found: dict[str, Any] = json.loads(ran.stdout)
            return found

        with stopped_owners(tmp_path, environment):
            chain_id = pool("chain", "submit", str(tmp_path / "mend.yaml"))["chain_id"]
            until_sync(lambda: pool("chain", "show", chain_id)["steps"][1]["state"] == "pending_review", 60)
            mend = pool("chain", "show", chain_id)["steps"][1]
            assert "review found, with tests" in mend["output"]
            pool("approve", mend["task_id"])
            until_sync(lambda: pool("chain", "show", chain_id)["state"] == "completed", 60)


@pytest.mark.real
@pytest.mark.cli
def test_the_demonstration_answers_replays_and_leaves_nothing(tmp_path: Path) -> None:
    environment = cli_environment(tmp_path / "home", "http://127.0.0.1:9")
    with stopped_owners(tmp_path, environment):
        ran = subprocess.run(
            [str(COMMAND), "demo"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    assert ran.returncode == 0, ran.stdout + ran.stderr
    for line in block("output: demo").splitlines():
        wanted = line.partition("…")[0].rstrip()
        assert wanted in ran.stdout, line
    assert not list((tmp_path / "home" / "tmp").glob("claude-pool-demo-*"))
