"""The slots' own tools as the protocol has them, without a process behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from claude_pool.adapters.claude.slot_server import TOOLS, Handler, SlotServer
from claude_pool.domain.errors import NotFound

LISTING_BYTES = 2_000


async def echo(name: str, given: Mapping[str, object]) -> Mapping[str, object]:
    """A pool that repeats what it is asked."""
    return {"tool": name, **given}


class Host:
    """A server with its answers by the id of their control request."""

    def __init__(self, handle: Handler = echo) -> None:
        self.answers: dict[str, Any] = {}
        self.answered = asyncio.Event()
        self.server = SlotServer(handle, self._reply)

    def _reply(self, request_id: str, body: Mapping[str, object]) -> None:
        self.answers[request_id] = body["mcp_response"]
        self.answered.set()

    def send(self, method: str, number: int | None = 1, **params: object) -> None:
        """One message, in the control request `c1`."""
        message: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
        self.server.take("c1", message if number is None else {**message, "id": number})

    async def call(self, tool: str, arguments: object) -> tuple[bool, str]:
        """Call a tool; whether it failed, and what it said."""
        self.answered.clear()
        self.send("tools/call", name=tool, arguments=arguments)
        await self.answered.wait()
        result = self.answers["c1"]["result"]
        return result["isError"], result["content"][0]["text"]


def on_host(scene: Callable[[Host], Awaitable[None]], handle: Handler = echo) -> None:
    """Run a scene on a server of its own."""

    async def show() -> None:
        await asyncio.wait_for(scene(Host(handle)), 10)

    asyncio.run(show())


def test_the_handshake_speaks_the_version_that_it_is_asked_for() -> None:
    async def scene(host: Host) -> None:
        host.send("initialize", 0, protocolVersion="2030-01-01")
        answer = host.answers["c1"]
        assert (answer["id"], answer["result"]["protocolVersion"]) == (0, "2030-01-01")
        assert answer["result"]["serverInfo"]["name"] == "pool"
        host.send("initialize", 0)
        assert host.answers["c1"]["result"]["protocolVersion"] == "2025-11-25"

    on_host(scene)


def test_notifications_and_pings_are_answered_with_nothing() -> None:
    async def scene(host: Host) -> None:
        host.send("notifications/initialized", None)
        assert host.answers["c1"] == {"jsonrpc": "2.0", "result": {}}
        host.send("ping", 7)
        assert host.answers["c1"] == {"jsonrpc": "2.0", "result": {}, "id": 7}

    on_host(scene)


def test_an_unknown_method_is_an_error_of_the_protocol() -> None:
    async def scene(host: Host) -> None:
        host.send("resources/list")
        assert host.answers["c1"]["error"]["code"] == -32601

    on_host(scene)


def test_the_listing_is_short_and_every_tool_in_it_runs_in_plan_mode() -> None:
    async def scene(host: Host) -> None:
        host.send("tools/list")
        tools = host.answers["c1"]["result"]["tools"]
        assert [tool["name"] for tool in tools] == [
            "slot_send_message",
            "slot_read_messages",
            "slot_context_get",
            "slot_ask_coordinator",
            "slot_report_progress",
        ]
        assert all(tool["annotations"] == {"readOnlyHint": True} for tool in tools)
        assert all(tool["inputSchema"]["additionalProperties"] is False for tool in tools)
        assert len(json.dumps(tools, separators=(",", ":"))) <= LISTING_BYTES

    on_host(scene)


def test_a_call_is_answered_with_its_result_as_json() -> None:
    async def scene(host: Host) -> None:
        failed, said = await host.call("slot_context_get", {"key": "br\N{LATIN SMALL LETTER E WITH ACUTE}"})
        assert not failed
        assert json.loads(said) == {"tool": "slot_context_get", "key": "br\u00e9"}
        assert await host.call("slot_read_messages", None) == (False, '{"tool": "slot_read_messages"}')

    on_host(scene)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("slot_send_message", {"to": "slot-1"}, "content: is required"),
        ("slot_send_message", {"to": "slot-1", "content": None}, "content: is required"),
        ("slot_send_message", {"to": 1, "content": "x"}, "to: must be a text"),
        ("slot_context_get", {"key": "x", "kye": "y"}, "kye: there is no such argument; known: key"),
        ("slot_read_messages", {"all": True}, "all: there is no such argument; known: none"),
        ("slot_ask_coordinator", {"question": "?", "wait_seconds": "10"}, "wait_seconds: must be a number"),
        ("slot_ask_coordinator", {"question": "?", "wait_seconds": True}, "wait_seconds: must be a number"),
        ("slot_dance", {}, "name: there is no such tool; known: slot_send_message, "),
        ("slot_read_messages", [1], "arguments: must be an object"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_done(tool: str, arguments: object, said: str) -> None:
    async def never(_: str, __: Mapping[str, object]) -> Mapping[str, object]:
        raise AssertionError("it was carried out")

    async def scene(host: Host) -> None:
        failed, text = await host.call(tool, arguments)
        assert failed and text.startswith(f"[invalid_argument] {said}"), text

    on_host(scene, never)


def test_what_is_left_out_is_not_handed_on() -> None:
    async def scene(host: Host) -> None:
        _, said = await host.call("slot_ask_coordinator", {"question": "?", "wait_seconds": None})
        assert json.loads(said) == {"tool": "slot_ask_coordinator", "question": "?"}

    on_host(scene)


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_kept() -> None:
    async def scene(host: Host) -> None:
        _, said = await host.call("slot_report_progress", {"text": "a\ud800b"})
        assert json.loads(said)["text"] == "a?b"

    on_host(scene)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(NotFound(kind="slot", id="slot-9", hint=""), "[not_found] "), (ValueError("boom"), "[internal] ")],
)
def test_a_failure_is_a_tool_error_with_a_code(fault: Exception, said: str) -> None:
    async def fails(_: str, __: Mapping[str, object]) -> Mapping[str, object]:
        raise fault

    async def scene(host: Host) -> None:
        failed, text = await host.call("slot_read_messages", {})
        assert failed and text.startswith(said) and "Traceback" not in text

    on_host(scene, fails)


def test_a_call_is_given_up_by_its_number_and_not_answered_then() -> None:
    ends: list[str] = []

    async def waits(name: str, _: Mapping[str, object]) -> Mapping[str, object]:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append(name)
        return {}

    async def scene(host: Host) -> None:
        host.send("tools/call", 5, name="slot_read_messages")
        host.send("tools/call", 6, name="slot_report_progress", arguments={"text": "x"})
        await asyncio.sleep(0)
        host.server.take("c2", {"method": "notifications/cancelled", "params": {"requestId": 5}})
        await asyncio.sleep(0)
        assert ends == ["slot_read_messages"]
        host.server.cancel()
        await asyncio.sleep(0)
        assert ends == ["slot_read_messages", "slot_report_progress"]
        assert list(host.answers) == ["c2"]

    on_host(scene, waits)


def test_all_tools_are_told_apart_by_their_names() -> None:
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)
