"""The SDK's own client, over the socket that the pool's server speaks on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.lines import serve_lines
from claude_pool.adapters.mcp.serving import Serving
from mcp import Client
from mcp.server import Server
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from tests.support.scripted_pool import line_streams

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]

ERAS = ("legacy", "auto")
"""Modes of the client: the handshake, and the protocol without one, which it prefers."""


@contextlib.asynccontextmanager
async def _transport(server: Server[Serving], connection: Connection) -> AsyncGenerator[Streams]:
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage | Exception]()
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage]()

    async def receive(reader: asyncio.StreamReader) -> None:
        async with to_client:
            while line := await reader.readline():
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                with contextlib.suppress(anyio.BrokenResourceError):
                    await to_client.send(SessionMessage(message))

    async def send(writer: asyncio.StreamWriter) -> None:
        async with from_client:
            async for message in from_client:
                writer.write(
                    message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
                )
                await writer.drain()

    async with line_streams(lambda r, w: serve_lines(server, r, w, connection)) as (reader, writer, _):
        async with anyio.create_task_group() as group:
            group.start_soon(receive, reader)
            group.start_soon(send, writer)
            try:
                yield from_server, to_server
            finally:
                group.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def connected(
    server: Server[Serving], mode: str, connection: Connection | None = None, **options: Any
) -> AsyncGenerator[Client]:
    """A client in one of `ERAS`; `options` are those of `mcp.Client`."""
    transport = _transport(server, connection or Connection())
    async with Client(transport, mode=mode, **options) as client:
        yield client
