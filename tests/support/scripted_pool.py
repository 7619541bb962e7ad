"""A whole pool in memory whose slots follow a script, and connections to its MCP server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.lines import LINE_BYTES, serve_lines
from claude_pool.adapters.mcp.server import build_server
from claude_pool.adapters.mcp.serving import Serving
from claude_pool.adapters.mcp.toolsets import chosen_toolsets
from claude_pool.adapters.mcp.transcripts import transcripts_in
from claude_pool.adapters.skills.library import Library
from claude_pool.adapters.store.opening import memory_store
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain.pool_events import Settings
from mcp.server import Server

from tests.support.scripted_driver import Script, ScriptedDriver, echo

WAIT_SECONDS = 20.0
"""Nothing in a test takes longer."""


@contextlib.asynccontextmanager
async def scripted_pool(
    folder: Path,
    script: Script = echo,
    slots: int = 2,
    limit: int | None = None,
    driver: ScriptedDriver | None = None,
    library: Library | None = None,
    **settings: Any,
) -> AsyncGenerator[Running]:
    """A pool at work in memory; `folder` is its working directory and holds transcripts.

    `limit` is the budget in microdollars; `library` has the skills; `settings` are fields of `Settings`.
    """
    chosen = Settings(slots=slots, working_dir=str(folder), **settings)
    workshop = Workshop(None, {}, folder)
    async with running_pool(
        memory_store(folder),
        workshop,
        chosen,
        limit,
        limit is not None,
        driver=driver or ScriptedDriver(script),
        library=library,
    ) as running:
        yield running


def server_of(running: Running, **options: Any) -> Server[Serving]:
    """The MCP server over a running pool; `options` are those of `build_server`."""
    return build_server(running.application, "0.0", transcripts_in(running.store.transcripts), **options)


@dataclass
class Wire:
    """The client's end of a connection, as lines."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    served: asyncio.Task[None]
    numbers: count[int] = field(default_factory=lambda: count(1))
    heard: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def send(self, line: bytes) -> None:
        """Write one line."""
        self.writer.write(line + b"\n")
        await self.writer.drain()

    async def receive(self) -> dict[str, Any]:
        """The next message of any kind."""
        line = await asyncio.wait_for(self.reader.readline(), WAIT_SECONDS)
        assert line, "the connection was closed"
        return cast("dict[str, Any]", json.loads(line))

    async def answer(self, number: int | str | None) -> dict[str, Any]:
        """The answer to request `number`; what comes before it is kept in `heard`."""
        while (message := await self.receive()).get("id") != number or "method" in message:
            self.heard.append(message)
        return message

    async def heard_of(self, method: str) -> dict[str, Any]:
        """The first notification of this method, from now or before."""
        while True:
            for message in self.heard:
                if message.get("method") == method:
                    return message
            self.heard.append(await self.receive())

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        number = next(self.numbers)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        await self.send(json.dumps(body).encode())
        return await self.answer(number)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; the `result` of the answer."""
        answer = await self.request("tools/call", name=tool, arguments=arguments)
        return cast("dict[str, Any]", answer["result"])

    async def view(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that succeeds; its structured content."""
        result = await self.call(tool, **arguments)
        assert not result["isError"], result
        return cast("dict[str, Any]", result["structuredContent"])

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """Call a tool that refuses; the text."""
        result = await self.call(tool, **arguments)
        assert result["isError"], result
        return cast("str", result["content"][0]["text"])

    async def initialize(self, capabilities: dict[str, Any] | None = None) -> dict[str, Any]:
        """The handshake of the older protocol, with what the client can do."""
        client = {"name": "test", "version": "1"}
        answer = await self.request(
            "initialize", protocolVersion="2025-11-25", capabilities=capabilities or {}, clientInfo=client
        )
        await self.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return cast("dict[str, Any]", answer["result"])


@contextlib.asynccontextmanager
async def line_streams(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Task[None]]]:
    """Both ends of a socket: `serve` runs on one, the other is the caller's."""
    ours, theirs = socket.socketpair()
    served_reader, served_writer = await asyncio.open_connection(sock=theirs, limit=LINE_BYTES)
    reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_BYTES)
    served: asyncio.Task[None] = asyncio.create_task(serve(served_reader, served_writer))
    try:
        yield reader, writer, served
    finally:
        writer.close()
        await asyncio.wait_for(served, WAIT_SECONDS)
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def wired(
    server: Server[Serving], connection: Connection | None = None, handshake: bool = True
) -> AsyncGenerator[Wire]:
    """A connection to the server that speaks raw lines."""
    chosen = connection or Connection()
    async with line_streams(lambda r, w: serve_lines(server, r, w, chosen)) as (reader, writer, served):
        wire = Wire(reader, writer, served)
        if handshake:
            await wire.initialize()
        yield wire


def use_pool(
    folder: Path, what: Callable[[Wire], Awaitable[dict[str, Any]]], script: Script = echo, **settings: Any
) -> dict[str, Any]:
    """What `what` gets over a connection to a pool whose slots follow `script`."""

    async def using() -> dict[str, Any]:
        async with scripted_pool(folder, script, **settings) as running:
            async with wired(server_of(running), Connection(toolsets=chosen_toolsets("all"))) as wire:
                return await what(wire)

    return asyncio.run(using())


async def at_once(wire: Wire, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Send all calls (tool, arguments) before any is answered; their results, in order."""
    numbers = [next(wire.numbers) for _ in calls]
    for number, (tool, arguments) in zip(numbers, calls, strict=True):
        params = {"name": tool, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        await wire.send(json.dumps(body).encode())
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < len(calls):
        message = await wire.receive()
        if "method" not in message:
            answers[message["id"]] = message["result"]
    return [answers[number] for number in numbers]
