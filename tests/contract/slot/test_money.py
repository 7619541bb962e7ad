"""What a slot driver promises of what turns cost, and of the evidence for it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from uuid import uuid4

import pytest
from claude_pool.domain.values import End

from tests.support.slot_scenes import SLOW_ANSWER, Play, recalled
from tests.support.waiting import until
from tests.unit.adapters.claude.bench import SLOT, Bench


def test_every_turn_costs_what_was_served_for_it(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        session = str(uuid4())
        await bench.launch(session=session)
        costs: list[tuple[int, int]] = []

        async def measured(prompt: str) -> None:
            first = len(bench.calls())
            report = await bench.run(prompt)
            assert not report.outcome.estimated
            costs.append((report.outcome.cost, bench.bill(first)))

        await measured("[[usage: input=1000 output=200]]")
        await measured("[[usage: input=10 output=2000 cache_read=5000 cache_write=300]]")
        await measured('[[tool: Bash {"command": "true"}]] [[usage: input=70 output=30]]')
        await bench.driver.clear(SLOT)
        await measured("[[usage: input=3000 output=10]]")
        await measured("[[status: 529]]")
        await bench.launch(session=session, resume=session)
        await measured("[[usage: input=400 output=40]]")
        assert [cost for cost, _ in costs] == [bill for _, bill in costs]
        assert costs[4] == (0, 0) and all(cost > 0 for cost, _ in costs if cost != 0)

    play(scene)


def test_looking_a_model_up_is_paid_once_in_a_process(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        costs: list[tuple[int, int, bool]] = []
        for model in ("claude-opus-5", "haiku", "claude-opus-5", "claude-opus-5-5"):
            first = len(bench.calls())
            outcome = (await bench.run("[[usage: input=10 output=2]]", model=model)).outcome
            costs.append((outcome.cost, bench.bill(first), outcome.estimated))
        assert [cost for cost, _, _ in costs] == [bill for _, bill, _ in costs]
        assert [estimated for _, _, estimated in costs] == [True, False, False, False]
        assert costs[0][0] == costs[2][0] + (100 * 5 + 1 * 25)

    play(scene)


@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed"])
def test_a_call_that_is_cut_off_before_its_answer_is_not_free(play: Play, killed: bool) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        await bench.run("[[usage: input=5000 output=20]]")
        prompt = f"{'word ' * 400}[[hang]]"
        turn = asyncio.create_task(bench.run(prompt))
        await until(lambda: bench.calls()[-1].prompt == prompt)
        await until(lambda: any(line.get("status") == "requesting" for line in bench.printed()))
        if killed:
            os.kill(pid, 9)
        else:
            await bench.driver.interrupt(SLOT, bench.attempt)
        outcome = (await turn).outcome
        read = 5_020 + len(prompt) // 4
        assert (outcome.cost, outcome.tokens.input, outcome.estimated) == (-(-read // 10), read, True)

    play(scene)


def test_an_interrupted_turn_costs_what_was_served_until_then(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run_and_interrupt(f"[[usage: input=5000 output=2000]] {SLOW_ANSWER}")
        outcome = report.outcome
        output_of_the_message = 2000 // 2  # microdollars, at half a microdollar a token
        assert outcome.estimated
        assert outcome.tokens.input == 5000
        assert 500 <= outcome.cost <= 500 + output_of_the_message

    again(scene)


def test_a_stream_that_breaks_is_paid_for(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run(
            "[[usage: input=5000 output=20]] [[reply: a b c d]] [[slow: 50ms x 4]] [[cut after: 2]]"
        )
        assert report.outcome.cost >= 500

    again(scene)


_TWO_CALLS = "[[usage: input=5000 output=2]] [[tool: Bash {}]] [[usage: input=5000 output=2]]"
"""Costs about 500 microdollars, and then as much again."""


def test_a_turn_tells_that_its_money_nearly_ends_and_that_it_ended(again: Play) -> None:
    told: list[tuple[str, int]] = []

    async def scene(bench: Bench) -> None:
        def note(attempt: str, metered: int) -> None:
            told.append((attempt, metered))

        await bench.run(_TWO_CALLS, budget=2_000, margin=900, on_spend=note)
        assert told == []
        await bench.run(_TWO_CALLS, budget=800, margin=400, on_spend=note)
        assert [attempt for attempt, _ in told] == [bench.attempt] * 2
        (_, nearly), (_, ended) = told
        assert 500 <= nearly < 800 <= 1_000 <= ended

    again(scene)


def test_a_turn_that_is_stopped_where_its_money_ends_keeps_what_was_said_and_goes_on(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        spent, said = asyncio.Event(), asyncio.Event()
        bench.driver.on_words(lambda _attempt, _text: said.set())
        words = "[[reply: one two three four five six]] [[usage: input=5000 output=600]] [[slow: 1s x 6]]"
        turn = asyncio.create_task(bench.run(words, budget=400, on_spend=lambda _a, _s: spent.set()))
        async with asyncio.timeout(20):
            await spent.wait()
            await said.wait()
        await bench.driver.interrupt(SLOT, bench.attempt)
        report = await turn
        outcome = report.outcome
        assert (outcome.end, outcome.output.inline, report.alive) == (End.INTERRUPTED, "one t", True)
        assert outcome.cost >= 500 and outcome.context >= 5_000
        assert recalled(await bench.run("[[recall]]")) == [words]

    again(scene)


def test_a_turn_that_gets_more_money_tells_anew_where_it_ends(again: Play) -> None:
    told: list[int] = []

    async def scene(bench: Bench) -> None:
        def pay(attempt: str, metered: int) -> None:
            told.append(metered)
            bench.driver.fund(SLOT, "task-99.1", 1)
            bench.driver.fund(SLOT, attempt, 100 * 10 ** len(told))

        await bench.run(_TWO_CALLS, budget=100, on_spend=pay)
        assert len(told) == 2 and 500 <= told[0] < 1_000 <= told[1]
        bench.driver.fund(SLOT, bench.attempt, 1)  # nothing runs
        assert len(told) == 2

    again(scene)


def test_money_that_is_spent_when_it_is_given_is_told_at_once(again: Play) -> None:
    told: list[int] = []

    async def scene(bench: Bench) -> None:
        def pay(attempt: str, metered: int) -> None:
            told.append(metered)
            bench.driver.fund(SLOT, attempt, 100 if len(told) == 1 else 10_000)

        await bench.run("[[usage: input=5000 output=2]] [[slow: 20ms x 10]]", budget=400, on_spend=pay)
        assert len(told) == 2 and told[0] == told[1]

    again(scene)


def test_a_turn_tells_how_much_its_conversation_holds(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run(
            "[[usage: input=7 output=2]] [[tool: Bash {}]] [[usage: input=50 output=20 cache_read=300]]"
        )
        assert report.outcome.context == 50 + 20 + 300

    again(scene)


def test_the_transcript_of_a_turn_is_what_its_evidence_says(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run("hello")
        path = bench.settings.transcripts_dir / f"{bench.attempt}.jsonl"
        content = path.read_bytes()
        evidence = report.outcome.transcript
        assert (len(content), hashlib.sha256(content).hexdigest()) == (evidence.length, evidence.sha256)
        assert json.loads(content.splitlines()[-1])["type"] == "result"
        assert path.stat().st_mode & 0o777 == 0o600

    again(scene)
