"""The scripted driver keeps the contract of `SlotDriver`, so that what it shows of a pool is true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from claude_pool.domain.ports import Launch, ProcessEnd, SlotDriver, SlotFailure, Turn, TurnReport
from claude_pool.domain.values import End, Outcome

from tests.support.scripted_driver import LiveTurn, ScriptedDriver, echo, failed, said

SESSION = str(uuid4())


def launch(number: int = 1, session: str = SESSION, resume: str | None = None, fork: bool = False) -> Launch:
    return Launch("slot-0", number, session, "/", resume=resume, fork=fork)


def turn(prompt: str, session: str = SESSION, attempt: str = "task-a.1", budget: int | None = None) -> Turn:
    return Turn(attempt, session, prompt, budget=budget)


def nothing(_attempt: str, _metered: int) -> None:
    """For turns without a budget."""


def drive(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(_awaited(work), 10))


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()


class Endless:
    """A script whose turns cost 700 microdollars and never end by themselves."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    async def __call__(self, live: LiveTurn) -> Outcome:
        live.spend(700)
        self.began.set()
        await asyncio.Event().wait()
        return said("never")


async def under_way() -> tuple[ScriptedDriver, asyncio.Task[TurnReport]]:
    """A driver in the middle of an endless turn of slot-0."""
    script = Endless()
    driver = ScriptedDriver(script)
    await driver.launch(launch())
    running = asyncio.create_task(driver.run("slot-0", turn("x"), nothing))
    await script.began.wait()
    return driver, running


def test_it_is_a_slot_driver() -> None:
    driver: SlotDriver = ScriptedDriver()
    assert driver is not None


def test_a_turn_is_answered_by_the_script() -> None:
    async def work() -> None:
        driver = ScriptedDriver(echo)
        await driver.launch(launch())
        report = await driver.run("slot-0", turn("hello"), nothing)
        assert (report.outcome.output.inline, report.session, report.alive) == ("echo: hello", SESSION, True)

    drive(work)


def test_a_turn_without_a_process_fails_and_raises_nothing() -> None:
    async def work() -> None:
        report = await ScriptedDriver().run("slot-0", turn("x"), nothing)
        assert (report.outcome.code, report.alive) == ("slot_failed", False)

    drive(work)


def test_an_interrupt_of_another_attempt_does_nothing() -> None:
    async def work() -> None:
        driver, running = await under_way()
        await driver.interrupt("slot-0", "task-b.1")
        assert not running.done()
        await driver.interrupt("slot-0", "task-a.1")
        report = await running
        assert (report.outcome.end, report.outcome.cost, report.alive) == (End.INTERRUPTED, 700, True)

    drive(work)


def test_a_stop_ends_the_turn_and_the_process() -> None:
    async def work() -> None:
        driver, running = await under_way()
        assert await driver.stop("slot-0") == ProcessEnd(0, 0, expected=True)
        assert not (await running).alive

    drive(work)


@pytest.mark.parametrize(("exit_code", "code"), [(-9, "slot_failed"), (0, "no_result")])
def test_a_death_in_a_turn_fails_the_turn(exit_code: int, code: str) -> None:
    async def work() -> None:
        driver, running = await under_way()
        exits: list[str] = []
        driver.on_exit(lambda slot_id, _: exits.append(slot_id))
        driver.die("slot-0", exit_code)
        report = await running
        assert (report.outcome.end, report.outcome.code, report.alive, exits) == (End.FAILED, code, False, [])

    drive(work)


def test_a_death_in_idleness_is_told() -> None:
    async def work() -> None:
        driver = ScriptedDriver()
        exits: list[tuple[str, bool]] = []
        driver.on_exit(lambda slot_id, end: exits.append((slot_id, end.expected)))
        await driver.launch(launch())
        driver.die("slot-0")
        assert exits == [("slot-0", False)]

    drive(work)


