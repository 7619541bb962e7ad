"""A pool whose owners are killed: its folders, its owners, its client, and what the client was told."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from claude_pool.adapters.calling import Unavailable, connect, greeting
from claude_pool.adapters.client import Client, ToolError
from claude_pool.adapters.config.settings import Settings, settle
from claude_pool.adapters.places import prepare

from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.pool_leftovers import left_after
from tests.support.real_git import Repository, repository
from tests.support.waiting import until_sync

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
GONE_SECONDS = 1.0
"""Later than this after the death of an owner, none of its processes may live."""

View = dict[str, Any]


class OwnerGone(Exception):
    """The owner died, or was not there; what was asked is not answered."""


class Breeder:
    """The process that owners are forked from. `template` is a repository of one commit, to be copied."""

    def __init__(self, template: Path) -> None:
        """Takes the second that the imports need."""
        self.template = template
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.dying_owner"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self, order: View) -> int:
        """The pid of a new owner."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it; its owners must have ended before."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


@contextmanager
def breeding() -> Generator[Breeder]:
    """A breeder for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="cp-") as folder:
        breeder = Breeder(repository(Path(folder)).path)
        try:
            yield breeder
        finally:
            breeder.close()


@dataclass(frozen=True, slots=True)
class Kill:
    """Where an owner ends: around its append number `count`, in a phase of `dying_owner`."""

    phase: str
    count: int


@dataclass
class Ledger:
    """What the client asked and was told, also on disk for the owner that waits for its own death.

    `answers` has an entry for each answered call that changes something; `seen` what a task was said to be
    at last, once that was final.
    """

    path: Path
    answers: list[tuple[str, View, View]] = field(default_factory=list[tuple[str, View, View]])
    seen: dict[str, View] = field(default_factory=dict[str, View])

    def ask(self, tool: str) -> None:
        """A call goes out."""
        self._write(f"> {tool}")

    def told(self, tool: str, arguments: View, answer: View | None) -> None:
        """It came back; None where it was refused."""
        if answer is not None:
            self.answers.append((tool, arguments, answer))
        self._write(f"< {tool}")

    def reopen(self) -> None:
        """Begin anew on disk: whom the open call was made to is dead."""
        self.path.write_text("", "utf-8")

    def _write(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@dataclass
class CrashPool:
    """One pool in a folder of its own. `slowest` is the longest that processes outlived an owner, in s."""

    folder: Path
    breeder: Breeder
    options: dict[str, object]
    ledger: Ledger
    repository: Repository
    slowest: float = 0.0
    client: Client | None = None
    _owner: int | None = None

    @cached_property
    def environment(self) -> dict[str, str]:
        """All that owners and clients see."""
        return fake_environment(self.folder / "home") | {
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "TMPDIR": str(self.folder / "tmp"),
            "CLAUDE_POOL_CLAUDE": str(self.folder / "claude"),
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }

    @cached_property
    def settings(self) -> Settings:
        """The pool that is meant, as a shell in the repository would mean it."""
        return settle(self.options, self.environment, str(self.repository.path))

    @property
    def log(self) -> Path:
        """The log's file."""
        return Path(self.settings.places.log)

    @property
    def _tombstone(self) -> Path:
        return self.ledger.path.with_suffix(".dead")

    @property
    def trapped(self) -> bool:
        """Whether the last owner died where it was to."""
        return self._tombstone.exists()

    def start(self, kill: Kill | None = None) -> None:
        """Start an owner, one that dies at `kill`; `reach` tells whether it lived to answer."""
        prepare(self.settings.places)
        self.ledger.reopen()
        trap = None if kill is None else [kill.phase, kill.count, str(self.ledger.path)]
        order = {
            "document": self.settings.document(), "environment": self.environment,
            "output": self.settings.places.owner_log, "kill": trap,
        }  # fmt: skip
        self._tombstone.unlink(missing_ok=True)
        self._release()
        with suppress(ProcessLookupError):
            self._owner = os.pidfd_open(self.breeder.start(order))  # a pid alone may be another's tomorrow

    def reach(self) -> None:
        """Connect to the owner and shake hands; OwnerGone where it dies before."""
        hello = greeting("shell", toolsets="all", working_dir=str(self.repository.path))

        def answered() -> bool:
            alive = not self.is_dead(0)
            with suppress(Unavailable):
                if link := connect(self.settings.places, hello, PATIENCE):
                    client = Client(link)
                    try:
                        client.initialize(PATIENCE)
                    except ToolError as error:
                        client.close()
                        raise OwnerGone from error
                    self.client = client
                    return True
            if not alive:
                raise OwnerGone
            return False

        until_sync(answered, PATIENCE, "an owner that answers")

    def call(self, tool: str, arguments: View) -> View:
        """Call a tool. Raises OwnerGone where the owner died meanwhile, ToolError where it refused."""
        if self.client is None:
            self.reach()
        assert self.client is not None
        try:
            return self.client.call(tool, arguments, PATIENCE)
        except ToolError as error:
            if error.message.startswith("The pool's owner ended before it answered"):
                raise OwnerGone from error
            raise

    def hang_up(self) -> None:
        """Close the connection."""
        if self.client is not None:
            self.client.close()
            self.client = None

    def stop(self) -> None:
        """Ask the owner to end at once, and wait for its end."""
        self.hang_up()
        link = connect(self.settings.places, greeting("shell", stop="now"), PATIENCE)
        if link is None:
            raise OwnerGone
        link.socket.close()
        assert self.is_dead(PATIENCE), "an owner that was told to stop did not end"

    def is_dead(self, seconds: float) -> bool:
        """Whether the owner ends within `seconds`."""
        return self._owner is None or bool(select.select([self._owner], [], [], seconds)[0])

    def kill(self) -> None:
        """End the owner as a crash would, if it lives."""
        if self._owner is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._owner, signal.SIGKILL)

    def _release(self) -> None:
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    def bury(self) -> None:
        """Wait for the owner's death, and then for the end of all of its processes; they have a second."""
        assert self.is_dead(PATIENCE), f"the owner does not die: {self.said()}"
        self.hang_up()
        died = time.monotonic()
        left = left_after(self.folder, GONE_SECONDS)
        assert not left, f"{GONE_SECONDS} s after its owner's death there are {left}"
        self.slowest = max(self.slowest, time.monotonic() - died)

    def said(self) -> str:
        """The end of what owners printed."""
        path = Path(self.settings.places.owner_log)
        return path.read_text("utf-8")[-2000:] if path.exists() else "nothing"

    def close(self) -> None:
        """End what is left, whatever became of the test."""
        self.kill()
        self.hang_up()
        self._release()
        for pid, _ in left_after(self.folder, 2 * GONE_SECONDS):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def crash_pool(breeder: Breeder, options: dict[str, object], persona: str = "normal") -> Generator[CrashPool]:
    """A pool that nobody owns yet, of the fake CLI, in a repository of one commit."""
    with tempfile.TemporaryDirectory(prefix="cp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for part in ("home", "tmp"):
            (folder / part).mkdir()
        (folder / "run").mkdir(mode=0o700)
        fake_cli(folder, persona)
        pool = CrashPool(folder, breeder, options, Ledger(folder / "ledger"), _copied(breeder, folder))
        try:
            yield pool
        finally:
            pool.close()


def _copied(breeder: Breeder, folder: Path) -> Repository:
    shutil.copytree(breeder.template, folder / "project", symlinks=True)
    return Repository(folder / "project", folder / "home")
