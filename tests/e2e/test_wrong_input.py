"""Wrong input and hostile places, as a user meets them: a coded answer, nothing lost, the next call works."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.commands import Shell, a_shell


@pytest.fixture
def shell(tmp_path: Path) -> Generator[Shell]:
    """A shell with a pool of one fake slot."""
    with a_shell(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """The same for many tests, where what was asked before makes no difference."""
    with a_shell(tmp_path_factory.mktemp("used")) as made:
        yield made


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, apart from the user's own configuration."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "prompt", ["-hello", "--dangerously-skip-permissions", "/clear", "/cost now", "@/etc/passwd"]
)
def test_a_prompt_that_looks_like_an_option_a_command_or_a_file_is_text(used: Shell, prompt: str) -> None:
    answer = used.run("run", "--", prompt)

    assert answer.strip() == f"echo: {prompt}"


def test_an_empty_prompt_is_refused_and_the_next_call_works(used: Shell) -> None:
    assert "[invalid_argument]" in used.run("run", "", code=2)
    assert used.run("run", "[[reply: fine]] hi").strip() == "fine"


def test_a_prompt_of_twenty_megabytes_is_refused_and_the_next_call_works(used: Shell) -> None:
    refused = used.raw("run", "-", stdin="x" * 20_000_000)

    assert refused.returncode == 2
    assert "[invalid_argument]" in refused.stderr
    assert used.run("run", "[[reply: fine]] hi").strip() == "fine"


def test_an_id_that_looks_like_a_path_is_refused(used: Shell) -> None:
    used.run("run", "[[reply: fine]] hi")

    assert "[invalid_argument]" in used.run("task", "../../etc/passwd", code=2)


def test_a_missing_cli_is_named_and_the_pool_answers_on(tmp_path: Path) -> None:
    with a_shell(tmp_path, CLAUDE_POOL_CLAUDE="/no/such/claude") as shell:
        refused = shell.raw("run", "hello")

        assert "[cli_missing]" in refused.stderr
        assert "/no/such/claude" in refused.stderr
        assert refused.returncode in (1, 3)
        assert shell.json("status")["position"] > 0


def test_a_missing_key_parks_the_task_and_says_so(tmp_path: Path) -> None:
    with a_shell(tmp_path, ANTHROPIC_API_KEY="") as shell:
        shell.environment.pop("ANTHROPIC_API_KEY")

        failed = shell.raw("run", "hello")

        assert failed.returncode == 7
        assert "[not_logged_in]" in failed.stderr
        assert shell.json("status")["paused"] == {"reason": "not_logged_in", "until": None}


def test_a_project_file_may_not_choose_the_program(shell: Shell) -> None:
    (shell.folder / "claude-pool.toml").write_text('[pool]\nclaude = "/tmp/evil"\n')

    refused = shell.run("run", "hello", code=2)

    assert "[invalid_argument]" in refused
    assert "claude" in refused


def test_a_pool_in_a_very_long_path_works(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60) / ("c" * 60)
    deep.mkdir(parents=True)
    with a_shell(deep) as shell:
        assert shell.run("run", "[[reply: deep]] hi").strip() == "deep"


def test_a_linked_worktree_shares_the_pool_of_its_repository(shell: Shell) -> None:
    git(shell.folder, "init", "-q")
    git(shell.folder, "commit", "-q", "--allow-empty", "-m", "first")
    git(shell.folder, "worktree", "add", "-q", "../linked")
    linked = Shell(shell.folder.parent / "linked", shell.environment)
    task_id = shell.run("submit", "[[reply: shared]] hi").strip()

    linked.run("wait", task_id)

    assert linked.json("task", task_id)["output"] == "shared"


def test_a_task_runs_in_the_worktree_that_its_caller_stands_in(shell: Shell) -> None:
    git(shell.folder, "init", "-q")
    git(shell.folder, "commit", "-q", "--allow-empty", "-m", "first")
    git(shell.folder, "worktree", "add", "-q", "../linked")
    linked = Shell(shell.folder.parent / "linked", shell.environment)
    shell.run("run", "[[reply: here]] hi")

    linked.run("run", "[[reply: there]] hi")

    assert str(linked.folder) in linked.run("replay", "--type", "session.opened", "--json")


def test_a_log_of_something_else_is_refused_and_left_alone(shell: Shell) -> None:
    state = shell.folder.parent / "state"
    state.mkdir(mode=0o700)
    (state / "log.sqlite").write_bytes(b"this is no log" * 100)

    refused = shell.run("--state-dir", str(state), "run", "hello", code=3)

    assert "[store_unreadable]" in refused
    assert (state / "log.sqlite").read_bytes() == b"this is no log" * 100


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_new_work_and_takes_it_again_once_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    with a_shell(tmp_path, CLAUDE_POOL_MIN_FREE_DISK_MB="0") as shell:
        at = ("--state-dir", str(small_disk / "state"))
        shell.run(*at, "run", "[[reply: before]] hi")
        ballast = small_disk / "ballast"
        with ballast.open("wb", 0) as file:
            file.write(b"\0" * 4_000_000)

        refused = shell.raw(*at, "submit", "x" * 100_000)

        assert refused.returncode == 3
        assert "[store_full]" in refused.stderr
        assert shell.json(*at, "status")["completed_tasks"] == 1
        ballast.unlink()
        assert shell.run(*at, "run", "[[reply: after]] hi").strip() == "after"
        shell.run(*at, "stop", "--now")
