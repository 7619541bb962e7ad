"""What slots get from their pool when they ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import Running
from claude_pool.domain.errors import InvalidArgument, NotFound, PoolError
from claude_pool.domain.message_events import MessageAccepted
from claude_pool.domain.records import Actor
from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import WAIT_SECONDS, scripted_pool

Play = Callable[[LiveTurn, Application], Awaitable[None]]


def play(folder: Path, act: Play) -> Running:
    """Have `act` played in a task of slot-0; the pool, which has ended."""

    async def show() -> Running:
        async def script(live: LiveTurn) -> Outcome:
            await act(live, pool.application)
            return said("done")

        async with scripted_pool(folder, script) as pool:
            task = TaskRequest("work", slot="slot-0")
            view = await pool.application.run(task, wait_seconds=WAIT_SECONDS)
            assert view["state"] == "completed", view
            return pool

    return asyncio.run(asyncio.wait_for(show(), WAIT_SECONDS))


def test_a_message_is_from_the_slot_whose_pipe_it_came_through(tmp_path: Path) -> None:
    async def act(live: LiveTurn, application: Application) -> None:
        sent = await live.use("slot_send_message", to="slot-1", content="hello")
        (message,) = (await application.messages.peek("slot-1"))["messages"]
        assert (message["message_id"], message["from"]) == (sent["sent"], "slot-0")

    pool = play(tmp_path, act)
    accepted = [r for r in pool.store.log.read_stream("slot-1") if isinstance(r.event, MessageAccepted)]
    assert [r.meta.actor for r in accepted] == [Actor.SLOT]


def test_a_slot_reads_what_came_since_its_task_began(tmp_path: Path) -> None:
    async def act(live: LiveTurn, application: Application) -> None:
        await application.messages.send("coordinator", "slot-0", "Hurry.", CALLER)
        read = await live.use("slot_read_messages")
        (message,) = read["messages"]  # type: ignore[misc]  # a list of one
        assert (message["from"], message["content"]) == ("coordinator", "Hurry.")
        assert (await live.use("slot_read_messages")) == {"messages": [], "waiting": 0}

    play(tmp_path, act)


def test_a_slot_gets_a_shared_value_as_it_is_now(tmp_path: Path) -> None:
    async def act(live: LiveTurn, application: Application) -> None:
        await application.context.set("branch", "release-8")
        assert await live.use("slot_context_get", key="branch") == {"key": "branch", "value": "release-8"}
        refused: type[PoolError] = NotFound
        with pytest.raises(refused, match="branch"):
            await live.use("slot_context_get", key="brunch")

    play(tmp_path, act)


def test_a_question_is_answered_or_said_to_be_open(tmp_path: Path) -> None:
    async def act(live: LiveTurn, application: Application) -> None:
        asking = asyncio.ensure_future(live.use("slot_ask_coordinator", question="Which?"))
        while not (await application.messages.peek("coordinator"))["waiting"]:  # noqa: ASYNC110 - its own turn
            await asyncio.sleep(0)
        await application.messages.send("coordinator", "slot-0", "The left one.", CALLER)
        assert await asking == {"answer": "The left one."}
        open_still = await live.use("slot_ask_coordinator", question="And now?", wait_seconds=0)
        assert open_still["answer"] is None and "Go on without" in str(open_still["note"])

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("slot_ask_coordinator", {"question": "?", "wait_seconds": 61}),
        ("slot_ask_coordinator", {"question": "?", "wait_seconds": -1}),
        ("slot_ask_coordinator", {"question": "?", "wait_seconds": float("nan")}),
        ("slot_ask_coordinator", {"question": ""}),
        ("slot_report_progress", {"text": "x" * 501}),
    ],
)
def test_what_is_out_of_bounds_is_refused(tmp_path: Path, tool: str, given: dict[str, object]) -> None:
    async def act(live: LiveTurn, _: Application) -> None:
        refused: type[PoolError] = InvalidArgument
        with pytest.raises(refused):
            await live.use(tool, **given)

    play(tmp_path, act)


def test_an_unknown_tool_is_refused(tmp_path: Path) -> None:
    async def act(live: LiveTurn, _: Application) -> None:
        with pytest.raises(NotFound):
            await live.use("slot_dance")

    play(tmp_path, act)
