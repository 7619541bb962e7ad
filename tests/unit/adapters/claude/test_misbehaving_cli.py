"""What a CLI can do wrong, one persona of the fake at a time, and what the driver makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from claude_pool.adapters.claude import tree
from claude_pool.adapters.claude.driver import ClaudeDriver
from claude_pool.adapters.claude.slot_terms import SlotLimits
from claude_pool.domain.ports import Launch, SlotFailure
from claude_pool.domain.values import End, Limit, LimitKind

from tests.support.waiting import until
from tests.unit.adapters.claude.bench import SLOT, Bench, fake_bench

_LIMITS = SlotLimits(start_seconds=5.0, exit_seconds=0.5, output_bytes=2**20)
_SLOW_ANSWER = "[[reply: one two three four five six]] [[slow: 1s x 60]]"


def play(
    folder: Path,
    scene: Callable[[Bench], Awaitable[None]],
    persona: str = "normal",
    limits: SlotLimits = _LIMITS,
) -> None:
    """Run a scene on a driver of its own."""

    async def show() -> None:
        async with fake_bench(folder, persona, limits) as bench:
            await scene(bench)

    asyncio.run(show())


# ---------------------------------------------------------------------------- at the start


@pytest.mark.parametrize(
    ("persona", "code"),
    [("mute", "timed_out_start"), ("deaf", "timed_out_start"), ("crashstart 3", "slot_failed")],
)
def test_a_process_that_does_not_start_is_a_typed_failure(tmp_path: Path, persona: str, code: str) -> None:
    async def scene(bench: Bench) -> None:
        with pytest.raises(SlotFailure) as failure:
            await bench.launch()
        assert failure.value.code == code and failure.value.end is not None
        assert bench.exits == [] and list(bench.settings.runtime_dir.iterdir()) == []

    play(tmp_path, scene, persona, SlotLimits(start_seconds=1.0))


def test_a_keeper_that_does_not_start_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_pool.adapters.claude.process._KILL_SECONDS", 0.2)
    hung = tmp_path / "python"
    hung.write_text("#!/bin/sh\nexec sleep 60\n")
    hung.chmod(0o700)

    async def scene(bench: Bench) -> None:
        driver = ClaudeDriver(replace(bench.settings, python=str(hung)))
        with pytest.raises(SlotFailure) as failure:
            await driver.launch(Launch(SLOT, 1, str(uuid4()), str(bench.cwd)))
        assert failure.value.code == "timed_out_start" and "keeper" in failure.value.message
        assert list(bench.settings.runtime_dir.iterdir()) == []

    play(tmp_path, scene, limits=SlotLimits(start_seconds=0.3))


def test_the_last_words_of_a_process_that_does_not_start_are_told(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        with pytest.raises(SlotFailure, match="TypeError: undefined is not a function"):
            await bench.launch()

    play(tmp_path, scene, "crashstart 3")


def test_a_slow_start_is_waited_for(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        assert (await bench.run("hello")).outcome.end is End.SUCCEEDED

    play(tmp_path, scene, "slowstart 500")


# ---------------------------------------------------------------------------- in the middle of a turn


@pytest.mark.parametrize(
    ("persona", "code", "retryable"),
    [
        ("exit0", "no_result", True),
        ("crash 7", "slot_failed", True),
        ("kill9", "slot_failed", True),
        ("cut", "no_result", True),
        ("cut 1", "no_result", True),
        ("stall 3", "timed_out_silence", True),
        ("flood 3000000", "output_limit", False),
    ],
)
def test_a_process_that_fails_in_a_turn_fails_it_and_is_gone(
    tmp_path: Path, persona: str, code: str, retryable: bool
) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        report = await bench.run(f"[[persona: {persona}]] [[reply: a b c d]]", silence_ms=700)
        assert report.outcome.end is End.FAILED
        assert (report.outcome.code, report.outcome.retryable) == (code, retryable)
        assert not report.alive and bench.exits == []
        assert not Path(f"/proc/{pid}").exists()

    play(tmp_path, scene)


def test_a_turn_that_goes_silent_after_its_call_was_rejected_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_pool.adapters.claude.ladder._REJECTED_SECONDS", 0.1)

    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run(_SLOW_ANSWER)
        assert (report.outcome.code, report.outcome.limit) == (
            "provider_limit",
            Limit(LimitKind.USAGE, 1_800_000_000_000),
        )
        assert report.alive

    play(tmp_path, scene, "rejected 1800000000")


def test_a_turn_that_goes_on_after_a_rejected_call_is_left_alone(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("[[reply: it goes on]]")
        assert (report.outcome.end, report.outcome.limit) == (End.SUCCEEDED, None)

    play(tmp_path, scene, "rejected 1800000000")


def test_a_process_that_does_not_take_the_prompt_is_ended(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        await bench.run("the last one that it reads")
        report = await bench.run("hello", first_output_ms=500)
        assert (report.outcome.code, report.alive) == ("timed_out_start", False)

    play(tmp_path, scene, "noread")


def test_a_prompt_larger_than_a_pipe_holds_does_not_block_the_driver(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        await bench.run("the last one that it reads")
        report = await bench.run("x" * 2**20, first_output_ms=500)
        assert report.outcome.code == "timed_out_start"

    play(tmp_path, scene, "noread")


def test_a_closed_stdin_does_not_lose_the_answer(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        assert (await bench.run("hello")).outcome.end is End.SUCCEEDED

    play(tmp_path, scene, "closestdin")


def test_a_turn_that_starts_ever_more_processes_is_ended_with_all_of_them(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run(f"[[persona: daemon 30]] {_SLOW_ANSWER}")
        assert (report.outcome.code, report.outcome.retryable) == ("slot_failed", False)
        assert "more than 20 processes" in (report.outcome.message or "")
        assert not report.alive and tree.find(bench.settings.pool) == ()

    play(tmp_path, scene, limits=replace(_LIMITS, processes=20))


@pytest.mark.parametrize("flood", [100, 3_000_000])
def test_a_flood_on_stderr_does_not_block_the_turn(tmp_path: Path, flood: int) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run(f"[[persona: stderrflood {flood}]] [[reply: a b]]")
        assert report.outcome.end is End.SUCCEEDED

    play(tmp_path, scene)


def test_daemons_of_a_tool_end_with_the_turn(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        report = await bench.run("[[persona: daemon 5]] [[reply: a b]]")
        assert report.outcome.end is End.SUCCEEDED
        assert _with_cookie(bench) == {pid}

    play(tmp_path, scene)


def test_a_process_started_on_the_way_out_ends_too(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        await bench.run("[[persona: respawn]] [[reply: a b]]")
        await bench.driver.stop(SLOT)
        assert _with_cookie(bench) == set()

    play(tmp_path, scene, "respawn, linger")


# ---------------------------------------------------------------------------- on the wire


@pytest.mark.parametrize("persona", ["garbage", "unknown", "unicode", "noinit"])
def test_strange_lines_do_not_disturb_a_turn(tmp_path: Path, persona: str) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        for _ in range(2):
            report = await bench.run("[[usage: input=1000 output=200]] [[reply: a b c]]")
            assert report.outcome.output.inline == "a b c"
            assert report.outcome.cost == 200

    play(tmp_path, scene, persona)


def test_a_process_that_says_nothing_but_strange_lines_is_ended_at_the_bound(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run(f"[[persona: garbage]] [[reply: {'word ' * 120}]]")
        assert (report.outcome.end, report.outcome.code, report.alive) == (End.FAILED, "slot_failed", False)
        assert "JSON" in (report.outcome.message or "")

    play(tmp_path, scene)


def test_a_result_of_many_megabytes_is_taken_whole(tmp_path: Path) -> None:
    size = 20_000_000

    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run(f"[[persona: bigline {size}]]")
        assert report.outcome.output.size == size
        assert report.alive

    play(tmp_path, scene, limits=SlotLimits())


def test_a_line_beyond_the_limit_ends_the_slot(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("[[persona: bigline 40000000]]")
        assert (report.outcome.code, report.alive) == ("output_limit", False)

    play(tmp_path, scene, limits=SlotLimits())


def test_the_first_of_two_results_counts_and_both_are_charged(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("[[persona: double]] [[usage: input=1000 output=200]] [[reply: the first]]")
        assert report.outcome.output.inline == "the first"
        await until(lambda: bench.strays != [])
        assert report.outcome.cost == 200 and bench.strays[0].cost == 200
        assert (await bench.run("and again")).outcome.output.inline == "echo: and again"

    play(tmp_path, scene)


# ---------------------------------------------------------------------------- money


@pytest.mark.parametrize(
    "persona", ["nocost", "badcost negative", "badcost nan", "badcost text", "badcost huge"]
)
def test_a_bill_that_is_missing_or_absurd_is_replaced_by_the_meter(tmp_path: Path, persona: str) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run(f"[[persona: {persona}]] [[usage: input=1000 output=200]]")
        assert (report.outcome.cost, report.outcome.estimated) == (200, True)

    play(tmp_path, scene)


def test_a_bill_above_the_price_list_is_paid(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("[[usage: input=1000 output=200]]")
        assert (report.outcome.cost, report.outcome.estimated) == (600, False)

    play(tmp_path, scene, "expensive 3")


def test_the_older_cli_is_charged_the_same(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        session = "0b0e2a5c-0000-4000-8000-000000000001"
        await bench.launch(session=session)
        costs = [(await bench.run("[[usage: input=1000 output=200]]")).outcome.cost for _ in range(2)]
        await bench.driver.clear(SLOT)
        costs.append((await bench.run("[[usage: input=1000 output=200]]")).outcome.cost)
        await bench.launch(session=session, resume=session)
        costs.append((await bench.run("[[usage: input=1000 output=200]]")).outcome.cost)
        assert costs == [200, 200, 200, 200]

    play(tmp_path, scene, "old")


# ---------------------------------------------------------------------------- whose turn it is


def test_a_turn_that_a_peer_started_is_not_taken_for_ours(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("[[usage: input=1000 output=200]] [[reply: mine]]")
        assert report.outcome.output.inline == "mine"
        assert report.outcome.cost >= 200 + 100

    play(tmp_path, scene, "peer")


def test_an_unasked_turn_is_interrupted_and_charged_on_its_own(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("[[persona: peer after]] [[usage: input=1000 output=200]]")
        assert report.outcome.cost == 200
        await until(lambda: bench.strays != [])
        stray = bench.strays[0]
        assert (stray.end, stray.model) == (End.INTERRUPTED, "claude-haiku-5-5")
        assert 100 <= stray.cost < 150, "the whole input, and not the whole answer"

    play(tmp_path, scene)


def test_a_prompt_after_an_unasked_turn_gets_its_own_answer(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        await bench.run("[[persona: peer after]]")
        report = await bench.run("[[usage: input=1000 output=200]] [[reply: mine]]")
        assert (report.outcome.output.inline, report.outcome.cost) == ("mine", 200)

    play(tmp_path, scene)


# ---------------------------------------------------------------------------- clearing and stopping


@pytest.mark.parametrize("persona", ["badclear", "slowclear 10000"])
def test_a_clear_that_is_not_proven_ends_the_process(tmp_path: Path, persona: str) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        await bench.run("hello")
        with pytest.raises(SlotFailure) as failure:
            await bench.driver.clear(SLOT)
        assert failure.value.code == "slot_failed" and failure.value.end is not None
        assert not Path(f"/proc/{pid}").exists() and bench.exits == []

    play(tmp_path, scene, persona, SlotLimits(clear_seconds=0.5))


def test_a_process_that_ignores_everything_is_interrupted_within_eight_seconds(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        loop = asyncio.get_running_loop()
        served = asyncio.Event()
        turn = asyncio.create_task(
            bench.run(_SLOW_ANSWER, budget=1, on_spend=lambda _attempt, _spent: served.set())
        )
        await served.wait()
        began = loop.time()
        await bench.driver.interrupt(SLOT, bench.attempt)
        report = await turn
        assert loop.time() - began <= 8.0
        assert (report.outcome.end, report.alive) == (End.INTERRUPTED, False)
        assert not Path(f"/proc/{pid}").exists()

    play(tmp_path, scene, "noterm")


def test_a_process_that_lingers_is_stopped_all_the_same(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        end = await bench.driver.stop(SLOT)
        assert end.expected and not Path(f"/proc/{pid}").exists()

    play(tmp_path, scene, "linger, noterm")


def test_a_process_that_exits_after_its_turn_is_told(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("[[persona: crashafter 9]] hello")
        assert report.outcome.end is End.SUCCEEDED
        await until(lambda: bench.exits != [] or not report.alive)
        assert [end.exit_code for end in bench.exits] == ([9] if report.alive else [])

    play(tmp_path, scene)


def _with_cookie(bench: Bench) -> set[int]:
    """The living processes of the bench's pool, but for keepers."""
    found = tree.find(f"{bench.settings.pool}.")
    return {one.pid for one in found if b"keeper.py" not in Path(f"/proc/{one.pid}/cmdline").read_bytes()}
