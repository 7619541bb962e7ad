"""Messages between the slots of a pool at work and its coordinator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from claude_pool.adapters.messages import LOST, Messages
from claude_pool.adapters.origins import CALLER, Origin
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.store.blobs import TextLost
from claude_pool.adapters.wiring import Running
from claude_pool.domain.errors import IdempotencyConflict, InvalidArgument, PoolError
from claude_pool.domain.inbox import MESSAGE_BYTES
from claude_pool.domain.records import Actor
from claude_pool.domain.values import Text

from tests.support.scripted_driver import ScriptedDriver, failed
from tests.support.scripted_pool import WAIT_SECONDS, scripted_pool

SLOT = Origin(Actor.SLOT)
Play = Callable[[Running, Messages], Awaitable[None]]


def play(folder: Path, act: Play, driver: ScriptedDriver | None = None) -> None:
    """Have `act` played in a pool of two slots."""

    async def show() -> None:
        async with scripted_pool(folder, driver=driver) as pool:
            await act(pool, pool.application.messages)

    asyncio.run(asyncio.wait_for(show(), WAIT_SECONDS))


async def states(messages: Messages, owner: str) -> list[str]:
    """The states of an inbox's messages, oldest first."""
    return [view["state"] for view in (await messages.peek(owner))["messages"]]


async def ask(pool: Running, question: str) -> asyncio.Task[str | None]:
    """Slot-0 asks, and the question is on record."""
    recorded = asyncio.Event()
    pool.service.on_facts(lambda facts: recorded.set() if facts[0].stream == "pool" else None)
    messages = pool.application.messages
    asking = asyncio.create_task(messages.ask("slot-0", question, WAIT_SECONDS, SLOT))
    await recorded.wait()
    return asking


def test_a_message_stands_in_the_prompt_of_the_slots_next_task_only(tmp_path: Path) -> None:
    driver = ScriptedDriver()

    async def act(pool: Running, messages: Messages) -> None:
        sent = await messages.send("slot-1", "slot-0", "Mind the gap.", CALLER)
        assert (sent["from"], sent["to"], sent["state"]) == ("slot-1", "slot-0", "waiting")
        for _ in range(2):
            await pool.application.run(TaskRequest("work", slot="slot-0"), wait_seconds=WAIT_SECONDS)
        assert await states(messages, "slot-0") == ["delivered"]
        first, second = (turn.prompt for _, turn in driver.turns)
        assert "From slot-1 at " in first and "  Mind the gap.\n" in first
        assert second == "work"

    play(tmp_path, act, driver)


def test_a_long_message_is_delivered_whole(tmp_path: Path) -> None:
    driver = ScriptedDriver()
    long = "x" * MESSAGE_BYTES

    async def act(pool: Running, messages: Messages) -> None:
        await messages.send("coordinator", "slot-0", long, CALLER)
        await pool.application.run(TaskRequest("work", slot="slot-0"), wait_seconds=WAIT_SECONDS)
        assert long in driver.turns[0][1].prompt

    play(tmp_path, act, driver)


def test_a_message_whose_text_is_lost_does_not_keep_a_task_from_its_work(tmp_path: Path) -> None:
    driver = ScriptedDriver()

    async def act(pool: Running, messages: Messages) -> None:
        await messages.send("coordinator", "slot-0", "x" * MESSAGE_BYTES, CALLER)

        get = pool.store.texts.get

        def lost(text: Text) -> str:
            if text.blob is None:
                return get(text)
            raise TextLost(path="blobs", problem="missing")

        pool.store.texts.get = lost  # type: ignore[method-assign]  # someone removed the file
        view = await pool.application.run(TaskRequest("work", slot="slot-0"), wait_seconds=WAIT_SECONDS)
        assert view["state"] == "completed"
        assert LOST in driver.turns[0][1].prompt

    play(tmp_path, act, driver)


