"""Reads MCP servers for slots: from a file in the usual form, or from JSON text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from claude_pool.domain.errors import InvalidArgument


def load_servers(source: str | None) -> tuple[tuple[str, str], ...]:
    """Names with canonical JSON text, sorted. `source` is a path, or JSON text that begins with `{`.

    Raises:
        InvalidArgument: it cannot be read, or does not hold `{"mcpServers": {name: {…}}}`.
    """
    if not source:
        return ()
    try:
        text = source if source.lstrip().startswith("{") else Path(source).read_text("utf-8")
        document: Any = json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidArgument(argument="mcp_config", problem=f"it cannot be read: {error}") from None
    servers = document.get("mcpServers") if isinstance(document, dict) else None
    if not isinstance(servers, dict) or not all(isinstance(s, dict) for s in servers.values()):
        raise InvalidArgument(argument="mcp_config", problem='it must hold {"mcpServers": {name: {…}}}')
    return tuple(sorted((str(name), json.dumps(server, sort_keys=True)) for name, server in servers.items()))
