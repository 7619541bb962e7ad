"""Mounts the MCP server on a running pool: what an owner calls for each connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from claude_pool.domain.records import Actor

from ..wiring import Running
from .connection import Connection
from .fields import DEFAULT_HIGHEST_MODE
from .lines import serve_lines
from .server import build_server
from .toolsets import chosen_toolsets
from .transcripts import transcripts_in

Serve = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter, Actor, str, str | None], Coroutine[Any, Any, None]
]


def mount(running: Running, version: str) -> Serve:
    """Serves connections with one server over `running`.

    The result takes the streams of a connection, who calls, the toolsets it asked for, and the options
    in which it differs from the owner (None: in none).
    """
    options = running.world.open_pool().settings.options
    highest = options.permission_mode if options.permission_mode == "bypassPermissions" else None
    server = build_server(
        running.application,
        version,
        transcripts_in(running.store.transcripts),
        highest_mode=highest or DEFAULT_HIGHEST_MODE,
    )

    async def serve(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        actor: Actor,
        toolsets: str,
        conflict: str | None,
    ) -> None:
        await serve_lines(server, reader, writer, Connection(actor, chosen_toolsets(toolsets), conflict))

    return serve
