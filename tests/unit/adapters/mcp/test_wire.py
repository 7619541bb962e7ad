"""What goes over the wire, byte by byte: errors, odd lines, and the ends of connections."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.lines import LINE_BYTES, serve_lines
from claude_pool.adapters.mcp.toolsets import chosen_toolsets
from claude_pool.adapters.wiring import Running
from claude_pool.domain.records import Actor
from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import Wire, scripted_pool, server_of, wired

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def on_wire(
    folder: Path, use: Callable[[Wire, Running], Awaitable[None]], connection: Connection | None = None
) -> None:
    async def body() -> None:
        async with scripted_pool(folder) as running, wired(server_of(running), connection) as wire:
            await use(wire, running)

    asyncio.run(body())


@pytest.mark.parametrize(
    ("tool", "arguments", "beginning"),
    [
        ("pool_result", {"task_id": "task-aaaaaaaaaaaaaaaa"}, "[not_found] There is no task task-aaaa"),
        ("pool_result", {"task_id": "../../etc"}, "[invalid_argument] task_id: "),
        ("pool_result", {}, "[invalid_argument] task_id: is required"),
        ("pool_result", {"task_id": 7}, "[invalid_argument] task_id: "),
        ("pool_cancel", {"task_id": "slot-0"}, "[invalid_argument] task_id: "),
        ("pool_wait", {"task_ids": ["../../etc"]}, "[invalid_argument] task_id: "),
        ("pool_wait", {"task_ids": ["task-aaaaaaaaaaaaaaaa"]}, "[not_found] There is no task "),
        ("pool_wait", {"chain_ids": ["chain-aaaaaaaaaaaaaaaa"]}, "[not_found] There is no chain "),
        ("pool_run", {"prompt": ""}, "[invalid_argument] prompt: a prompt cannot be empty"),
        ("pool_run", {"prompt": "x", "slot": "slot-99"}, "[not_found] There is no slot slot-99"),
        ("pool_submit", {"prompt": "x", "what": 1}, "[invalid_argument] what: there is no such argument"),
        ("pool_fan_out", {}, "[invalid_argument] arguments: say either prompts or tasks"),
        ("pool_fan_out", {"prompts": []}, "[invalid_argument] prompts: "),
        ("pool_fan_out", {"prompts": ["x"] * 501}, "[invalid_argument] prompts: "),
        ("context_get", {"key": "nothing"}, "[not_found] There is no context value nothing"),
        ("pool_configure_slot", {"slot_id": "slot-00"}, "[invalid_argument] slot_id: "),
        ("pool_configure_slot", {"slot_id": "slot-0", "role": "slot-1"}, "[invalid_argument] role: "),
        ("pool_scale_up", {"count": 900}, "[invalid_argument] target: "),
        (
            "pool_sumbit",
            {"prompt": "x"},
            "[not_found] There is no tool pool_sumbit. Close to it: pool_submit",
        ),
        ("", {}, "[not_found] There is no tool"),
        ("pool_why", {"id": "slot-0"}, "[not_found] There is no tool pool_why in this connection."),
    ],
)
def test_an_error_begins_with_its_code_and_nothing_before_it(
    tmp_path: Path, tool: str, arguments: dict[str, Any], beginning: str
) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        text = await wire.refusal(tool, **arguments)
        assert text.startswith(beginning)
        assert "Traceback" not in text

    on_wire(tmp_path, use)


def test_a_fault_inside_is_told_as_internal_and_with_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(wire: Wire, running: Running) -> None:
        def crash() -> None:
            raise RuntimeError("/home/someone/.secret")

        monkeypatch.setattr(running.application, "status", crash)
        text = await wire.refusal("pool_status")
        assert text.startswith("[internal] ")
        assert "secret" not in text and "RuntimeError" not in text
        read = await wire.request("resources/read", uri="pool://status")
        assert read["error"]["message"] == text

    on_wire(tmp_path, use)
    assert ".secret" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (b'{"wait_seconds": NaN}', "wait_seconds"),
        (b'{"wait_seconds": Infinity}', "wait_seconds"),
        (b'{"wait_seconds": 1e999}', "wait_seconds"),
        (b'{"wait_seconds": 1e30}', "wait_seconds"),
        (b'{"wait_seconds": -1}', "wait_seconds"),
        (b'{"wait_seconds": true}', "wait_seconds"),
        (b'{"wait_seconds": "1:30"}', "wait_seconds"),
        (b'{"cursor": 1' + b"0" * 300 + b"}", "cursor"),
        (b'{"cursor": 1' + b"0" * 5_000 + b"}", "cursor"),
    ],
)
def test_odd_numbers_in_the_json_text_are_refused(tmp_path: Path, arguments: bytes, field: str) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        params = b'{"name":"pool_wait","arguments":' + arguments + b"}"
        await wire.send(b'{"jsonrpc":"2.0","id":"n","method":"tools/call","params":' + params + b"}")
        result = (await wire.answer("n"))["result"]
        assert result["content"][0]["text"].startswith(f"[invalid_argument] {field}: ")

    on_wire(tmp_path, use)


def test_nan_inside_an_object_is_refused(tmp_path: Path) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        params = b'{"name":"pool_run","arguments":{"prompt":"x","json_schema":{"minimum":NaN}}}'
        await wire.send(b'{"jsonrpc":"2.0","id":"n","method":"tools/call","params":' + params + b"}")
        text = (await wire.answer("n"))["result"]["content"][0]["text"]
        assert text.startswith("[invalid_argument] json_schema: must be plain JSON")

    on_wire(tmp_path, use)


def test_a_prompt_of_20_megabytes_is_refused_in_a_short_answer(tmp_path: Path) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        text = await wire.refusal("pool_run", prompt="x" * 20_000_000)
        assert text.startswith("[invalid_argument] prompt: 20000000 bytes are more than")
        assert len(text) < 200

    on_wire(tmp_path, use)


def test_half_a_surrogate_pair_in_a_prompt_becomes_a_replacement_character(tmp_path: Path) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        params = rb'{"name":"pool_run","arguments":{"prompt":"cut \ud83d"}}'
        await wire.send(b'{"jsonrpc":"2.0","id":"n","method":"tools/call","params":' + params + b"}")
        view = (await wire.answer("n"))["result"]["structuredContent"]
        assert view["output"] == "echo: cut \N{REPLACEMENT CHARACTER}"

    on_wire(tmp_path, use)


def test_a_request_that_cannot_be_read_is_answered_so_that_nobody_waits_for_it(tmp_path: Path) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        await wire.send(
            b'{"jsonrpc":"2.0","id":"n","method":"tools/call","params":' + b"[" * 300 + b"]" * 300 + b"}"
        )
        assert (await wire.answer("n"))["error"]["code"] == -32600

    on_wire(tmp_path, use)


@pytest.mark.parametrize(
    "junk", [b"junk", b"{", b"[]", b"\xff\xfe", b"  ", b'{"jsonrpc":"2.0","id":1}', b"[" * 99_999]
)
def test_a_line_of_junk_leaves_the_connection_as_it_was(tmp_path: Path, junk: bytes) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        await wire.send(junk)
        assert (await wire.view("pool_status"))["draining"] is False

    on_wire(tmp_path, use)


def test_a_line_above_the_limit_ends_the_connection_with_an_error(tmp_path: Path) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        await wire.send(b"x" * (LINE_BYTES + 2))
        assert (await wire.answer(None))["error"]["code"] == -32700
        await asyncio.wait_for(wire.served, 10)

    on_wire(tmp_path, use)


def test_text_and_structured_content_of_a_result_are_the_same(tmp_path: Path) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        result = await wire.call("pool_run", prompt="día")
        text = result["content"][0]["text"]
        assert json.loads(text) == result["structuredContent"]
        assert '"output":"echo: día"' in text

    on_wire(tmp_path, use)


def test_the_protocol_without_a_handshake_gets_the_same_refusals(tmp_path: Path) -> None:
    async def body() -> None:
        async with scripted_pool(tmp_path) as running, wired(server_of(running), handshake=False) as wire:
            answer = await wire.request("tools/call", name="nothing", arguments={}, _meta=ENVELOPE)
            assert answer["result"]["content"][0]["text"].startswith("[not_found] There is no tool nothing.")
            params = json.dumps({"name": "pool_wait", "arguments": {"wait_seconds": 0.5}, "_meta": ENVELOPE})
            line = '{"jsonrpc":"2.0","id":"n","method":"tools/call","params":' + params + "}"
            await wire.send(line.replace("0.5", "NaN").encode())
            text = (await wire.answer("n"))["result"]["content"][0]["text"]
            assert text.startswith("[invalid_argument] wait_seconds: should be seconds from 0")

    asyncio.run(body())


def test_a_connection_has_the_toolsets_that_it_asked_for_and_no_others(tmp_path: Path) -> None:
    async def body() -> None:
        async with scripted_pool(tmp_path) as running:
            server = server_of(running)
            core = Connection(toolsets=chosen_toolsets("core"))
            debug = Connection(toolsets=chosen_toolsets("debug"))
            async with wired(server, core) as first, wired(server, debug) as second:
                listings = [(await wire.request("tools/list"))["result"]["tools"] for wire in (first, second)]
                names = [{tool["name"] for tool in tools} for tools in listings]
                assert len(names[0]) == 12
                assert names[1] == {"pool_why", "pool_replay", "pool_fork"}
                assert "events" in await second.view("pool_replay")

    asyncio.run(body())


def test_the_log_remembers_who_called(tmp_path: Path) -> None:
    async def body() -> None:
        async with scripted_pool(tmp_path) as running:
            server = server_of(running)
            coordinator, shell = Connection(Actor.COORDINATOR), Connection(Actor.SHELL)
            async with wired(server, coordinator) as first, wired(server, shell) as second:
                await first.view("context_set", key="a", value="1")
                await second.view("context_set", key="b", value="2")
            events = (await running.application.replay(None, None, None, 500))["events"]
            actors = {e["data"]["key"]: e["actor"] for e in events if e["name"] == "context.set"}
            assert actors == {"a": "coordinator", "b": "shell"}

    asyncio.run(body())


def test_a_conflict_of_options_refuses_changes_by_name_and_lets_reading_pass(tmp_path: Path) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        text = await wire.refusal("pool_run", prompt="x")
        assert text.startswith("[config_conflict] ")
        assert "model, ANTHROPIC_API_KEY" in text
        assert (await wire.refusal("context_set", key="a", value="b")).startswith("[config_conflict] ")
        assert (await wire.view("pool_status"))["pending_tasks"] == 0
        assert (await wire.view("pool_wait", wait_seconds=0))["tasks"] == []

    on_wire(tmp_path, use, Connection(conflict="model, ANTHROPIC_API_KEY"))


class Gate:
    """A script whose turns wait until they are let through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.began = asyncio.Event()

    async def __call__(self, live: LiveTurn) -> Outcome:
        self.began.set()
        await self.open.wait()
        return said(f"done: {live.prompt}")


