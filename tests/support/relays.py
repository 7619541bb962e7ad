"""Real relays of the installed command, talked to as a coordinator does."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.support.commands import COMMAND, Shell
from tests.support.stand_in import Coordinator

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@contextmanager
def relay(shell: Shell, *flags: str) -> Generator[Coordinator]:
    """A coordinator of the shell's pool that has shaken hands; its relay is killed in the end."""
    coordinator = Coordinator(relay_process(shell, *flags))
    try:
        coordinator.request("initialize", HELLO)
        coordinator.receive()
        coordinator.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield coordinator
    finally:
        coordinator.close()


def relay_process(shell: Shell, *flags: str) -> subprocess.Popen[bytes]:
    """A relay of the shell's pool, with pipes for its three streams."""
    return subprocess.Popen(
        [str(COMMAND), "serve", *flags], cwd=shell.folder, env=shell.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def view(answer: dict[str, Any]) -> dict[str, Any]:
    """The structured result of a call that went well."""
    result: dict[str, Any] = answer["result"]
    assert not result.get("isError"), result
    structured: dict[str, Any] = result["structuredContent"]
    return structured


def refusal(answer: dict[str, Any]) -> str:
    """The text of a call that was refused."""
    assert answer["result"].get("isError"), answer
    return str(answer["result"]["content"][0]["text"])
