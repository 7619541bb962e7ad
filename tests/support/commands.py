"""The command, run as its user would run it, in a world of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.owners import stopped_owners
from tests.support.warm_command import run_warm

COMMAND = Path(sys.executable).with_name("claude-pool")


@dataclass(frozen=True)
class Shell:
    """A user's shell in a project's folder. `environment` is all that its commands see."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, code: int | None = 0, stdin: str = "") -> str:
        """Run `claude-pool` with `words`; what it printed. `code` is the exit code that is expected."""
        ran = self.raw(*words, stdin=stdin)
        if code is not None:
            assert ran.returncode == code, f"exit {ran.returncode}: {ran.stdout}\n{ran.stderr}"
        return ran.stdout + ran.stderr

    def json(self, *words: str, stdin: str = "") -> Any:
        """The same with `--json`, decoded; any exit code."""
        ran = self.raw(*words, "--json", stdin=stdin)
        assert ran.stdout, ran.stderr
        return json.loads(ran.stdout)

    def raw(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The bare outcome."""
        return run_warm(words, self.environment, self.folder, stdin)

    @property
    def state(self) -> Path:
        """The state directory of the pool that was used."""
        return next(self.folder.parent.rglob("log.sqlite")).parent

    def kill_owner(self) -> None:
        """End the owner as a crash would."""
        os.kill(int((self.state / "owner.lock").read_text()), signal.SIGKILL)


@contextmanager
def a_shell(
    folder: Path, persona: str = "normal", environment: dict[str, str] | None = None, **more: str
) -> Generator[Shell]:
    """A shell in a fresh project with the fake CLI, one slot, and an owner that stays for a minute.

    Afterwards its owners are stopped, and the test fails if a process of them remains.
    """
    project = folder / "project"
    project.mkdir()
    scratch = folder / "tmp"
    scratch.mkdir()
    chosen = fake_environment(folder / "home") if environment is None else environment
    chosen |= {"TMPDIR": str(scratch), "CLAUDE_POOL_SLOTS": "1"}
    if environment is None:
        chosen["CLAUDE_POOL_CLAUDE"] = str(fake_cli(folder, persona))
    with stopped_owners(folder, chosen):
        yield Shell(project, chosen | more)
