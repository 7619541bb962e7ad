"""The control channel, without a process behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from claude_pool.adapters.claude.controls import ControlRefused, Controls
from claude_pool.adapters.claude.stream import Message


class Channel:
    """Controls with their lines in a list."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.questions: list[tuple[str, Message]] = []
        self.withdrawn: list[str] = []
        self.messages: list[tuple[str, Any]] = []
        self.controls = Controls(
            self._write,
            lambda name, request: self.questions.append((name, request)),
            self.withdrawn.append,
            lambda request_id, message: self.messages.append((request_id, message)),
        )

    def _write(self, line: bytes) -> None:
        self.lines.append(json.loads(line))

    def answer(self, response: dict[str, Any]) -> None:
        """Answer the last request."""
        response = {"request_id": self.lines[-1]["request_id"], **response}
        self.controls.take({"type": "control_response", "response": response})


def on_channel(scene: Callable[[Channel], Awaitable[None]]) -> None:
    """Run a scene on a channel of its own."""

    async def show() -> None:
        await scene(Channel())

    asyncio.run(show())


def test_an_answer_reaches_the_one_who_asked() -> None:
    async def scene(channel: Channel) -> None:
        asking = asyncio.create_task(channel.controls.ask("set_model", 5, model="haiku"))
        await asyncio.sleep(0)
        assert channel.lines[0]["request"] == {"subtype": "set_model", "model": "haiku"}
        channel.answer({"subtype": "success", "response": {"model": "claude-haiku"}})
        assert await asking == {"model": "claude-haiku"}

    on_channel(scene)


def test_an_error_is_a_refusal_with_its_text() -> None:
    async def scene(channel: Channel) -> None:
        asking = asyncio.create_task(channel.controls.ask("set_permission_mode", 5, mode="x"))
        await asyncio.sleep(0)
        channel.answer({"subtype": "error", "error": "no such mode"})
        with pytest.raises(ControlRefused, match="no such mode") as refused:
            await asking
        assert not refused.value.unanswered

    on_channel(scene)


def test_silence_is_a_refusal_that_says_so() -> None:
    async def scene(channel: Channel) -> None:
        with pytest.raises(ControlRefused) as refused:
            await channel.controls.ask("initialize", 0.01)
        assert refused.value.unanswered

    on_channel(scene)


def test_the_end_of_the_process_answers_everyone() -> None:
    async def scene(channel: Channel) -> None:
        asking = asyncio.create_task(channel.controls.ask("initialize", 5))
        await asyncio.sleep(0)
        channel.controls.close()
        with pytest.raises(ControlRefused):
            await asking
        with pytest.raises(ControlRefused):
            await channel.controls.ask("initialize", 5)

    on_channel(scene)


def test_a_permission_question_is_told_and_answered_by_its_id() -> None:
    async def scene(channel: Channel) -> None:
        request = {"subtype": "can_use_tool", "tool_name": "Bash", "tool_use_id": "toolu_1"}
        channel.controls.take({"type": "control_request", "request_id": "r1", "request": request})
        assert channel.questions == [("r1", request)] and channel.lines == []
        channel.controls.reply("r1", {"behavior": "allow"})
        response = channel.lines[0]["response"]
        assert response["request_id"] == "r1" and response["subtype"] == "success"
        assert response["response"] == {"behavior": "allow"}

    on_channel(scene)


def test_a_question_that_wants_no_answer_any_more_is_told() -> None:
    async def scene(channel: Channel) -> None:
        assert channel.controls.take({"type": "control_cancel_request", "request_id": "r1"})
        assert channel.withdrawn == ["r1"] and channel.lines == []

    on_channel(scene)


@pytest.mark.parametrize("request_", [{"subtype": "elicitation"}, {}, "text", None])
def test_any_other_question_is_answered_with_an_error(request_: object) -> None:
    async def scene(channel: Channel) -> None:
        channel.controls.take({"type": "control_request", "request_id": "r1", "request": request_})
        response = channel.lines[0]["response"]
        assert (response["request_id"], response["subtype"]) == ("r1", "error")

    on_channel(scene)


@pytest.mark.parametrize("kind", ["result", "system", "", 7])
def test_other_messages_are_left_to_others(kind: object) -> None:
    async def scene(channel: Channel) -> None:
        assert not channel.controls.take({"type": kind})
        assert channel.controls.take({"type": "control_response", "response": {"request_id": "stranger"}})
        assert channel.lines == []

    on_channel(scene)


def test_a_message_for_the_slots_own_server_is_handed_on_and_answered_when_its_answer_is_there() -> None:
    async def scene(channel: Channel) -> None:
        request = {"subtype": "mcp_message", "server_name": "pool", "message": {"method": "ping"}}
        channel.controls.take({"type": "control_request", "request_id": "c1", "request": request})
        assert (channel.messages, channel.lines) == ([("c1", {"method": "ping"})], [])
        channel.controls.reply("c1", {"mcp_response": "pong"})
        response = {"subtype": "success", "request_id": "c1", "response": {"mcp_response": "pong"}}
        assert channel.lines == [{"type": "control_response", "response": response}]

    on_channel(scene)


def test_a_message_for_another_server_is_an_error() -> None:
    async def scene(channel: Channel) -> None:
        request = {"subtype": "mcp_message", "server_name": "files", "message": {"method": "ping"}}
        channel.controls.take({"type": "control_request", "request_id": "c1", "request": request})
        assert channel.messages == []
        assert channel.lines[0]["response"]["subtype"] == "error"

    on_channel(scene)
