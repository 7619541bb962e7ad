"""The ground that benchmarks run on: a scripted API, and pools behind `claude-pool serve`.

Everything a benchmark starts lives in a throw-away folder and ends with it. Slots and baselines talk to a
scripted Messages API in a process of its own, with a made-up key: nothing leaves the machine or costs money.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from claude_pool.adapters.calling import connect, greeting
from claude_pool.adapters.claude.locate import bundled
from claude_pool.adapters.client import Client
from claude_pool.adapters.places import Places, find
from tables import Unfit

PROMPT = "[[reply: The answer is forty-two.]] What is the answer?"
MODEL = "haiku"
ANSWER_SECONDS = 120.0


def cli(named: str | None) -> str:
    """The CLI to measure with: `named`, else the bundled one.

    Raises:
        Unfit: there is none.
    """
    found = named or bundled()
    if found is None or not os.access(found, os.X_OK):
        raise Unfit(
            "[cli_missing] The benchmarks drive the Claude Code CLI that `pip install 'claude-pool[cli]'` "
            "brings. Install it, or name another one with --claude PATH."
        )
    return os.path.realpath(found)


@dataclass(frozen=True)
class Ground:
    """Where a benchmark runs: its folder, the CLI, and the whole environment of what it starts."""

    folder: Path
    cli: str
    environment: dict[str, str]

    @property
    def project(self) -> Path:
        """The working directory of all tasks."""
        return self.folder / "project"


@contextmanager
def ground(program: str, *, api: bool = True) -> Generator[Ground]:
    """A throw-away folder with a home and a project, and a scripted API that runs as long."""
    with tempfile.TemporaryDirectory(prefix="cpb-", ignore_cleanup_errors=True) as name, ExitStack() as undo:
        folder = Path(os.path.realpath(name))
        for below in ("home", "project", "run"):
            (folder / below).mkdir(mode=0o700)
        url = "http://127.0.0.1:1"
        if api:
            serving = subprocess.Popen(
                [sys.executable, "-P", "-m", "claude_pool.adapters.demo.scripted_api"],
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            undo.callback(ended, serving)
            assert serving.stdout is not None
            url = serving.stdout.readline().strip()
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ} | {
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "TMPDIR": str(folder),
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "a-key-for-benchmarks",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
        }
        yield Ground(folder, program, environment)


def ended(process: subprocess.Popen[Any]) -> None:
    """End a child process, kindly at first."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


class Coordinator:
    """A coordinator of the plainest kind: JSON-RPC lines over the stdio of `claude-pool serve`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
        """Start the relay (and through it the owner) and shake hands."""
        self.relay = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment), cwd=cwd
        )
        self._number = 0
        client = {"name": "benchmark", "version": "1"}
        self._request(
            "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        )
        self._say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """The structured result of a tool.

        Raises:
            RuntimeError: it refused or failed.
        """
        result = self._request("tools/call", {"name": tool, "arguments": arguments})
        if result.get("isError"):
            raise RuntimeError(result["content"][0]["text"])
        return cast("dict[str, Any]", result["structuredContent"])

    def close(self) -> None:
        """Leave, as a coordinator does: by closing the relay's input."""
        assert self.relay.stdin is not None
        self.relay.stdin.close()
        self.relay.wait(10)
        ended(self.relay)

    def _request(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        self._number += 1
        self._say({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        assert self.relay.stdout is not None
        while line := self.relay.stdout.readline():
            message = json.loads(line)
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(message["error"]["message"])
                return cast("dict[str, Any]", message["result"])
        raise RuntimeError(f"the relay ended during {method}")

    def _say(self, message: Mapping[str, object]) -> None:
        assert self.relay.stdin is not None
        self.relay.stdin.write(json.dumps(message).encode() + b"\n")
        self.relay.stdin.flush()


@dataclass(frozen=True)
class Pool:
    """A running pool behind `claude-pool serve`: its coordinator, and where and which its owner is."""

    coordinator: Coordinator
    places: Places
    owner: int

    def run(self, prompt: str = PROMPT) -> float:
        """Seconds of one `pool_run`."""
        began = time.perf_counter()
        view = self.coordinator.call("pool_run", prompt=prompt, wait_seconds=ANSWER_SECONDS)
        seconds = time.perf_counter() - began
        _require(view)
        return seconds

    def fan_out(self, tasks: int, prompt: str = PROMPT) -> float:
        """Seconds of one `pool_fan_out` of `tasks` tasks."""
        began = time.perf_counter()
        answer = self.coordinator.call("pool_fan_out", prompts=[prompt] * tasks, wait_seconds=600)
        seconds = time.perf_counter() - began
        for view in answer["results"]:
            _require(view)
        return seconds

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until every slot is idle and has been cleared, where that is its session policy."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status = self.coordinator.call("pool_status")
            if status["idle_slots"] == status["total_slots"]:
                return
            time.sleep(0.05)
        raise RuntimeError(f"the pool's slots did not become idle: {status['slots']}")  # pyright: ignore[reportPossiblyUnboundVariable]


def _require(view: Mapping[str, Any]) -> None:
    if not view["success"]:
        raise RuntimeError(f"a task of the benchmark did not succeed: {view}")


@contextmanager
def pool(
    at: Ground, *, slots: int, session: str = "fresh", program: str | None = None, flags: Sequence[str] = ()
) -> Generator[Pool]:
    """A pool on the ground, with its owner and slots; all of it is gone afterwards."""
    state = at.folder / f"state-{uuid4().hex[:8]}"
    script = Path(sys.executable).with_name("claude-pool")
    command = [
        str(script), "serve", "-n", str(slots), "-m", MODEL, "--session", session, "--state-dir", str(state),
        "--claude", program or at.cli, "--idle-exit", "5", *flags,
    ]  # fmt: skip
    places = find(at.environment, str(at.project), str(state))
    with ExitStack() as undo:
        undo.callback(_stop_owner, places)
        coordinator = Coordinator(command, at.environment, at.project)
        undo.callback(coordinator.close)
        link = connect(places, greeting("shell"))
        if link is None:
            raise RuntimeError(f"no owner answers for {state}")
        link.socket.close()
        running = Pool(coordinator, places, cast("int", link.welcome["pid"]))
        running.settle()
        yield running


def _stop_owner(places: Places) -> None:
    link = connect(places, greeting("shell", stop="now"))
    if link is not None:
        with Client(link) as client:
            client.wait_for_end(30)
