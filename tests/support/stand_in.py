"""A pool whose owner is `tests/fakes/stand_in_owner.py`: its places, and what was heard there."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from claude_pool.adapters.places import Places, find

from tests.support.waiting import until_sync
from tests.support.warm_command import run_warm

OWNER = (sys.executable, "-P", str(Path(__file__).parents[1] / "fakes" / "stand_in_owner.py"))

PATIENCE = 20.0
"""Seconds that any wait here may take at most."""

_WITH_STAND_IN = (
    "import sys\n"
    "from claude_pool.adapters import handover\n"
    f"handover.OWNER_COMMAND = {OWNER!r}\n"
    "from claude_pool.adapters.cli.main import main\n"
    "sys.exit(main())\n"
)

Message = dict[str, Any]


class Bench:
    """A folder without git, an environment of its own, and the owners that were started there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        (folder / "run").mkdir(mode=0o700)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "GIT_CEILING_DIRECTORIES": str(folder),
        }
        self.places: Places = find(self.environ, str(self.work))

    def script(self, **script: object) -> None:
        """What owners that are started from now on do."""
        self.environ["STAND_IN"] = json.dumps(script)

    def heard(self) -> list[Message]:
        """What owners were told, greetings and settings included, in order."""
        return [message for _, message in self.journal()]

    def calls(self) -> list[tuple[str, Message]]:
        """The tool calls that owners were sent: name and arguments."""
        return [
            (message["params"]["name"], message["params"]["arguments"])
            for message in self.heard()
            if message.get("method") == "tools/call"
        ]

    def settings(self) -> list[Message]:
        """What each owner was started with, and what it saw of its surroundings."""
        return [message for message in self.heard() if "settings" in message]

    def pids(self) -> list[int]:
        """The owners that were started, in order."""
        return [pid for pid, message in self.journal() if "settings" in message]

    def claude_pool(
        self, *arguments: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """`claude-pool` with these arguments, with pipes for its three streams."""
        return subprocess.Popen(
            [sys.executable, "-c", _WITH_STAND_IN, *arguments],
            cwd=self.work, env=self.environ,
            stdin=subprocess.PIPE, stdout=stdout, stderr=stderr,
        )  # fmt: skip

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """`claude-pool` with these arguments, to its end."""
        return run_warm(arguments, self.environ, self.work, stdin, timeout=PATIENCE, owner=OWNER)

    def close(self) -> None:
        """End the owners that still live."""
        for pid in self.pids():
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"stand_in_owner" in command:
                    os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def journal(self) -> list[tuple[int, Message]]:
        """All that was heard, each with the pid of the owner that heard it."""
        journal = Path(self.places.state_dir) / "heard.jsonl"
        if not journal.exists():
            return []
        return [cast("tuple[int, Message]", json.loads(line)) for line in journal.read_text().splitlines()]


class Coordinator:
    """What talks to a relay over its standard streams, every wait bounded."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._received = b""
        self._number = 0

    def send(self, *messages: Message) -> None:
        """Write messages, in one go."""
        self.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self._stdin.write(data)
        self._stdin.flush()

    def request(self, method: str, params: Message | None = None, number: object = None) -> Message:
        """Send a request; the message."""
        self._number += 1
        message = {"jsonrpc": "2.0", "id": number or self._number, "method": method, "params": params or {}}
        self.send(message)
        return message

    def call(self, tool: str, **arguments: object) -> Message:
        """Send a tool call and receive the next message, which shall be its answer."""
        asked = self.request("tools/call", {"name": tool, "arguments": arguments})
        answer = self.receive()
        assert answer["id"] == asked["id"]
        return answer

    def call_out_of_order(self, tool: str) -> list[Message]:
        """Send a tool call and receive messages up to its answer."""
        asked = self.request("tools/call", {"name": tool})
        answers = [self.receive()]
        while answers[-1].get("id") != asked["id"]:
            answers.append(self.receive())
        return answers

    def receive(self) -> Message:
        """The next message."""
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._received:
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the relay said nothing"
            chunk = os.read(self._stdout.fileno(), 1 << 16)
            assert chunk, "the relay closed its output"
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return cast("Message", json.loads(line))

    def end_input(self) -> None:
        """Close the relay's standard input."""
        self._stdin.close()

    def close(self) -> None:
        """End the relay, whatever it does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                assert stream is not None
                stream.close()

    def rest(self) -> bytes:
        """What the relay writes until it closes its output."""
        deadline = time.monotonic() + PATIENCE
        while True:
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the relay did not end"
            if not (chunk := os.read(self._stdout.fileno(), 1 << 16)):
                return self._received
            self._received += chunk


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    until_sync(lambda: bool(condition()), PATIENCE, what)


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def words(messages: Sequence[Message]) -> list[str]:
    """The methods of messages, in order."""
    return [str(message["method"]) for message in messages if "method" in message]
