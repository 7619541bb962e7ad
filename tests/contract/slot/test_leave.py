"""What a slot driver promises of tools that need leave."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from claude_pool.domain.ports import Ask, Leave
from claude_pool.domain.values import Denial, End

from tests.support.slot_scenes import Play, output, play_on
from tests.unit.adapters.claude.bench import SLOT, Bench, real_bench


def test_a_tool_call_is_part_of_its_turn(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run('[[tool: Bash {"command": "echo from the tool"}]] [[result]]')
        assert output(report) == "from the tool"
        assert report.outcome.turns == 2 and report.rss_mb > 0

    again(scene)


def test_a_denied_tool_is_recorded_and_does_not_fail_the_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="plan")
        report = await bench.run('[[tool: Bash {"command": "touch made"}]] [[reply: without it]]')
        assert output(report) == "without it"
        assert [(denial.tool, bool(denial.reason)) for denial in report.outcome.denials] == [("Bash", True)]
        assert not (bench.cwd / "made").exists()

    play(scene)


_TOUCH = '[[tool: Bash {"command": "touch made"}]] [[reply: went on]]'


def test_a_tool_that_is_allowed_runs(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        asked: list[Ask] = []

        async def allow(ask: Ask) -> Leave:
            asked.append(ask)
            return Leave(True)

        bench.driver.on_question(allow)
        report = await bench.run(_TOUCH, asks=True)
        assert output(report) == "went on" and report.outcome.denials == ()
        assert (bench.cwd / "made").exists()
        ask = asked[0]
        assert (len(asked), ask.attempt, ask.tool) == (1, bench.attempt, "Bash")
        assert json.loads(ask.input) == {"command": "touch made"}
        assert ask.text == "Bash: touch made" and ask.request_id

    again(scene)


def test_a_tool_runs_with_the_input_that_it_is_allowed_with(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def change(_ask: Ask) -> Leave:
            return Leave(True, updated_input='{"command": "touch instead"}')

        bench.driver.on_question(change)
        await bench.run(_TOUCH, asks=True)
        assert [path.name for path in bench.cwd.iterdir()] == ["instead"]

    again(scene)


def test_a_model_is_told_why_a_tool_was_denied(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def deny(_ask: Ask) -> Leave:
            return Leave(False, "not on a Sunday")

        bench.driver.on_question(deny)
        report = await bench.run('[[tool: Bash {"command": "touch made"}]] [[result]]', asks=True)
        assert output(report) == "not on a Sunday"
        assert report.outcome.denials == (Denial("Bash", "not on a Sunday"),)
        assert not (bench.cwd / "made").exists()

    again(scene)


def test_several_questions_of_a_turn_are_answered_each(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def odd(ask: Ask) -> Leave:
            return Leave("one" in ask.input, "no")

        bench.driver.on_question(odd)
        words = (
            '[[tool: Bash {"command": "touch one"}]] [[with: Bash {"command": "touch two"}]] [[reply: done]]'
        )
        report = await bench.run(words, asks=True)
        assert output(report) == "done" and len(report.outcome.denials) == 1
        assert [path.name for path in bench.cwd.iterdir()] == ["one"]

    again(scene)


@pytest.mark.parametrize(("mode", "asks"), [("default", False), ("plan", True), ("dontAsk", True)])
def test_where_nobody_is_asked_a_tool_is_denied_at_once(again: Play, mode: str, asks: bool) -> None:
    async def scene(bench: Bench) -> None:
        async def never(ask: Ask) -> Leave:
            raise AssertionError(ask)

        bench.driver.on_question(never)
        report = await bench.run(_TOUCH, asks=asks, permission_mode=mode)
        assert output(report) == "went on"
        assert [(denial.tool, bool(denial.reason)) for denial in report.outcome.denials] == [("Bash", True)]

    again(scene)


def test_an_interrupt_takes_the_question_back(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        asked, withdrawn = asyncio.Event(), asyncio.Event()

        async def wait(_ask: Ask) -> Leave:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                withdrawn.set()
            raise AssertionError

        bench.driver.on_question(wait)
        turn = asyncio.create_task(bench.run(_TOUCH, asks=True))
        async with asyncio.timeout(20):
            await asked.wait()
            await bench.driver.interrupt(SLOT, bench.attempt)
            report = await turn
            await withdrawn.wait()
        assert (report.outcome.end, report.alive) == (End.INTERRUPTED, True)
        assert output(await bench.run("[[reply: warm]]")) == "warm"

    again(scene)


def test_a_slot_that_waits_for_an_answer_is_not_silent(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def later(_ask: Ask) -> Leave:
            await asyncio.sleep(1.8)  # a person thinks for longer than the slot may be silent
            return Leave(True)

        bench.driver.on_question(later)
        assert output(await bench.run(_TOUCH, asks=True, silence_ms=1500)) == "went on"

    again(scene)


def test_a_fault_of_who_answers_denies(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def fail(_ask: Ask) -> Leave:
            raise ValueError("oh no")

        bench.driver.on_question(fail)
        report = await bench.run(_TOUCH, asks=True)
        assert output(report) == "went on"
        assert "oh no" in report.outcome.denials[0].reason

    again(scene)


@pytest.mark.real
def test_a_question_to_the_user_is_put_where_a_task_allows_it_by_name(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        async def choose(ask: Ask) -> Leave:
            answers = {**json.loads(ask.input), "answers": {"Which?": "b"}}
            return Leave(True, updated_input=json.dumps(answers))

        bench.driver.on_question(choose)
        options = [{"label": each, "description": each} for each in "ab"]
        question = {"question": "Which?", "header": "H", "multiSelect": False, "options": options}
        words = f"[[tool: AskUserQuestion {json.dumps({'questions': [question]})}]] [[result]]"
        for allowed, answer in (((), "No such tool available"), (("AskUserQuestion",), '"Which?"="b"')):
            await bench.launch(permission_mode="plan", allowed_tools=allowed)
            assert answer in output(await bench.run(words, asks=True))

    play_on(real_bench, tmp_path, scene)
