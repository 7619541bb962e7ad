"""Backup, damage and restore as a user meets them: what is said, the exit code, and that it works again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.support.commands import Shell, a_shell


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A shell whose pool has done one task and is stopped."""
    with a_shell(tmp_path_factory.mktemp("used")) as shell:
        shell.run("run", "[[reply: fine]] hi")
        shell.run("stop")
        yield shell


@pytest.mark.timeout(400)
def test_a_pool_is_saved_damaged_found_out_and_restored(used: Shell, tmp_path: Path) -> None:
    state, saved = used.state, tmp_path / "saved"
    made = used.json("backup", str(saved))
    assert (made["path"], made["problems"]) == (str(saved), [])
    assert made["position"] == used.json("--state-dir", str(saved), "status")["position"]

    log = state / "log.sqlite"
    content = log.read_bytes()
    at = content.index(b"[[reply: fine]]")
    log.write_bytes(content[:at] + b"X" + content[at + 1 :])

    checked = used.raw("replay", "--check")
    assert checked.returncode == 5 and checked.stdout == ""
    assert "[log_broken]" in checked.stderr and "position" in checked.stderr and "--salvage" in checked.stderr
    refused = used.raw("run", "hello")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "[log_broken]" in refused.stderr and "Traceback" not in refused.stderr
    assert used.raw("backup", str(tmp_path / "other")).returncode == 4
    assert not (tmp_path / "other").exists()

    assert "verified" in used.run("restore", str(saved))
    assert used.run("run", "[[reply: again]] hi").strip() == "again"
    used.run("stop")


def test_a_damaged_snapshot_is_named_and_hurts_nobody(used: Shell) -> None:
    used.run("run", "[[reply: here]] hi")
    used.run("stop")
    view = used.state / "log.sqlite.view"
    content = view.read_bytes()
    view.write_bytes(content[:-9] + b"X" + content[-8:])

    store = next(each for each in used.json("doctor") if each["check"] == "store")
    assert store["state"] == "warn" and str(view) in store["found"]
    assert used.run("run", "[[reply: again]] hi").strip() == "again"
    assert [str(view) in problem for problem in used.json("status")["problems"]] == [True]
    used.run("stop")
    assert "problems" not in used.json("status")


def cut(log: Path) -> None:
    log.write_bytes(log.read_bytes()[: 3 * 4096])


def foreign(log: Path) -> None:
    log.write_bytes(b"this is no database, but long enough to be looked at by somebody" * 8)


def newer(log: Path) -> None:
    content = bytearray(log.read_bytes())
    content[60:64] = (9).to_bytes(4, "big")
    log.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "code", "word"),
    [
        (cut, 4, "log_broken"),
        (foreign, 3, "store_unreadable"),
        (newer, 6, "log_newer"),
        (Path.unlink, 4, "log_broken"),
    ],
    ids=["cut", "foreign", "newer", "deleted"],
)
def test_an_owner_does_not_start_on_what_is_no_whole_log(
    used: Shell, tmp_path: Path, harm: Callable[[Path], None], code: int, word: str
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    for name in ("log.sqlite", "log.sqlite.head"):
        shutil.copy(used.state / name, state)
    harm(state / "log.sqlite")

    refused = used.raw("--state-dir", str(state), "submit", "hello")

    assert (refused.returncode, refused.stdout) == (code, ""), refused.stderr
    assert f"[{word}]" in refused.stderr and "Traceback" not in refused.stderr
