"""The baselines: CLI processes with a slot's flags and environment, and nothing between them and us."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from uuid import uuid4

from claude_pool.adapters.claude.argv import LaunchFiles, build_argv
from claude_pool.adapters.claude.environment import SlotEnvironment, slot_environment
from claude_pool.domain.ports import Launch
from support import MODEL, PROMPT, Ground, ended


class RawPipe:
    """One warm CLI process with the flags and environment of a slot."""

    def __init__(self, at: Ground, number: int = 0) -> None:
        """Start it and wait until it answers."""
        folder = _private_folder(at)
        argv = build_argv(at.cli, _launch(at, number), LaunchFiles(folder))
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=at.project, env=_slot_environment(at, folder), bufsize=0,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input = self.process.stdin.fileno()
        self._output = self.process.stdout.fileno()
        self._held = b""
        request = {"subtype": "initialize", "hooks": None}
        self._say({"type": "control_request", "request_id": "1", "request": request})
        self._until(b'"type":"control_response"')

    def __enter__(self) -> Self:
        """The pipe itself; its process is ended on leaving."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        ended(self.process)

    def turn(self, prompt: str = PROMPT) -> float:
        """Seconds from a prompt to its result."""
        began = time.perf_counter()
        message = {"role": "user", "content": prompt}
        self._say({"type": "user", "message": message, "parent_tool_use_id": None, "uuid": str(uuid4())})
        self._until(b'"type":"result"')
        return time.perf_counter() - began

    def clear(self) -> float:
        """Seconds of a `/clear`."""
        return self.turn("/clear")

    def _say(self, message: Mapping[str, object]) -> None:
        os.write(self._input, json.dumps(message).encode() + b"\n")

    def _until(self, mark: bytes) -> None:
        while True:
            *lines, self._held = self._held.split(b"\n")
            for number, line in enumerate(lines):
                if mark in line:
                    self._held = b"\n".join([*lines[number + 1 :], self._held])
                    return
            chunk = os.read(self._output, 1 << 16)
            if not chunk:
                raise RuntimeError("a raw CLI process of the benchmark ended")
            self._held += chunk


def one_process(at: Ground, prompt: str = PROMPT) -> float:
    """Seconds of one task in a process of its own, with a slot's flags: `claude -p`, prompt in, JSON out."""
    folder = _private_folder(at)
    streaming = ("--input-format=", "--output-format=", "--verbose", "--include-partial-messages")
    argv = [w for w in build_argv(at.cli, _launch(at), LaunchFiles(folder)) if not w.startswith(streaming)]
    began = time.perf_counter()
    ran = subprocess.run(
        [*argv, "--output-format=json"], input=prompt.encode(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=at.project, env=_slot_environment(at, folder), check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if json.loads(ran.stdout)["is_error"]:
        raise RuntimeError(f"a task in a process of its own failed: {ran.stdout!r}")
    return seconds


def _private_folder(at: Ground) -> Path:
    return Path(tempfile.mkdtemp(prefix="raw-", dir=at.folder))


def _launch(at: Ground, number: int = 0) -> Launch:
    return Launch(f"slot-{number}", 1, str(uuid4()), str(at.project), model=MODEL, permission_mode="plan")


def _slot_environment(at: Ground, folder: Path) -> dict[str, str]:
    return slot_environment(at.environment, SlotEnvironment(f"benchmark.{folder.name}", str(folder)))
