"""Where sessions of the documents run: a repository of their own, the real CLI, the scripted API."""

from __future__ import annotations

import sys
from pathlib import Path

from claude_pool.adapters.demo.directives import Step, ToolCall
from claude_pool.adapters.demo.script import Script
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.owners import stopped_owners
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.real_git import repository

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the tools are programs, on nobody's path

from tools.manual import sessions  # noqa: E402

PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if sessions.BLOCK.search(path.read_text("utf-8"))
]
"""The pages that have sessions."""


def script() -> Script:
    """An API that says back what it is told, and writes a test where it is asked for tests."""
    told = Script()
    written = {"file_path": "test_lexer.py", "content": "def test_lexer() -> None: ...\n"}
    told.when(
        "Write tests", Step(tools=(ToolCall("Write", written),)), Step(says="text", text="A test for it.")
    )
    return told


def printed(page: str, folder: Path) -> list[str]:
    """What the commands of the sessions of a page print; nothing that they started is left running."""
    there = repository(folder, "w")
    with running_api(script()) as api:
        environment = cli_environment(folder / "home", api.url) | {
            "CLAUDE_POOL_CLAUDE": str(bundled_cli()), "COLUMNS": "110", "NO_COLOR": "1",
        }  # fmt: skip
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        with stopped_owners(folder, environment):
            return sessions.run(page, there.path, environment)
