"""Mounts the MCP server on a running pool: what an owner calls for each connection."""

from __future__ import annotations

import asyncio

from ..callers import Caller, Serve
from ..wiring import Running
from .connection import Connection
from .fields import DEFAULT_HIGHEST_MODE
from .lines import serve_lines
from .server import build_server
from .toolsets import chosen_toolsets
from .transcripts import transcripts_in


def mount(running: Running, version: str) -> Serve:
    """Serves connections with one server over `running`: takes the streams of each, and who calls."""
    options = running.world.open_pool().settings.options
    highest = options.permission_mode if options.permission_mode == "bypassPermissions" else None
    server = build_server(
        running.application,
        version,
        transcripts_in(running.store.transcripts),
        highest_mode=highest or DEFAULT_HIGHEST_MODE,
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: Caller) -> None:
        toolsets = chosen_toolsets(caller.toolsets)
        connection = Connection(caller.actor, toolsets, caller.conflict, caller.working_dir, caller.accepted)
        await serve_lines(server, reader, writer, connection, running.service.secrets)

    return serve
