"""What a slot driver promises of the tools that a slot has of the pool."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping

import pytest
from claude_pool.domain.errors import NotFound
from claude_pool.domain.values import End

from tests.support.slot_scenes import Play, output
from tests.unit.adapters.claude.bench import SLOT, Bench

_SEND = '[[tool: mcp__pool__slot_send_message {"to": "slot-1", "content": "hello"}]] [[result]]'


@pytest.mark.parametrize("mode", ["plan", "default", "acceptEdits", "dontAsk", "bypassPermissions"])
def test_a_slot_calls_its_own_tools_in_every_mode_and_the_driver_knows_who_calls(
    play: Play, mode: str
) -> None:
    calls: list[object] = []

    async def tool(
        slot_id: str, attempt: str, name: str, given: Mapping[str, object]
    ) -> Mapping[str, object]:
        calls.append((slot_id, attempt, name, dict(given)))
        return {"sent": "msg-1"}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        await bench.launch(permission_mode=mode)
        report = await bench.run(_SEND)
        assert json.loads(output(report)) == {"sent": "msg-1"}
        assert calls == [(SLOT, bench.attempt, "slot_send_message", {"to": "slot-1", "content": "hello"})]
        assert report.outcome.denials == ()

    play(scene)


def test_a_slots_own_tools_outlive_its_conversation(again: Play) -> None:
    async def tool(_: str, attempt: str, __: str, ___: Mapping[str, object]) -> Mapping[str, object]:
        return {"attempt": attempt}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        await bench.run(_SEND)
        await bench.driver.clear(SLOT)
        assert json.loads(output(await bench.run(_SEND))) == {"attempt": bench.attempt}

    again(scene)


def test_a_refused_tool_call_is_told_with_its_code_and_the_turn_goes_on(again: Play) -> None:
    async def tool(_: str, __: str, ___: str, given: Mapping[str, object]) -> Mapping[str, object]:
        if given["to"] == "crash":
            raise RuntimeError("boom")
        raise NotFound(kind="slot", id="slot-9", hint="")

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        for to, said in (("slot-9", "[not_found] There is no slot slot-9."), ("crash", "[internal]")):
            assert output(await bench.run(_SEND.replace("slot-1", to))).startswith(said)
        lacking = '[[tool: mcp__pool__slot_send_message {"to": "slot-1"}]] [[result]]'
        assert output(await bench.run(lacking)).startswith("[invalid_argument] content: is required")

    again(scene)


def test_a_slot_is_not_silent_while_its_own_tool_waits(again: Play) -> None:
    async def tool(_: str, __: str, ___: str, ____: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.sleep(1.8)  # the slot is silent for longer than it may be, but for our tool
        return {"waited": True}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        assert json.loads(output(await bench.run(_SEND, silence_ms=1500))) == {"waited": True}

    again(scene)


def test_an_interrupt_gives_up_a_tool_call_that_waits_and_leaves_the_slot_warm(again: Play) -> None:
    ends: list[str] = []
    begun: list[str] = []

    async def tool(_: str, attempt: str, ___: str, ____: Mapping[str, object]) -> Mapping[str, object]:
        begun.append(attempt)
        try:
            await asyncio.Event().wait()
        finally:
            ends.append(attempt)
        return {}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        report = await bench.run_and_interrupt(_SEND, when=lambda: bool(begun))
        assert (report.outcome.end, report.alive) == (End.INTERRUPTED, True)
        assert ends == [bench.attempt]
        assert output(await bench.run("go on")) == "echo: go on"

    again(scene)


def test_a_process_that_dies_gives_up_a_tool_call_that_waits(play: Play) -> None:
    ends: list[str] = []

    async def scene(bench: Bench) -> None:
        async def tool(_: str, attempt: str, ___: str, ____: Mapping[str, object]) -> Mapping[str, object]:
            os.kill(pid, 9)
            try:
                await asyncio.Event().wait()
            finally:
                ends.append(attempt)
            return {}

        bench.driver.on_slot_tool(tool)
        pid = await bench.launch()
        report = await bench.run(_SEND)
        assert (report.outcome.code, report.alive) == ("slot_failed", False)
        assert ends == [bench.attempt]

    play(scene)
