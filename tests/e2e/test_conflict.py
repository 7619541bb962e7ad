"""Two callers that want the same pool otherwise."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import a_shell


def test_other_options_are_a_conflict_while_work_goes_on_and_reading_still_works(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        task_id = shell.run("submit", "[[hang]] for ever").strip()

        refused = shell.raw("run", "--max-slots=3", "[[reply: never]] hi")

        assert "[config_conflict]" in refused.stderr
        assert "max_slots" in refused.stderr
        assert refused.returncode == 3
        assert shell.json("task", task_id)["state"] in ("pending", "running")


def test_an_idle_owner_with_other_options_is_replaced(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        shell.run("run", "[[reply: one]] hi")
        first = shell.json("status")["position"]

        assert shell.run("run", "--max-slots=3", "[[reply: two]] hi").strip() == "two"

        assert shell.json("status")["position"] > first
        assert shell.run("replay", "--type", "pool.owner_started", "--json").count("pool.owner_started") == 2
