"""What a slot driver promises of turns that are interrupted, and of processes that end."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from uuid import uuid4

import pytest
from claude_pool.domain.ports import Launch, SlotFailure, Turn
from claude_pool.domain.values import End

from tests.support.slot_scenes import SLOW_ANSWER, Play, output
from tests.support.waiting import until
from tests.unit.adapters.claude.bench import SLOT, Bench


def test_an_interrupted_turn_leaves_the_slot_warm(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        report = await bench.run_and_interrupt(SLOW_ANSWER)
        assert (report.outcome.end, report.outcome.code) == (End.INTERRUPTED, "interrupted")
        assert report.alive and output(await bench.run("go on")) == "echo: go on"
        os.kill(pid, 0)

    play(scene)


def test_an_interrupt_ends_the_tool_that_works(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        mark = bench.cwd / "pid"
        command = json.dumps({"command": f"echo $$ > {mark}; sleep 60"})
        report = await bench.run_and_interrupt(f"[[tool: Bash {command}]]", when=mark.exists)
        assert report.outcome.end is End.INTERRUPTED
        await until(lambda: not Path(f"/proc/{mark.read_text().strip()}").exists())

    play(scene)


def test_an_interrupt_of_another_attempt_does_nothing(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        turn = asyncio.create_task(bench.run("[[delay: 300ms]]"))
        await bench.driver.interrupt(SLOT, "task-99.1")
        assert (await turn).outcome.end is End.SUCCEEDED

    again(scene)


def test_what_a_tool_leaves_running_ends_with_the_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch(permission_mode="bypassPermissions")
        mark = bench.cwd / "pid"
        daemon = f"(setsid sh -c 'echo $$ > {mark}; exec sleep 60' > /dev/null 2>&1 < /dev/null &)"
        command = json.dumps({"command": f"{daemon}; until [ -s {mark} ]; do sleep 0.05; done"})
        report = await bench.run(f"[[tool: Bash {command}]]")
        assert report.outcome.end is End.SUCCEEDED and report.alive
        assert not Path(f"/proc/{mark.read_text().strip()}").exists()
        os.kill(pid, 0)

    play(scene)


def test_a_stopped_slot_leaves_no_process_and_no_folder(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        await bench.run("hello")
        end = await bench.driver.stop(SLOT)
        assert (end.exit_code, end.expected) == (0, True)
        assert list(bench.settings.runtime_dir.iterdir()) == []
        assert bench.exits == []
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play(scene)


def test_a_slot_that_is_stopped_in_a_turn_interrupts_it(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        served = asyncio.Event()
        turn = asyncio.create_task(
            bench.run(SLOW_ANSWER, budget=1, on_spend=lambda _attempt, _spent: served.set())
        )
        await served.wait()
        await bench.driver.stop(SLOT)
        assert (await turn).outcome.end is End.INTERRUPTED

    play(scene)


def test_an_idle_process_that_dies_is_told(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        os.kill(await bench.launch(), 9)
        await until(lambda: bench.exits != [])
        assert [(end.exit_code, end.expected) for end in bench.exits] == [(-9, False)]

    play(scene)


def test_a_process_that_dies_in_a_turn_fails_it_and_is_paid(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        served = asyncio.Event()
        prompt = f"[[usage: input=5000 output=60]] {SLOW_ANSWER}"
        turn = asyncio.create_task(
            bench.run(prompt, budget=1, on_spend=lambda _attempt, _spent: served.set())
        )
        await served.wait()
        os.kill(pid, 9)
        report = await turn
        assert (report.outcome.code, report.alive) == ("slot_failed", False)
        assert report.outcome.estimated and report.outcome.cost >= 500
        assert bench.exits == []

    play(scene)


def test_a_slot_without_a_process_fails_its_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run("hello")
        assert (report.outcome.code, report.alive) == ("slot_failed", False)
        with pytest.raises(SlotFailure):
            await bench.driver.clear(SLOT)

    play(scene)


def test_a_stopped_slot_can_be_launched_again(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        first = await bench.launch()
        await bench.driver.stop(SLOT)
        assert await bench.launch() != first
        assert output(await bench.run("hello")) == "echo: hello"

    play(scene)


def test_slots_work_side_by_side(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        names = ("slot-0", "slot-1")
        for name in names:
            await bench.driver.launch(Launch(name, 1, str(uuid4()), str(bench.cwd), model="haiku"))
        reports = await asyncio.gather(
            *(
                bench.driver.run(
                    name, Turn(f"task-{name}.1", "", f"I am {name}", "haiku"), lambda _attempt, _spent: None
                )
                for name in names
            )
        )
        assert [output(report) for report in reports] == [f"echo: I am {name}" for name in names]

    play(scene)