def test_a_message_comes_again_where_no_model_was_shown_it(tmp_path: Path) -> None:
    driver = ScriptedDriver()

    async def script(_: object) -> object:
        return failed("timed_out_start")

    driver.script = script  # type: ignore[assignment]  # every turn comes to nothing

    async def act(pool: Running, messages: Messages) -> None:
        await messages.send("coordinator", "slot-0", "Mind the gap.", CALLER)
        for _ in range(2):
            await pool.application.run(TaskRequest("work", slot="slot-0"), wait_seconds=WAIT_SECONDS)
        assert await states(messages, "slot-0") == ["waiting"]
        assert all("Mind the gap." in turn.prompt for _, turn in driver.turns)

    play(tmp_path, act, driver)


def test_reading_marks_as_read_and_tells_how_many_wait(tmp_path: Path) -> None:
    async def act(_: Running, messages: Messages) -> None:
        for __ in range(3):
            await messages.send("slot-0", "coordinator", "x" * MESSAGE_BYTES, SLOT)
        view = await messages.read("coordinator", "coordinator", CALLER)
        assert [each["state"] for each in view["messages"]] == ["read", "read"]
        assert view["messages"][0]["content"] == "x" * MESSAGE_BYTES
        assert view["waiting"] == 1

    play(tmp_path, act)


def test_the_same_key_sends_once_and_another_text_under_it_is_a_conflict(tmp_path: Path) -> None:
    async def act(_: Running, messages: Messages) -> None:
        first = await messages.send("slot-0", "slot-1", "hello", CALLER, "key")
        assert await messages.send("slot-0", "slot-1", "hello", CALLER, "key") == first
        everyone = await messages.broadcast("coordinator", "hello", CALLER, "key")
        assert await messages.broadcast("coordinator", "hello", CALLER, "key") == everyone
        assert everyone["to"] == ["slot-0", "slot-1"]
        assert await states(messages, "slot-1") == ["waiting", "waiting"]
        with pytest.raises(IdempotencyConflict):
            await messages.send("slot-0", "slot-1", "bye", CALLER, "key")

    play(tmp_path, act)


def test_a_text_that_no_message_can_hold_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    async def act(pool: Running, messages: Messages) -> None:
        def full(_: str) -> Text:
            raise AssertionError("it was kept")

        pool.store.texts.put = full  # type: ignore[method-assign]  # what must not happen
        refused: type[PoolError] = InvalidArgument
        with pytest.raises(refused):
            await messages.send("slot-0", "slot-1", "x" * (MESSAGE_BYTES + 1), CALLER)

    play(tmp_path, act)


def test_the_coordinators_next_message_answers_a_question(tmp_path: Path) -> None:
    async def act(pool: Running, messages: Messages) -> None:
        await messages.send("coordinator", "slot-0", "sent before", CALLER)
        question = await ask(pool, "Which one?")
        (shown,) = (await messages.peek("coordinator"))["messages"]
        assert (shown["kind"], shown["content"]) == ("question", "Which one?")
        await messages.send("slot-1", "slot-0", "no idea", CALLER)
        await messages.send("coordinator", "slot-1", "not for you", CALLER)
        await messages.send("coordinator", "slot-0", "The left one.", CALLER)
        assert await question == "The left one."
        assert sorted(await states(messages, "slot-0")) == ["read", "waiting", "waiting"]

    play(tmp_path, act)


def test_questions_of_one_slot_are_answered_in_their_order(tmp_path: Path) -> None:
    async def act(pool: Running, messages: Messages) -> None:
        first, second = await ask(pool, "One?"), await ask(pool, "Two?")
        await messages.send("coordinator", "slot-0", "1", CALLER)
        await messages.send("coordinator", "slot-0", "2", CALLER)
        assert (await first, await second) == ("1", "2")

    play(tmp_path, act)


def test_a_question_that_nobody_answers_ends_and_its_answer_waits_in_the_inbox(tmp_path: Path) -> None:
    async def act(_: Running, messages: Messages) -> None:
        assert await messages.ask("slot-0", "Anyone?", 0, SLOT) is None
        assert (await messages.peek("coordinator"))["messages"][0]["kind"] == "question"
        await messages.send("coordinator", "slot-0", "Too late.", CALLER)
        assert await states(messages, "slot-0") == ["waiting"]

    play(tmp_path, act)
