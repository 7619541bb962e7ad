"""A CLI process for tests: what it is told, what it prints, how it ends, every wait bounded."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

STREAM_FLAGS = (
    "-p",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
)

Line = dict[str, Any]


class CliProcess:
    """One CLI that speaks stream-json. `lines` is everything it printed so far, `errors` its stderr."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Takes a process whose three streams are pipes."""
        self.process = process
        self.lines: list[Line] = []
        self.garbage: list[bytes] = []
        self.errors = b""
        self._inbox: queue.Queue[bytes | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)
        ]
        self._passed: deque[Line] = deque()
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._inbox.put(line)
        self._inbox.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line

    def send(self, line: Mapping[str, object] | str) -> None:
        """Write one line to its stdin."""
        text = line if isinstance(line, str) else json.dumps(line)
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def prompt(self, text: str) -> str:
        """Send a prompt under a new uuid, which is returned."""
        uuid = str(uuid4())
        self.send({"type": "user", "uuid": uuid, "message": {"role": "user", "content": text}})
        return uuid

    def until(self, wanted: Callable[[Line], bool], seconds: float = 20) -> Line:
        """Read lines until one is wanted, and return it.

        Raises:
            AssertionError: it did not come in time, or stdout ended before.
        """
        while True:
            line = self._passed.popleft() if self._passed else self._heard(seconds)
            if line is not None and wanted(line):
                return line

    def _heard(self, seconds: float) -> Line | None:
        try:
            raw = self._inbox.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"silent for {seconds} s after {self.lines[-3:]}") from None
        if raw is None:
            self._inbox.put(None)
            raise AssertionError(f"stdout ended after {self.lines[-3:]}; stderr: {self.errors!r}")
        return self._kept(raw)

    def _kept(self, raw: bytes) -> Line | None:
        try:
            line = json.loads(raw)
        except ValueError:
            self.garbage.append(raw)
            return None
        self.lines.append(line)
        return line  # type: ignore[no-any-return]  # every line of the CLI is an object

    def until_type(self, kind: str, seconds: float = 20) -> Line:
        """Read until a line of this type."""
        return self.until(lambda line: line.get("type") == kind, seconds)

    def until_piece(self) -> Line:
        """Read until a piece of an answer arrives."""
        return self.until(
            lambda line: line.get("type") == "stream_event" and line["event"]["type"] == "content_block_delta"
        )

    def ask(self, text: str) -> Line:
        """Send a prompt and return its result line."""
        self.prompt(text)
        return self.until_type("result")

    def begin_again(self) -> None:
        """Have it begin a new conversation, which costs nothing yet, and forget what it said before."""
        uuid = self.prompt("/clear")
        self.until_type("result")
        self.until(lambda line: (line.get("command_uuid"), line.get("state")) == (uuid, "completed"))
        self.lines.clear()

    def control(self, subtype: str, **arguments: object) -> Line:
        """Send a control request and return the `response` of its answer."""
        name = str(uuid4())
        self.send(
            {"type": "control_request", "request_id": name, "request": {"subtype": subtype, **arguments}}
        )
        passed: list[Line] = []
        while True:
            line = self._heard(20)
            if line is not None and line.get("type") == "control_response":
                response: Line = line["response"]
                if response["request_id"] == name:
                    # what a turn says meanwhile may come before or after the answer
                    self._passed.extend(passed)
                    return response
            if line is not None:
                passed.append(line)

    def of_type(self, kind: str, subtype: str | None = None) -> list[Line]:
        """The lines read so far of a type (and subtype)."""
        return [
            line
            for line in self.lines
            if line.get("type") == kind and (subtype is None or line.get("subtype") == subtype)
        ]

    def close_stdin(self) -> None:
        """Close its stdin; it may already have gone."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            return

    def exit_code(self, seconds: float = 10) -> int:
        """Wait for its exit, read the rest of what it printed, and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not exit in time.
        """
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(seconds)
        while (raw := self._inbox.get(timeout=seconds)) is not None:
            self._kept(raw)
        return code

    def close(self) -> int:
        """Close its stdin and wait for the exit."""
        self.close_stdin()
        return self.exit_code()


@contextmanager
def running_cli(
    program: Path, environment: Mapping[str, str], folder: Path, flags: Sequence[str] = ()
) -> Generator[CliProcess]:
    """A CLI that is started in `folder`, in a process group of its own, and killed at the end."""
    process = subprocess.Popen(
        [program, *STREAM_FLAGS, *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
    )
    cli = CliProcess(process)
    try:
        yield cli
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        cli.close_stdin()
        process.wait(10)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
