"""What `doctor` finds, and what it advises."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool.adapters.cli.doctor import Finding, examine
from claude_pool.adapters.cli.shell import Shell

from tests.support.stand_in import Bench

PROGRAM = "#!/bin/sh\necho '2.1.330 (Claude Code)'\n"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    program = made.work / "claude"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    made.environ["CLAUDE_POOL_CLAUDE"] = str(program)
    made.environ["ANTHROPIC_API_KEY"] = "hunter2"
    yield made
    made.close()


def findings(bench: Bench) -> dict[str, Finding]:
    said = json.loads(bench.run("doctor", "--json").stdout)
    return {each["check"]: Finding(**each) for each in said}


def test_where_all_is_well_doctor_says_what_it_found(bench: Bench) -> None:
    ended = bench.run("doctor")

    assert ended.returncode == 0
    assert f"ok    cli       {bench.work}/claude (version 2.1.330)" in ended.stdout
    assert "ok    login     ANTHROPIC_API_KEY is set" in ended.stdout
    assert "ok    options   set: claude" in ended.stdout
    assert f"ok    store     {bench.places.state_dir} (no log yet)" in ended.stdout
    assert "ok    owner     none runs" in ended.stdout
    assert "hunter2" not in ended.stdout


def test_doctor_changes_nothing(bench: Bench) -> None:
    before = sorted(bench.folder.rglob("*"))
    bench.run("doctor")

    assert sorted(bench.folder.rglob("*")) == before


def test_a_missing_cli_is_a_failure_with_advice(bench: Bench) -> None:
    bench.environ["CLAUDE_POOL_CLAUDE"] = "/nowhere/claude"
    ended = bench.run("doctor")

    assert ended.returncode == 1
    assert "fail  cli" in ended.stdout
    assert "fix: Install Claude Code" in ended.stdout


def test_doctor_says_which_prices_hold_and_of_when_they_are(bench: Bench) -> None:
    shipped = findings(bench)["prices"]
    assert (shipped.state, shipped.found[:10]) == ("ok", "the shippe")
    assert "2026-11-22" in shipped.found
    mine = bench.work / "mine.toml"
    mine.write_text('date = "2030-01-02"')
    bench.environ["CLAUDE_POOL_PRICES"] = str(mine)
    assert findings(bench)["prices"].found.startswith(f"{mine}, of 2030-01-02")


def test_prices_that_cannot_be_used_are_a_failure(bench: Bench) -> None:
    bench.environ["CLAUDE_POOL_PRICES"] = str(bench.work / "none.toml")
    found = findings(bench)["prices"]
    assert found.state == "fail" and "[invalid_argument]" in found.found


def test_a_cli_that_is_newer_than_the_prices_is_a_warning(bench: Bench) -> None:
    (bench.work / "claude").write_text(PROGRAM.replace("2.1.330", "2.2.0"))
    found = findings(bench)["prices"]
    assert found.state == "warn" and "CLI 2.2.0 is newer" in found.found


def test_a_missing_login_is_a_warning(bench: Bench) -> None:
    del bench.environ["ANTHROPIC_API_KEY"]
    assert findings(bench)["login"].state == "warn"

    (bench.folder / "home" / ".claude").mkdir(parents=True)
    (bench.folder / "home" / ".claude" / ".credentials.json").write_text("{}")
    assert findings(bench)["login"].state == "ok"


def test_missing_git_is_a_warning(bench: Bench) -> None:
    bench.environ["PATH"] = str(bench.work)

    assert findings(bench)["git"].state == "warn"
    assert shutil.which("git") is not None


def test_wrong_options_are_a_failure_and_the_rest_is_still_looked_at(bench: Bench) -> None:
    bench.environ["CLAUDE_POOL_SLOTS"] = "99"

    found = findings(bench)

    assert found["options"].state == "fail"
    assert "slots (environment CLAUDE_POOL_SLOTS)" in found["options"].found
    assert {"login", "git", "files"} <= found.keys()


def test_a_store_that_is_no_log_is_a_failure(bench: Bench) -> None:
    Path(bench.places.state_dir).mkdir(parents=True)
    Path(bench.places.log).write_bytes(b"something else, and longer than a header of SQLite\n" * 100)

    assert findings(bench)["store"].state == "fail"


def test_a_running_owner_is_named(bench: Bench) -> None:
    bench.run("cancel", "x")

    assert findings(bench)["owner"].found.startswith(f"runs (pid {bench.pids()[0]}")


def test_something_else_on_the_socket_is_a_failure(bench: Bench) -> None:
    bench.script(refuse={"not": "an owner"})
    bench.run("cancel", "x")

    assert findings(bench)["owner"].state == "fail"


@pytest.mark.parametrize(("files", "state"), [(4096, "ok"), (1024, "ok"), (512, "warn"), (64, "fail")])
def test_few_open_files_are_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, files: int, state: str
) -> None:
    def limit(_which: int) -> tuple[int, int]:
        return files, 1 << 20

    monkeypatch.setattr(resource, "getrlimit", limit)
    monkeypatch.chdir(bench.work)
    found = {
        finding.check: finding for finding in examine(Shell({"state_dir": str(bench.folder)}, json=False))
    }

    assert found["files"].state == state
    assert bool(found["files"].fix) == (state != "ok")
