"""A repository with traps of every kind, and real slots that work in it: none springs."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.commands import Shell, a_shell
from tests.support.hostile_repository import OWN_TEXT, HostileRepository, hostile_repository, read_in
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until_sync

CHAIN = """
isolation: worktree
merge: merge
steps:
  - name: write
    prompt: '[[tool: Bash {"command": "echo new | tee notes.md > nested/code.txt"}]] [[reply: written]]'
  - name: look
    prompt: '[[tool: Bash {"command": "cat notes.md"}]] [[result]]'
"""


@dataclass(frozen=True)
class Work:
    """What came of work in the repository, and what the API and the other listener were sent."""

    repository: HostileRepository
    shell: Shell
    sent: list[bytes]
    astray: list[bytes]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Generator[Work]:
    """A task, a resumed one, one in a work tree of its slot, and a chain that is merged."""
    folder = tmp_path_factory.mktemp("hostile")
    with running_api() as api, running_api() as elsewhere:
        api.bodies, elsewhere.bodies = [], []
        environment = cli_environment(folder / "home", api.url)
        more = {"CLAUDE_POOL_CLAUDE": str(bundled_cli()), "CLAUDE_POOL_PERMISSION_MODE": "bypassPermissions"}
        with a_shell(folder, environment=environment, **more) as shell:
            hostile = hostile_repository(folder, elsewhere.url)
            (folder / "chain.yaml").write_text(CHAIN, "utf-8")
            yield Work(hostile, shell, api.bodies, elsewhere.bodies)


def uses_tools(folder: Path) -> str:
    read = json.dumps({"file_path": f"{folder}/nested/code.txt"})
    return f'[[tool: Read {read}]] [[tool: Bash {{"command": "pwd"}}]] [[result]] look'


def springs_nothing(work: Work) -> None:
    assert work.repository.sprung() == set()
    assert read_in(work.sent) == set()
    assert work.astray == []


@pytest.mark.real
def test_a_task_and_its_conversation_run_none_of_its_programs(work: Work) -> None:
    first = work.shell.json("run", uses_tools(work.repository.path))
    assert (first["state"], first["output"]) == ("completed", str(work.repository.path))
    again = work.shell.json(
        "run", uses_tools(work.repository.path), f"--session=resume:{first['session_id']}"
    )
    assert again["output"] == first["output"]
    assert any(OWN_TEXT.encode() in body for body in work.sent), "instructions are handed over as text"
    springs_nothing(work)


@pytest.mark.real
def test_a_slot_in_a_work_tree_runs_none_of_them(work: Work) -> None:
    state = work.repository.path.parent / "state-w"
    ran = work.shell.json("run", uses_tools(Path(".")), "-w", f"--state-dir={state}")
    assert ran["output"].startswith(str(state)), "it has a work tree of its own"
    springs_nothing(work)


@pytest.mark.real
def test_a_chain_that_is_merged_runs_none_of_them(work: Work) -> None:
    ran = work.shell.json("chain", "run", str(work.repository.path.parent / "chain.yaml"))
    assert [step["output"] for step in ran["steps"]] == ["written", "new"]
    springs_nothing(work)


@pytest.mark.real
def test_they_run_for_a_pool_that_trusts_the_project(work: Work) -> None:
    """The control: the traps are real ones."""
    springs_nothing(work)
    state = work.repository.path.parent / "state-t"
    work.shell.environment["CLAUDE_POOL_TRUST_PROJECT"] = "1"
    work.shell.run("submit", "hello", f"--state-dir={state}")
    until_sync(lambda: {"hook-SessionStart", "mcp-server"} <= work.repository.sprung(), 30)
    until_sync(lambda: {"agents", "skills"} <= read_in(work.astray), 30)
