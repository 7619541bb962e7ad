"""Chains that are long, large, or outlive their owner."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path
from time import process_time

import pytest
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.places import Places
from claude_pool.adapters.queries import chain_shown, events_between
from claude_pool.adapters.requests import PROMPT_BYTES, ChainRequest, StepRequest, TaskRequest
from claude_pool.adapters.store.opening import open_store
from claude_pool.adapters.views import View
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain.chain_events import StepStarted
from claude_pool.domain.errors import IdempotencyConflict, InvalidArgument
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import Outcome, Text

from tests.support.scripted_driver import LiveTurn, Script, ScriptedDriver, echo, said
from tests.support.scripted_pool import scripted_pool
from tests.support.waiting import until

LONG_WAIT = 90.0


def line(size: int, prompt: str = "x", key: str | None = None) -> ChainRequest:
    """Steps each of which needs the one before it."""
    steps = tuple(StepRequest(f"s{number}", TaskRequest(prompt)) for number in range(size))
    return ChainRequest(steps, idempotency_key=key)


async def run(pool: Running, request: ChainRequest) -> View:
    """The view of the chain after its end."""
    chain_id = await pool.application.chains.submit(request, CALLER)
    await asyncio.wait_for(pool.application.chains.finished([chain_id], 600), LONG_WAIT)
    return await pool.application.chains.view(chain_id)


def test_a_thousand_steps_are_accepted_and_run_at_a_few_milliseconds_each(tmp_path: Path) -> None:
    async def scene() -> View:
        async with scripted_pool(tmp_path, slots=4) as pool:
            return await run(pool, line(1_000))

    began = process_time()
    view = asyncio.run(scene())
    assert (view["state"], len(view["steps"])) == ("completed", 1_000)
    assert {step["state"] for step in view["steps"]} == {"completed"}
    assert process_time() - began < 20, "a step costs 4 ms; this allows five times as much"


def test_more_than_ten_megabytes_of_prompts_are_refused(tmp_path: Path) -> None:
    async def scene() -> str:
        async with scripted_pool(tmp_path) as pool:
            with pytest.raises(InvalidArgument) as refusal:
                await pool.application.chains.submit(line(2, "x" * 5_000_001), CALLER)
            assert not pool.world.chains
            return refusal.value.message

    assert "10000002 bytes are more than the 10000000" in asyncio.run(scene())


def test_five_megabytes_of_output_come_into_the_next_prompt_whole(tmp_path: Path) -> None:
    long = "x" * 5_000_000 + "end"
    seen: list[str] = []

    async def scene() -> tuple[View, Text | None]:
        async def script(turn: LiveTurn) -> Outcome:
            seen.append(turn.prompt)
            return said(long) if turn.prompt == "one" else said("short")

        async with scripted_pool(tmp_path, script) as pool:
            steps = (
                StepRequest("a", TaskRequest("one")),
                StepRequest("b", TaskRequest("<{previous_output}>")),
            )
            view = await run(pool, ChainRequest(steps))
            card = await chain_shown(pool.service, view["chain_id"])
            return view, card.steps[0].output

    view, output = asyncio.run(scene())
    assert view["state"] == "completed"
    assert seen == ["one", f"<{long}>"]
    assert output is not None
    assert (output.inline, output.size) == (None, len(long)), "the log holds a reference only"


def test_a_prompt_that_outputs_make_too_long_fails_its_step(tmp_path: Path) -> None:
    async def scene() -> View:
        async def script(turn: LiveTurn) -> Outcome:
            assert turn.prompt == "one"
            return said("x" * (PROMPT_BYTES // 2))

        async with scripted_pool(tmp_path, script) as pool:
            steps = (
                StepRequest("a", TaskRequest("one")),
                StepRequest("b", TaskRequest("{previous_output}{steps.a.output}!")),
            )
            return await run(pool, ChainRequest(steps))

    view = asyncio.run(scene())
    assert (view["state"], view["steps"][1]["error"]["code"]) == ("failed", "prompt_too_long")


# Over a log on disk.


@contextlib.asynccontextmanager
async def owner(
    folder: Path, script: Script = echo, driver: ScriptedDriver | None = None
) -> AsyncGenerator[Running]:
    """A pool at work on the log in the folder; one after the other."""
    state = folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    places = Places(str(state), str(folder / "s"), str(folder), str(folder))
    settings = Settings(slots=2, working_dir=str(folder))
    store, workshop = open_store(places), Workshop(None, {}, folder)
    chosen = driver or ScriptedDriver(script)
    async with running_pool(store, workshop, settings, None, False, driver=chosen) as running:
        yield running


def test_memory_does_not_grow_with_the_outputs_of_a_chain(tmp_path: Path) -> None:
    async def script(turn: LiveTurn) -> Outcome:
        driver.turns.clear()
        for prompts in driver.conversations.values():
            prompts.clear()  # the double remembers all that it was told
        return said(turn.prompt[:5] + "x" * 200_000)

    driver = ScriptedDriver(script)

    async def scene() -> int:
        async with owner(tmp_path, driver=driver) as pool:
            await run(pool, line(10, "{previous_output}"))
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            chain_id = await pool.application.chains.submit(line(100, "y{previous_output}"), CALLER)
            await asyncio.wait_for(pool.application.chains.finished([chain_id], 600), LONG_WAIT)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert not pool.world.chains
            return peak - before

    assert asyncio.run(scene()) < 8_000_000, "100 outputs of 200 KB would be kept in memory"


def test_a_chain_goes_on_after_its_owner_and_no_step_runs_twice(tmp_path: Path) -> None:
    prompts: list[str] = []

    async def first(turn: LiveTurn) -> Outcome:
        prompts.append(turn.prompt)
        if turn.prompt == "two":
            await asyncio.Event().wait()
        return said(turn.prompt)

    async def second(turn: LiveTurn) -> Outcome:
        prompts.append(turn.prompt)
        return said(turn.prompt)

    steps = (
        StepRequest("a", TaskRequest("one")),
        StepRequest("b", TaskRequest("two"), on_failure="continue"),
        StepRequest("c", TaskRequest("three {steps.a.output}")),
    )
    request = ChainRequest(steps, idempotency_key="key", arguments={"key": 1})

    async def scene() -> tuple[View, list[str]]:
        async with owner(tmp_path, first) as pool:
            chain_id = await pool.application.chains.submit(request, CALLER)
            await until(lambda: prompts == ["one", "two"])
        async with owner(tmp_path, second) as pool:
            assert await pool.application.chains.submit(request, CALLER) == chain_id
            (sealed,) = pool.world.tasks
            await pool.application.cancel(sealed)
            await asyncio.wait_for(pool.application.chains.finished([chain_id], 60), LONG_WAIT)
            recorded = await events_between(pool.service, chain_id, 0, None, 1_000)
            started = [r.event.step for r in recorded if isinstance(r.event, StepStarted)]
            return await pool.application.chains.view(chain_id), started

    view, started = asyncio.run(scene())
    assert prompts == ["one", "two", "three one"]
    assert started == ["a", "b", "c"]
    assert [(step["name"], step["state"]) for step in view["steps"]] == [
        ("a", "completed"), ("b", "cancelled"), ("c", "completed"),
    ]  # fmt: skip
    assert view["state"] == "completed"


def test_the_same_key_gives_the_same_chain_also_after_its_end_and_a_restart(tmp_path: Path) -> None:
    request = ChainRequest(line(2).steps, idempotency_key="key", arguments={"steps": 2})
    other = ChainRequest(line(3).steps, idempotency_key="key", arguments={"steps": 3})

    async def scene() -> set[str]:
        async with owner(tmp_path) as pool:
            ids = {(await run(pool, request))["chain_id"], await pool.application.chains.submit(request)}
        async with owner(tmp_path) as pool:
            again = await pool.application.chains.submit(request, CALLER)
            assert not pool.world.chains, "nothing runs again"
            with pytest.raises(IdempotencyConflict):
                await pool.application.chains.submit(other, CALLER)
            assert (await pool.application.chains.view(again))["state"] == "completed"
            return ids | {again}

    assert len(asyncio.run(scene())) == 1


def test_a_wait_tells_each_chain_once_by_its_cursor_also_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> tuple[list[View], list[bool]]:
        async with owner(tmp_path) as pool:
            first = (await run(pool, line(2)))["chain_id"]
            waited = await pool.application.wait(None, None, 0)
            told, cursor = [view["chain_id"] for view in waited.chains], waited.cursor
            assert told == [first]
        async with owner(tmp_path) as pool:
            nothing = await pool.application.wait(None, cursor, 0)
            second = (await run(pool, line(1)))["chain_id"]
            waited = await pool.application.wait(None, cursor, 0)
            return nothing.chains, [view["chain_id"] == second for view in waited.chains]

    assert asyncio.run(scene()) == ([], [True])