def test_a_caller_that_goes_away_while_it_waits_takes_no_task_with_it(tmp_path: Path) -> None:
    async def body() -> None:
        gate = Gate()
        async with scripted_pool(tmp_path, gate) as running:
            async with wired(server_of(running)) as wire:
                params = {"name": "pool_run", "arguments": {"prompt": "long work"}}
                call = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params}
                await wire.send(json.dumps(call).encode())
                await asyncio.wait_for(gate.began.wait(), 10)
            gate.open.set()
            waited = await running.application.wait(None, None, 10)
            assert [(t["state"], t["output"]) for t in waited.tasks] == [("completed", "done: long work")]

    asyncio.run(body())


def test_a_cancelled_call_ends_the_wait_and_not_the_task(tmp_path: Path) -> None:
    async def body() -> None:
        gate = Gate()
        async with scripted_pool(tmp_path, gate) as running, wired(server_of(running)) as wire:
            params = {"name": "pool_run", "arguments": {"prompt": "long work"}}
            call = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params}
            await wire.send(json.dumps(call).encode())
            await asyncio.wait_for(gate.began.wait(), 10)
            cancelled = {"method": "notifications/cancelled", "params": {"requestId": 9, "reason": "enough"}}
            await wire.send(json.dumps({"jsonrpc": "2.0", **cancelled}).encode())
            assert (await wire.view("pool_status"))["running_tasks"] == 1
            gate.open.set()
            assert (await wire.view("pool_wait"))["tasks"][0]["output"] == "done: long work"
            assert all(message.get("id") != 9 for message in wire.heard)

    asyncio.run(body())


