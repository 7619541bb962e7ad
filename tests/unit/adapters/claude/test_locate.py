"""Finding the CLI."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from claude_pool.adapters.claude.locate import bundled, digest, inspect, locate, options
from claude_pool.domain.ports import SlotFailure


def program(folder: Path, version: str = "9.8.7", name: str = "claude") -> Path:
    """An executable that says it is that version, and counts how often it is asked."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(
        "#!/bin/sh\n"
        'echo "$1" >> "$0.asked"\n'
        'case "$1" in\n'
        f'--version) echo "{version} (Claude Code)";;\n'
        '--help) echo "  -p, --print  x --new-option";;\n'
        "esac\n"
    )
    path.chmod(0o755)
    return path


def environ(**more: str) -> dict[str, str]:
    """An environment whose PATH holds the system's programs and no CLI."""
    return {"PATH": "/usr/bin:/bin", "HOME": "/", **more}


def test_the_named_program_comes_first(tmp_path: Path) -> None:
    named, other = program(tmp_path / "a", "1.0.0"), program(tmp_path / "b", "2.0.0")
    around = environ(CLAUDE_POOL_CLAUDE=str(other), PATH=f"{tmp_path / 'b'}:/usr/bin:/bin")
    assert locate(str(named), around).version == "1.0.0"


def test_the_environment_comes_before_the_path(tmp_path: Path) -> None:
    other = program(tmp_path / "b", "2.0.0")
    program(tmp_path / "c", "3.0.0")
    around = environ(CLAUDE_POOL_CLAUDE=str(other), PATH=f"{tmp_path / 'c'}:/usr/bin:/bin")
    assert locate(None, around).version == "2.0.0"


def test_the_path_comes_before_the_bundled_copy(tmp_path: Path) -> None:
    program(tmp_path / "c", "3.0.0")
    assert locate(None, environ(PATH=f"{tmp_path / 'c'}:/usr/bin:/bin")).version == "3.0.0"


@pytest.mark.real
def test_the_bundled_copy_is_the_last_resort() -> None:
    found = locate(None, environ())
    assert found.path == bundled() and found.version.count(".") == 2


@pytest.mark.parametrize("content", [None, "#!/bin/sh\n", ""])
def test_a_named_program_that_cannot_run_is_missing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "claude").write_text(content)
    with pytest.raises(SlotFailure) as failure:
        locate(str(tmp_path / "claude"), environ())
    assert failure.value.code == "cli_missing" and str(tmp_path) in failure.value.message


def test_no_program_at_all_is_missing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_pool.adapters.claude.locate.bundled", lambda: None)
    with pytest.raises(SlotFailure, match="--claude PATH") as failure:
        locate(None, environ(PATH=str(tmp_path)))
    assert failure.value.code == "cli_missing"


def test_a_file_that_is_no_program_of_this_machine_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "claude"
    path.write_bytes(b"\x7fELF not really")
    path.chmod(0o755)
    with pytest.raises(SlotFailure) as failure:
        inspect(str(path), environ())
    assert failure.value.code == "cli_missing"


def test_an_unknown_version_is_no_failure(tmp_path: Path) -> None:
    assert inspect(str(program(tmp_path, "nightly")), environ()).version == "unknown"


def test_a_link_is_followed_to_the_program(tmp_path: Path) -> None:
    real = program(tmp_path / "real")
    (tmp_path / "claude").symlink_to(real)
    assert inspect(str(tmp_path / "claude"), environ()).path == str(real)


def test_a_program_is_asked_once_while_it_stays_the_same(tmp_path: Path) -> None:
    path = program(tmp_path)
    for _ in range(3):
        inspect(str(path), environ())
    assert (tmp_path / "claude.asked").read_text() == "--version\n"
    path.write_text(path.read_text().replace("9.8.7", "10.0.1"))
    assert inspect(str(path), environ()).version == "10.0.1"


def test_options_are_what_the_help_names(tmp_path: Path) -> None:
    cli = inspect(str(program(tmp_path)), environ())
    assert options(cli, environ()) == {"--print", "--new-option"}


def test_the_digest_is_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    path = program(tmp_path)
    cli = inspect(str(path), environ())
    assert digest(cli) == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(path.read_text() + "# more\n")
    assert digest(cli) == hashlib.sha256(path.read_bytes()).hexdigest()
