"""What runs in a slot neither starts nor uses a pool, unless the outermost pool was told to allow it."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import a_shell

INSIDE = "[wrong_state] this process is in a slot of a pool (CLAUDE_POOL_DEPTH=1): "


def test_in_a_slot_every_way_to_a_pool_is_refused_and_nothing_is_started(tmp_path: Path) -> None:
    with a_shell(tmp_path, CLAUDE_POOL_DEPTH="1") as shell:
        for words in (("run", "hello"), ("serve",), ("stop",)):
            ran = shell.raw(*words)
            assert ran.returncode != 0 and ran.stderr.startswith(INSIDE)
        assert list(tmp_path.rglob("log.sqlite")) == []


def test_in_a_slot_the_log_can_be_read_but_the_owner_is_not_asked(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        shell.run("run", "hello")
        shell.environment["CLAUDE_POOL_DEPTH"] = "1"
        assert shell.json("tasks")
        assert shell.raw("cancel", "task-aaaaaaaaaaaaaaaa").stderr.startswith(INSIDE)


def test_an_outermost_pool_may_allow_a_pool_in_its_slots_and_none_in_those(tmp_path: Path) -> None:
    with a_shell(tmp_path, CLAUDE_POOL_DEPTH="1") as shell:
        assert shell.run("run", "[[reply: inner]]", "--max-depth=2").strip().endswith("inner")
        shell.environment["CLAUDE_POOL_DEPTH"] = "2"
        assert "CLAUDE_POOL_DEPTH=2" in shell.raw("run", "hello", "--max-depth=2").stderr
