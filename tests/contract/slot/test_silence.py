"""What a slot driver promises of slots that say nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from claude_pool.domain.values import End

from tests.support.slot_scenes import Play, output, play_on
from tests.unit.adapters.claude.bench import Bench, real_bench


def test_a_silent_slot_is_ended_with_its_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        report = await bench.run("[[hang]]", silence_ms=300)
        assert (report.outcome.code, report.alive) == ("timed_out_silence", False)
        assert bench.exits == []
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play(scene)


def test_a_slot_that_says_nothing_to_a_prompt_is_ended(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        os.kill(pid, signal.SIGSTOP)
        report = await bench.run("hello", first_output_ms=300, silence_ms=2_000)
        # what it printed before it was stopped may still be on its way, and is an output
        assert report.outcome.code in ("timed_out_start", "timed_out_silence")
        assert report.outcome.retryable
        assert not report.alive
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play(scene)


def test_a_slot_that_goes_on_talking_is_not_silent(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run("[[reply: a b c d e f]] [[slow: 300ms x 6]]", silence_ms=1200)
        assert output(report) == "a b c d e f"

    again(scene)


def test_a_tool_that_is_silent_for_too_long_ends_the_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        tool = '[[tool: Bash {"command": "sleep 30"}]]'
        report = await bench.run(tool, silence_ms=400, tool_silence_ms=900)
        assert (report.outcome.code, report.alive) == ("timed_out_silence", False)

    play(scene)


def test_a_slot_is_silent_for_longer_while_a_tool_works(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        report = await bench.run('[[tool: Bash {"command": "sleep 3"}]]', silence_ms=1500)
        assert report.outcome.end is End.SUCCEEDED

    play(scene)


@pytest.mark.real
def test_the_work_of_a_subagent_is_a_sign_of_life(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        steps = '[[tool: Bash {"command": "sleep 1"}]] ' * 3
        given = {"description": "d", "subagent_type": "general-purpose", "prompt": f"{steps}[[reply: in]]"}
        prompt = f"[[tool: Agent {json.dumps(given)}]] [[reply: out]]"
        assert output(await bench.run(prompt, silence_ms=2_500, tool_silence_ms=2_500)) == "out"

    play_on(real_bench, tmp_path, scene)