@pytest.mark.parametrize("token", ["mine", 7, 2**70, "", {"a": 1}, None, "x" * 5_000])
def test_a_made_up_progress_token_changes_nothing(tmp_path: Path, token: object) -> None:
    async def use(wire: Wire, _running: Running) -> None:
        params = {"name": "pool_run", "arguments": {"prompt": "hi"}, "_meta": {"progressToken": token}}
        call = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params}
        await wire.send(json.dumps(call).encode())
        answer = await wire.answer(9)
        assert "error" in answer or answer["result"]["structuredContent"]["success"] is True
        assert (await wire.view("pool_status"))["running_tasks"] == 0
        assert all(message.get("method") != "notifications/progress" for message in wire.heard)

    on_wire(tmp_path, use)


def test_calls_of_one_connection_run_side_by_side(tmp_path: Path) -> None:
    async def body() -> None:
        gate = Gate()
        async with scripted_pool(tmp_path, gate) as running, wired(server_of(running)) as wire:
            params = {"name": "pool_run", "arguments": {"prompt": "slow"}}
            call = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params}
            await wire.send(json.dumps(call).encode())
            await asyncio.wait_for(gate.began.wait(), 10)
            assert (await wire.view("pool_status"))["running_tasks"] == 1
            gate.open.set()
            assert (await wire.answer(9))["result"]["structuredContent"]["success"] is True

    asyncio.run(body())


