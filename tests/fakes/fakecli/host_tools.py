"""Tools that the host offers over the control channel (`sdkMcpServers`)."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

from tests.fakes.fakecli.state import Cli
from tests.fakes.fakecli.tools import Stopped, ToolResult
from tests.fakes.fakecli.wire import Line

_HANDSHAKE_SECONDS = 3.0
_numbers = count()


def greet_servers(cli: Cli, names: list[str]) -> None:
    """Learn the tools of each server. One that does not answer in time has none."""
    for name in names:
        start = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "claude-code", "version": cli.version},
        }
        if _ask(cli, name, "initialize", start, threading.Event(), _HANDSHAKE_SECONDS) is None:
            continue
        _ask(cli, name, "notifications/initialized", None, threading.Event(), _HANDSHAKE_SECONDS)
        listed = _ask(cli, name, "tools/list", {}, threading.Event(), _HANDSHAKE_SECONDS) or {}
        tools: list[Line] = listed.get("result", {}).get("tools", [])
        cli.servers[name] = {
            str(tool["name"]): bool(tool.get("annotations", {}).get("readOnlyHint")) for tool in tools
        }


def only_reads(cli: Cli, full_name: str) -> bool:
    """Whether a tool says of itself that it changes nothing."""
    prefix, _, rest = full_name.partition("__")
    server, _, tool = rest.partition("__")
    return prefix == "mcp" and cli.servers.get(server, {}).get(tool, False)


def call_host_tool(cli: Cli, full_name: str, arguments: Line, block_id: str) -> ToolResult:
    """Call one tool.

    Raises:
        Stopped: the turn was interrupted meanwhile.
    """
    _, server, tool = full_name.split("__", 2)
    parameters = {"name": tool, "arguments": arguments, "_meta": {"claudecode/toolUseId": block_id}}
    number = next(_numbers)
    answer = _ask(cli, server, "tools/call", parameters, cli.inbox.stop, None, number)
    if answer is None:
        _ask(cli, server, "notifications/cancelled", {"requestId": number}, threading.Event(), 0.0)
        raise Stopped
    if "error" in answer:
        return ToolResult(str(answer["error"].get("message", "")), True)
    result: Line = answer.get("result", {})
    blocks: list[Line] = result.get("content", [])
    return ToolResult("\n".join(str(block.get("text", "")) for block in blocks), bool(result.get("isError")))


def _ask(
    cli: Cli,
    server: str,
    method: str,
    parameters: Line | None,
    stop: threading.Event,
    seconds: float | None,
    number: int | None = None,
) -> Line | None:
    """The JSON-RPC answer to one message, or None where there was none."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if parameters is not None:
        message |= {"params": parameters}
    if not method.startswith("notifications/"):
        message |= {"id": next(_numbers) if number is None else number}
    request = {"subtype": "mcp_message", "server_name": server, "message": message}
    response = cli.questions.ask(request, stop, seconds)
    if response is None:
        return None
    if response.get("subtype") != "success":
        return {"error": {"message": str(response.get("error", ""))}}
    body: Line = response.get("response") or {}
    answer: Line = body.get("mcp_response") or {}
    return answer
