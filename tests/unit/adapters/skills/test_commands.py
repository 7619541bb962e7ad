"""Commands in a skill's prompt: what comes of them, however they behave."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from claude_pool.adapters.skills.commands import OUTPUT_BYTES, environment_for, run_commands
from claude_pool.domain.skills import ShellCommand

from tests.support.waiting import until_sync

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def printed(line: str, folder: Path, seconds: float = 10.0, **environment: str) -> str:
    outputs = asyncio.run(
        run_commands([ShellCommand(line)], {**ENVIRONMENT, **environment}, str(folder), seconds)
    )
    return outputs[0]


def test_the_output_takes_the_place_of_the_command(tmp_path: Path) -> None:
    assert printed("echo one; echo two >&2", tmp_path) == "one\ntwo"


def test_an_argument_is_a_variable(tmp_path: Path) -> None:
    assert printed('echo "$ARGUMENTS"', tmp_path, ARGUMENTS="$(touch canary); `x`") == "$(touch canary); `x`"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("exit 3", "[command failed: exit 3: exit code 3]"),
        ("echo why; false", "why\n[command failed: echo why; false: exit code 1]"),
        (
            "no-such-program-here 2>/dev/null",
            "[command failed: no-such-program-here 2>/dev/null: exit code 127]",
        ),
    ],
)
def test_a_failure_stands_in_the_text(tmp_path: Path, line: str, expected: str) -> None:
    assert printed(line, tmp_path) == expected


def test_a_directory_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    assert printed("pwd", tmp_path / "gone") == "[command failed: pwd: No such file or directory]"


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    line = "sleep 300 & echo $! > pid; wait"

    assert printed(line, tmp_path, 0.5) == f"[command failed: {line}: it took longer than 0.5 seconds]"
    pid = (tmp_path / "pid").read_text().strip()
    until_sync(lambda: not _lives(pid))


def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    assert printed("sleep 300 >/dev/null 2>&1 & echo $! > pid; echo done", tmp_path) == "done"
    pid = (tmp_path / "pid").read_text().strip()
    until_sync(lambda: not _lives(pid))


def test_a_flood_is_cut(tmp_path: Path) -> None:
    text = printed("yes", tmp_path)

    assert text.endswith(f"[command failed: yes: it printed more than {OUTPUT_BYTES} bytes]")
    assert len(text) < OUTPUT_BYTES + 100


def test_output_that_is_no_text_is_made_one(tmp_path: Path) -> None:
    assert printed(r"printf 'a\377\000b'", tmp_path) == "a\ufffd\ufffdb"


def test_all_commands_of_a_skill_share_their_time(tmp_path: Path) -> None:
    commands = [ShellCommand("sleep 5"), ShellCommand("echo late")]

    outputs = asyncio.run(run_commands(commands, ENVIRONMENT, str(tmp_path), 10.0, all_seconds=0.3))

    assert outputs[0].startswith("[command failed: sleep 5: it took longer than 0.")
    assert outputs[1] == "[command failed: echo late: there was no time left for it]"


def test_an_argument_too_long_for_a_variable_is_a_failure(tmp_path: Path) -> None:
    assert printed("true", tmp_path, ARGUMENTS="x" * 4_000_000).startswith(
        "[command failed: true: Argument list"
    )


def test_commands_see_no_more_of_the_environment_than_they_need() -> None:
    environ = {"PATH": "/bin", "HOME": "/h", "ANTHROPIC_API_KEY": "secret", "GH_TOKEN": "t", "OTHER": "o"}

    assert environment_for(environ, ("GH_TOKEN", "GONE")) == {"PATH": "/bin", "HOME": "/h", "GH_TOKEN": "t"}


def _lives(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
