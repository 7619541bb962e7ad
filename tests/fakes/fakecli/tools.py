"""The tools that the fake has: Bash, Write and Read for real, and who may use them."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

BUILT_IN = ("Bash", "Read", "Write")
_READING = frozenset(
    [
        "cat",
        "date",
        "echo",
        "env",
        "false",
        "head",
        "id",
        "ls",
        "nice",
        "printenv",
        "pwd",
        "sleep",
        "tail",
        "true",
        "wc",
        "whoami",
    ]
)
_EDITING = frozenset(
    [
        "cp",
        "mkdir",
        "mv",
        "rm",
        "touch",
    ]
)


@dataclass(frozen=True)
class ToolResult:
    """What came of a tool: the text for the model, and whether it is an error."""

    text: str
    is_error: bool = False


class Stopped(Exception):
    """The tool was stopped while it ran."""


class Shell:
    """Runs commands, one at a time, each in a session of its own."""

    def __init__(self, environment: Mapping[str, str], cwd: str) -> None:
        """The environment of the CLI, which its children inherit."""
        self._environment = environment
        self._cwd = cwd
        self._running: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def run(self, command: str, session: str, stop: threading.Event) -> ToolResult:
        """Run one command to its end.

        Raises:
            Stopped: `stop` was set; the command was killed.
        """
        import subprocess  # only here: most processes run no command, and start a third faster without
        import tempfile

        marks = {
            "CLAUDECODE": "1",
            "CLAUDE_CODE_SESSION_ID": session,
            "CLAUDE_PID": str(os.getpid()),
            "CLAUDE_CODE_CHILD_SESSION": "1",
        }
        with tempfile.TemporaryFile() as output:
            with self._starting:
                process = self._running = subprocess.Popen(
                    ["/bin/bash", "-c", command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**self._environment, **marks},
                    cwd=self._cwd,
                    start_new_session=True,
                )
            try:
                code = self._wait(process, stop)
            finally:
                self._running = None
            output.seek(0)
            text = output.read().decode("utf-8", "replace").rstrip("\n")
        if code != 0:
            return ToolResult(f"Exit code {code if code > 0 else 128 - code}\n{text}".rstrip("\n"), True)
        return ToolResult(text or "(Bash completed with no output)")

    def _wait(self, process: subprocess.Popen[bytes], stop: threading.Event) -> int:
        import subprocess

        while True:
            try:
                return process.wait(0.02)
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    self.kill()
                    process.wait()
                    raise Stopped from None

    def kill(self) -> bool:
        """Kill the running command and everything below it, also in other sessions; whether one ran."""
        with self._starting:
            process = self._running
        if process is None:
            return False
        for pid in [*_descendants(process.pid), process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return True


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text("latin-1").rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def use_file(name: str, values: dict[str, Any], cwd: str) -> ToolResult:
    """Do what Write or Read does."""
    path = Path(cwd, str(values.get("file_path", "")))
    try:
        if name == "Write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(values.get("content", "")), "utf-8")
            return ToolResult(f"File created successfully at: {path}")
        lines = path.read_text("utf-8").splitlines()
        return ToolResult("\n".join(f"{number}\t{line}" for number, line in enumerate(lines, 1)))
    except OSError as error:
        return ToolResult(f"<tool_use_error>{error}</tool_use_error>", True)


def allowed_by_mode(mode: str, name: str, values: dict[str, Any], cwd: str) -> bool:
    """Whether a permission mode lets a tool run without asking."""
    if mode == "bypassPermissions" or name in ("Read", "StructuredOutput"):
        return True
    if name == "Bash":
        parts = re.split(r"&&|\|\||[;|\n]", str(values.get("command", "")))
        known = _READING | _EDITING if mode == "acceptEdits" else _READING
        return all(_first_word(part) in known and not re.search(r"[<>$`]", part) for part in parts)
    if name == "Write":
        inside = Path(cwd, str(values.get("file_path", ""))).resolve().is_relative_to(Path(cwd).resolve())
        return inside and mode in ("acceptEdits", "auto")
    return False


def _first_word(command: str) -> str:
    words = command.split()
    return words[0] if words else ""


def matches(rules: tuple[str, ...], name: str, values: dict[str, Any]) -> bool:
    """Whether one of the permission rules speaks of this use of a tool."""
    return any(_matches(rule, name, values) for rule in rules)


def _matches(rule: str, name: str, values: dict[str, Any]) -> bool:
    tool, bracket, pattern = rule.partition("(")
    if not bracket:
        return name == tool or (
            tool.startswith("mcp__") and fnmatchcase(name, f"{tool.removesuffix('__*')}__*")
        )
    wanted = pattern.removesuffix(")").replace(":*", "*")
    return name == tool and fnmatchcase(str(values.get("command", "")), wanted)
