"""What a slot driver promises of the settings of a turn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from claude_pool.domain.ports import Turn

from tests.support.slot_scenes import Play, output, play_on
from tests.unit.adapters.claude.bench import SLOT, Bench, real_bench


def test_a_model_holds_for_its_turn_only_without_a_new_process(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch(model="haiku")
        assert output(await bench.run("[[model]]", model="sonnet")) == "claude-sonnet-5-5"
        report = await bench.run("[[model]]")
        assert output(report) == report.outcome.model == "claude-haiku-5-5"
        os.kill(pid, 0)

    play(scene)


@pytest.mark.real
def test_an_effort_holds_for_its_turn_only(tmp_path: Path) -> None:
    ask = '[[tool: Bash {"command": "echo $CLAUDE_EFFORT"}]] [[result]]'

    async def scene(bench: Bench) -> None:
        await bench.launch(effort="low", permission_mode="bypassPermissions")
        assert output(await bench.run(ask, effort="high")) == "high"
        assert output(await bench.run(ask)) == "low"

    play_on(real_bench, tmp_path, scene)


def test_what_a_turn_leaves_open_is_the_default_whoever_ran_before(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(model="haiku", effort="low", permission_mode="acceptEdits")
        turn = Turn(bench.next_attempt(), "", '[[tool: Bash {"command": "touch made"}]] [[model]]')
        report = await bench.driver.run(SLOT, turn, lambda _attempt, _spent: None)
        assert output(report) == "claude-opus-5-5"
        assert [denial.tool for denial in report.outcome.denials] == ["Bash"]

    play(scene)


@pytest.mark.real
def test_the_users_own_default_model_comes_back_after_another(tmp_path: Path) -> None:
    settings = tmp_path / "home" / ".claude" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"model": "sonnet"}')

    async def scene(bench: Bench) -> None:
        await bench.launch(model=None)
        models = [output(await bench.run("[[model]]", model=model)) for model in (None, "haiku", None)]
        assert models == ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-5-5"]

    play_on(real_bench, tmp_path, scene)


def test_a_permission_mode_holds_for_its_turn_only(play: Play) -> None:
    touch = '[[tool: Bash {"command": "touch made"}]]'

    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="default")
        allowed = await bench.run(touch, permission_mode="acceptEdits")
        denied = await bench.run(touch)
        assert allowed.outcome.denials == () and (bench.cwd / "made").exists()
        assert [denial.tool for denial in denied.outcome.denials] == ["Bash"]

    play(scene)


def test_a_setting_that_does_not_exist_fails_the_turn_before_it_begins(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("hello", permission_mode="everything")
        assert report.outcome.code == "invalid_argument" and report.alive
        assert bench.calls() == []

    play(scene)
