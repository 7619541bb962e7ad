"""Reads MCP servers for slots: from a file in the usual form, or from JSON text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.ports import SLOT_SERVER


def load_servers(source: str | None) -> tuple[tuple[str, str], ...]:
    """Names with canonical JSON text, sorted. `source` is a path, or JSON text that begins with `{`.

    Raises:
        InvalidArgument: it cannot be read, or does not hold `{"mcpServers": {name: {…}}}`.
    """
    if not source:
        return ()
    try:
        text = source if source.lstrip().startswith("{") else Path(source).read_text("utf-8")
        document: object = json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidArgument(argument="mcp_config", problem=f"it cannot be read: {error}") from None
    servers = _object(_object(document).get("mcpServers"))
    if not servers or not all(isinstance(server, dict) for server in servers.values()):
        raise InvalidArgument(argument="mcp_config", problem='it must hold {"mcpServers": {name: {…}}}')
    if SLOT_SERVER in servers:
        problem = f"{SLOT_SERVER} is the slots' own server; give yours another name"
        raise InvalidArgument(argument="mcp_config", problem=problem)
    return tuple(sorted((name, json.dumps(server, sort_keys=True)) for name, server in servers.items()))


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
