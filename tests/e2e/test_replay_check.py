"""`replay --check` beside a running owner."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import a_shell


def test_the_check_compares_the_log_with_what_a_running_owner_shows(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        shell.run("run", "[[reply: fine]] hi")

        assert shell.json("replay", "--check") == {"ok": True, "problems": []}


def test_a_view_that_differs_from_the_log_is_a_problem(tmp_path: Path) -> None:
    from claude_pool.adapters.check import check_log
    from claude_pool.adapters.places import find

    with a_shell(tmp_path) as shell:
        shell.run("run", "[[reply: fine]] hi")
        shown = shell.json("status")
        places = find(shell.environment, str(shell.folder))

        assert check_log(places, shown) == []
        assert any("completed_tasks" in p for p in check_log(places, {**shown, "completed_tasks": 7}))