def test_the_pool_is_told_that_a_turns_money_nearly_ends_and_that_it_ended() -> None:
    async def spending(live: LiveTurn) -> Outcome:
        for _ in range(4):
            live.spend(400)
            await asyncio.sleep(0)
        return said("ok", cost=0)

    async def work() -> None:
        driver = ScriptedDriver(spending)
        told: list[tuple[str, int]] = []
        await driver.launch(launch())
        budgeted = replace(turn("x", budget=1_000), margin=300)
        report = await driver.run("slot-0", budgeted, lambda attempt, spent: told.append((attempt, spent)))
        assert (told, report.outcome.cost) == ([("task-a.1", 800), ("task-a.1", 1_200)], 1_600)

    drive(work)


def test_more_money_for_a_turn_counts_from_now_on() -> None:
    async def work() -> None:
        driver, running = await under_way()
        driver.fund("slot-0", "task-b.1", 1)
        driver.fund("slot-1", "task-a.1", 1)
        assert driver.live("slot-0").budget is None
        driver.fund("slot-0", "task-a.1", 900)
        assert driver.live("slot-0").budget == 900
        await driver.interrupt("slot-0", "task-a.1")
        await running

    drive(work)


def test_a_clear_begins_another_empty_conversation() -> None:
    async def work() -> None:
        seen: list[tuple[str, ...]] = []

        async def script(live: LiveTurn) -> Outcome:
            seen.append(live.earlier)
            return said("ok")

        driver = ScriptedDriver(script)
        await driver.launch(launch())
        await driver.run("slot-0", turn("one"), nothing)
        await driver.run("slot-0", turn("two"), nothing)
        session = await driver.clear("slot-0")
        await driver.run("slot-0", turn("three", session), nothing)
        assert session != SESSION and str(UUID(session)) == session
        assert seen == [(), ("one",), ()]

    drive(work)


def test_a_conversation_is_resumed_or_forked_by_a_new_process() -> None:
    async def work() -> None:
        driver = ScriptedDriver()
        await driver.launch(launch())
        await driver.run("slot-0", turn("one"), nothing)
        fork = str(uuid4())
        await driver.launch(launch(2, fork, resume=SESSION, fork=True))
        await driver.run("slot-0", turn("two", fork), nothing)
        await driver.launch(launch(3, str(uuid4()), resume=SESSION))
        report = await driver.run("slot-0", turn("three"), nothing)
        assert report.session == SESSION
        assert driver.conversations == {SESSION: ["one", "three"], fork: ["one", "two"]}

    drive(work)


def test_an_unknown_conversation_cannot_be_resumed() -> None:
    async def work() -> None:
        driver = ScriptedDriver()
        with pytest.raises(SlotFailure) as failure:
            await driver.launch(launch(resume=str(uuid4())))
        assert failure.value.code == "session_not_found"
        assert not (await driver.run("slot-0", turn("x"), nothing)).alive

    drive(work)


def test_launches_and_clears_fail_as_told() -> None:
    async def work() -> None:
        driver = ScriptedDriver(
            launch_failures=[SlotFailure("timed_out_start", "Slow.")],
            clear_failures=[SlotFailure("slot_failed", "Stuck.")],
        )
        with pytest.raises(SlotFailure, match="Slow"):
            await driver.launch(launch())
        await driver.launch(launch(2))
        with pytest.raises(SlotFailure, match="Stuck"):
            await driver.clear("slot-0")
        assert not (await driver.run("slot-0", turn("x"), nothing)).alive

    drive(work)


def test_a_turn_can_fail_and_leave_the_process() -> None:
    async def refusing(_live: LiveTurn) -> Outcome:
        return failed("model_refused")

    async def work() -> None:
        driver = ScriptedDriver(refusing)
        await driver.launch(launch())
        report = await driver.run("slot-0", turn("x"), nothing)
        assert (report.outcome.code, report.alive) == ("model_refused", True)

    drive(work)