def test_a_peer_that_resets_the_connection_disturbs_no_other(tmp_path: Path) -> None:
    async def body() -> None:
        async with scripted_pool(tmp_path) as running:
            server = server_of(running)
            async with wired(server) as other:
                async with wired(server, handshake=False) as rude:
                    listen = {"notifications": {"toolsListChanged": True}, "_meta": ENVELOPE}
                    await rude.send(
                        json.dumps(
                            {"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen", "params": listen}
                        ).encode()
                    )
                    await rude.heard_of("notifications/subscriptions/acknowledged")
                    rude.writer.transport.abort()
                    await asyncio.wait_for(rude.served, 10)
                assert (await other.view("pool_status"))["draining"] is False

    asyncio.run(body())


def test_a_peer_that_does_not_read_holds_up_no_other(tmp_path: Path) -> None:
    calls = 300

    async def body() -> None:
        async with scripted_pool(tmp_path) as running:
            async with wired(server_of(running)) as deaf, wired(server_of(running)) as other:
                await deaf.view("pool_status")
                ears = deaf.writer.transport
                assert isinstance(ears, asyncio.ReadTransport)
                ears.pause_reading()
                params: dict[str, Any] = {"name": "pool_status", "arguments": {}}
                for number in range(calls):
                    call = {
                        "jsonrpc": "2.0",
                        "id": f"deaf-{number}",
                        "method": "tools/call",
                        "params": params,
                    }
                    deaf.writer.write(json.dumps(call).encode() + b"\n")
                for _ in range(3):
                    assert (await other.view("pool_run", prompt="hi"))["success"] is True
                ears.resume_reading()
                heard = {str((await deaf.receive())["id"]) for _ in range(calls)}
                assert len(heard) == calls

    asyncio.run(body())


def test_a_connection_may_be_a_pair_of_pipes(tmp_path: Path) -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
        reader, answers = asyncio.StreamReader(LINE_BYTES), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(in_read, "rb"))
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(out_write, "wb")
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        listening, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(answers), os.fdopen(out_read, "rb")
        )
        async with scripted_pool(tmp_path) as running:
            serving = asyncio.create_task(serve_lines(server_of(running), reader, writer, Connection()))
            params = {"name": "pool_status", "arguments": {}, "_meta": ENVELOPE}
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            os.write(in_write, json.dumps(call).encode() + b"\n")
            answer = json.loads(await asyncio.wait_for(answers.readline(), 10))
            assert answer["result"]["structuredContent"]["draining"] is False
            os.close(in_write)
            await asyncio.wait_for(serving, 10)
            assert await asyncio.wait_for(answers.read(), 10) == b""
        listening.close()

    asyncio.run(body())
