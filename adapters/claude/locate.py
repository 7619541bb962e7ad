"""Finds the Claude Code CLI and says which one it is.

Lookup order: the path the user gave, `CLAUDE_POOL_CLAUDE`, `claude` on PATH, and the copy inside the
`claude_agent_sdk` wheel. What is found is asked for its version and its options; the answers are kept as
long as the file stays the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from claude_pool.domain.ports import SlotFailure

_VERSION = re.compile(r"\b(\d+\.\d+\.\d+)\b")
_OPTION = re.compile(r"--[a-z][a-z0-9-]+")
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Cli:
    """One Claude Code CLI: its real path and its version (`unknown` where it does not say)."""

    path: str
    version: str


def locate(explicit: str | None, environ: Mapping[str, str]) -> Cli:
    """The CLI to drive.

    Raises:
        SlotFailure: `cli_missing` where there is none, or the one that was named cannot be run.
    """
    for origin, named in (("--claude", explicit), ("CLAUDE_POOL_CLAUDE", environ.get("CLAUDE_POOL_CLAUDE"))):
        if named:
            if not _runnable(named):
                raise SlotFailure("cli_missing", f"{origin} names {named}, which is not an executable file.")
            return inspect(named, environ)
    on_path = shutil.which("claude", path=environ.get("PATH", os.defpath))
    found = on_path or bundled()
    if found is None:
        raise SlotFailure(
            "cli_missing",
            "No Claude Code CLI was found. Install it (https://claude.com/claude-code), name it with "
            "--claude PATH or CLAUDE_POOL_CLAUDE, or install the extra `claude-pool[cli]`.",
        )
    return inspect(found, environ)


def bundled() -> str | None:
    """The path of the CLI that the `claude_agent_sdk` wheel carries, or None."""
    spec = importlib.util.find_spec("claude_agent_sdk")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "_bundled" / "claude"
        if _runnable(str(path)):
            return str(path)
    return None


def inspect(path: str, environ: Mapping[str, str]) -> Cli:
    """Ask the CLI at `path` for its version.

    Raises:
        SlotFailure: `cli_missing` where it cannot be started.
    """
    real = os.path.realpath(path)
    version = _VERSION.search(_ask(real, _stamp(real), "--version", _search(environ)))
    return Cli(real, version.group(1) if version else "unknown")


def options(cli: Cli, environ: Mapping[str, str]) -> frozenset[str]:
    """The long options that the CLI's help names (hidden ones are missing). 0.3 s the first time.

    Raises:
        SlotFailure: `cli_missing` where it cannot be started.
    """
    return frozenset(_OPTION.findall(_ask(cli.path, _stamp(cli.path), "--help", _search(environ))))


def digest(cli: Cli) -> str:
    """SHA-256 (hex) of the CLI's file. Reads all of it the first time: seconds for a large one."""
    return _digest(cli.path, _stamp(cli.path))


@lru_cache(maxsize=8)
def _digest(path: str, stamp: tuple[int, int]) -> str:  # noqa: ARG001
    with open(path, "rb") as program:
        return hashlib.file_digest(program, "sha256").hexdigest()


def _stamp(path: str) -> tuple[int, int]:
    """What tells one state of a file from another without reading it."""
    try:
        seen = os.stat(path)
    except OSError as error:
        raise SlotFailure("cli_missing", f"{path} cannot be read: {error.strerror}.") from error
    return (seen.st_mtime_ns, seen.st_size)


def _search(environ: Mapping[str, str]) -> tuple[str, str]:
    return environ.get("PATH", os.defpath), environ.get("HOME", "/")


@lru_cache(maxsize=16)
def _ask(path: str, stamp: tuple[int, int], option: str, search: tuple[str, str]) -> str:  # noqa: ARG001
    # A project's own settings play no part here, so the CLI is asked outside of any project.
    environment = {"PATH": search[0], "HOME": search[1], "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    try:
        answer = subprocess.run(
            [path, option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=environment,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlotFailure("cli_missing", f"{path} {option} gave no answer: {error}.") from error
    return answer.stdout.decode("utf-8", "replace")


def _runnable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
