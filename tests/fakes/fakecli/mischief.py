"""What the personas do in the middle of a turn and with its result."""

from __future__ import annotations

import math
import os
import signal
from typing import Any

from claude_pool.adapters.demo.directives import filler

from tests.fakes.fakecli import lines
from tests.fakes.fakecli.conversation import new_id
from tests.fakes.fakecli.state import Cli, crash
from tests.fakes.fakecli.wire import Line, encoded

_BAD_COSTS: dict[str, Any] = {"negative": -1.5, "nan": math.nan, "huge": 1e300, "text": "0.25"}


def in_the_middle(cli: Cli) -> None:
    """Once in every turn, after its first piece."""
    personas = cli.personas
    if (flood := personas.number("stderrflood", 1_000_000)) is not None:
        _write_all(2, b"E" * 99 + b"\n", flood)
    if (resets := personas.number("rejected", 1_800_000_000)) is not None:
        cli.wire.emit(lines.rate_limit(cli.session, resets))
    if (flood := personas.number("flood", 1_000_000)) is not None:
        cli.wire.raw((b'{"type":"flood","text":"' + b"y" * 74 + b'"}\n') * (flood // 100))
    if (count := personas.number("daemon", 1)) is not None:
        for _ in range(count):
            leave_daemon()
    if "exit0" in personas:
        os._exit(0)
    if (code := personas.number("crash", 1)) is not None:
        crash(code)
    if "kill9" in personas:
        os.kill(os.getpid(), signal.SIGKILL)


def on_the_result(cli: Cli, line: Line) -> None:
    """Print the result line, or what the personas make of it."""
    personas = cli.personas
    if (size := personas.number("bigline", 2_000_000)) is not None:
        line["result"] = filler(size)
    if "nocost" in personas:
        for name in ("total_cost_usd", "modelUsage", "model_usage_since_last_result"):
            line.pop(name, None)
    if (kind := personas.argument("badcost")) is not None:
        line = _with_cost(line, _BAD_COSTS[kind or "negative"])
    if "cut" in personas:
        text = encoded(line)
        cli.wire.raw(text[: personas.number("cut", len(text) // 2)])
        os._exit(0)
    cli.wire.emit(line)
    if "double" in personas:
        cli.wire.emit({**line, "uuid": new_id(), "result": "a second result"})


def _with_cost(line: Line, cost: object) -> Line:
    changed = {**line, "total_cost_usd": cost}
    for name in ("modelUsage", "model_usage_since_last_result"):
        models: Line = line.get(name, {})
        changed[name] = {model: {**usage, "costUSD": cost} for model, usage in models.items()}
    return changed


def leave_daemon() -> None:
    """Start a process of its own session that ignores the gentle signals, and wait until it runs."""
    running, until_executed = os.pipe()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os.close(until_executed)
        os.read(running, 1)
        os.close(running)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.execv("/bin/sleep", ["sleep", "120"])


def _write_all(stream: int, line: bytes, size: int) -> None:
    data = line * (size // len(line) + 1)
    while data:
        data = data[os.write(stream, data[:65536]) :]
