"""An executable that behaves like the Claude Code CLI, well or badly, with no API."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.fakes.fakecli.options import OLD_VERSION, VERSION

_FAKE = Path(__file__).resolve().parents[1] / "fakes" / "fakeclaude.py"


def fake_cli(
    folder: Path, persona: str = "normal", *, calls: Path | None = None, name: str = "claude"
) -> Path:
    """Make the executable `name` in `folder` and return its path.

    `persona` is a comma-separated list of what `tests.fakes.fakecli.personas` describes. `calls` is a file
    that every model call is appended to, in the scripted API's format.
    """
    words = [sys.executable, "-I", "-S", str(_FAKE), f"--fake-persona={persona}"]
    if calls is not None:
        words.append(f"--fake-calls={calls}")
    old = any(each.split()[:1] == ["old"] for each in persona.split(","))
    # every pool asks for the version first, and this answers without the start of an interpreter
    version = f"{OLD_VERSION if old else VERSION} (Claude Code)"
    quick = f'if [ "$*" = --version ]; then echo "{version}"; exit; fi'
    program = folder / name
    program.write_text(f'#!/bin/sh\n{quick}\nexec {shlex.join(words)} "$@"\n', "utf-8")
    program.chmod(0o755)
    return program


def fake_environment(home: Path) -> dict[str, str]:
    """The environment for the fake: it has a key and a home, and reaches nothing."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "ANTHROPIC_API_KEY": "sk-ant-dummy"}
