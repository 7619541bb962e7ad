"""A pool reached through the installed command `claude-pool`, whose owner is a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from claude_pool.adapters.calling import connect, greeting
from claude_pool.adapters.client import Client
from claude_pool.adapters.places import Places, find

from tests.support.owners import stop_owner
from tests.support.pool_leftovers import processes_of
from tests.support.pool_level import View
from tests.support.pool_loop import PATIENCE
from tests.support.pool_plan import Plan
from tests.support.pool_service import SlotProgram
from tests.support.waiting import until_sync
from tests.support.warm_command import run_warm

COMMAND = Path(sys.executable).parent / "claude-pool"

_POLL_SECONDS = 0.02
_ASK_SECONDS = 1.0
_GREETING = greeting("shell", toolsets="all")
_CODED = re.compile(r"\[([a-z_]+)\] (.*)", re.DOTALL)
_FLAGS = {
    "max_budget_usd": "--task-budget-usd",
    "timeout_seconds": "--task-timeout",
    "tags": "--tag",
    "max_rejections": "--review",
    "step": "--from",
}
_VERBS: dict[str, tuple[str, ...]] = {
    "pool_run": ("run",),
    "pool_submit": ("submit",),
    "pool_submit_with_review": ("submit", "--review"),
    "pool_approve_result": ("approve",),
    "pool_reject_result": ("reject",),
    "pool_answer_question": ("answer",),
    "pool_result": ("task",),
    "pool_cancel": ("cancel",),
    "pool_list_tasks": ("tasks",),
    "pool_submit_chain": ("chain", "submit", "-"),
    "pool_chain_result": ("chain", "show"),
    "pool_cancel_chain": ("cancel",),
    "pool_fork": ("fork",),
    "pool_status": ("status",),
    "pool_why": ("why",),
    "pool_replay": ("replay",),
    "pool_send_message": ("send",),
    "pool_broadcast": ("send", "all"),
    "pool_peek_messages": ("messages",),
    "context_set": ("context", "set"),
    "context_delete": ("context", "delete"),
    "context_list": ("context", "list"),
}
_POSITIONAL = (
    "prompt", "task_id", "feedback", "question_id", "choice", "id", "key", "value", "to", "content",
    "slot_id", "chain_id",
)  # fmt: skip
_OF_CALLS_ONLY = ("wait_seconds", "after", "limit")


class CommandRefused(Exception):
    """The command said `[code] message` and nothing else."""

    def __init__(self, code: str, message: str) -> None:
        """As it was said."""
        super().__init__(f"[{code}] {message}")
        self.code = code
        self.message = message


class CommandPool:
    """Implements `Level`. Every call is a process, but for the looks of a wait: it asks many times, and for
    all that it is told each time a process starts and ends."""

    def __init__(self, folder: Path, program: SlotProgram, plan: Plan) -> None:
        """Has an owner started. All processes get a HOME below `folder`, and by that they are found."""
        self._folder = folder
        self._state = folder / "state"
        (folder / "run").mkdir(mode=0o700)
        chosen: dict[str, object] = {
            "CLAUDE": program.path,
            "STATE_DIR": self._state,
            "SLOTS": plan.settings.slots,
            "MODEL": plan.settings.options.model,
            "SESSION": plan.settings.session,
            "PERMISSION_MODE": plan.settings.options.permission_mode,
            "QUESTION_SECONDS": plan.settings.question_ms / 1000,
            "BUDGET_USD": None if plan.budget is None else plan.budget / 1_000_000,
        }
        self._environment = {
            **program.environment,
            "XDG_RUNTIME_DIR": str(folder / "run"),
            **{f"CLAUDE_POOL_{name}": str(value) for name, value in chosen.items() if value is not None},
        }
        self._places = find(self._environment, str(folder / "w"), str(self._state))
        self._line: Client | None = None
        self._start()

    def call(self, tool: str, arguments: Mapping[str, object]) -> View:
        """See `Level.call`."""
        if self._line is not None:
            return self._line.call(tool, arguments)
        if tool == "pool_submit_chain":
            ran = self._run(*_words(tool, {}), told=json.dumps(arguments))
        else:
            ran = self._run(*_words(tool, arguments))
        if tool == "pool_replay" and ran.returncode == 0:
            return {"events": [json.loads(line) for line in ran.stdout.splitlines()], "next": None}
        if ran.stdout.strip():
            view: Any = json.loads(ran.stdout)
            return view  # type: ignore[no-any-return]  # all of these verbs print objects
        coded = _CODED.search(ran.stderr)
        assert coded is not None, f"{ran.args} exited with {ran.returncode}: {ran.stderr}"
        raise CommandRefused(coded[1], coded[2].strip())

    def _run(self, *words: str, told: str = "") -> subprocess.CompletedProcess[str]:
        return run_warm(words, self._environment, self._folder / "w", told, timeout=PATIENCE)

    def call_and_leave(
        self, tool: str, arguments: Mapping[str, object], once: Callable[[], bool], what: str
    ) -> None:
        """See `Level.call_and_leave`. A caller that is killed can say nothing any more."""
        nothing = subprocess.DEVNULL
        with subprocess.Popen(
            (COMMAND, *_words(tool, arguments)), cwd=self._folder / "w", env=self._environment,
            stdin=nothing, stdout=nothing, stderr=nothing,
        ) as calling:  # fmt: skip
            try:
                self.until(once, what)
            finally:
                calling.kill()

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """See `Level.until`."""
        deadline = time.monotonic() + PATIENCE
        link = connect(self._places, _GREETING)
        assert link is not None, "there is no owner"
        with Client(link) as self._line:
            try:
                self._line.initialize()
                while not self._seen(happened):
                    assert time.monotonic() < deadline, f"it did not happen that {what}"
            finally:
                self._line = None

    def _seen(self, happened: Callable[[], bool]) -> bool:
        """Whether it has `happened`; where not, something else has since, or a while has passed."""
        written = self._written()
        if happened():
            return True
        again = time.monotonic() + _ASK_SECONDS
        while self._written() == written and time.monotonic() < again:
            time.sleep(_POLL_SECONDS)  # another process tells nobody here what it does
        return False

    def _written(self) -> list[tuple[int, int]]:
        """Changes with the log: mostly nothing has happened."""
        found: list[tuple[int, int]] = []
        for name in ("log.sqlite", "log.sqlite-wal"):
            with suppress(FileNotFoundError):
                stat = (self._state / name).stat()
                found.append((stat.st_mtime_ns, stat.st_size))
        return found

    def settle(self) -> None:
        """See `Level.settle`: from outside nothing is to be seen but what a step then waits for itself."""

    def advance(self, milliseconds: int) -> None:
        """See `Level.advance`."""
        raise NotImplementedError("the clock of another process cannot be moved")

    def set_clock(self, milliseconds: int) -> None:
        """See `Level.set_clock`."""
        raise NotImplementedError("the clock of another process cannot be set")

    def transcript(self, task_id: str) -> str:
        """See `Level.transcript`."""
        found = sorted((self._state / "transcripts").glob(f"{task_id}.*.jsonl"))
        return found[-1].read_text("utf-8", "replace") if found else ""

    def connect(self, toolsets: str) -> Client:
        """See `Level.connect`."""
        raise NotImplementedError("the command has no such connection")

    def replayed_status(self) -> View:
        """See `Level.replayed_status`: the command reads the log where no owner runs."""
        self._stop("finish")
        return self.call("pool_status", {})

    def costs(self, by: str) -> View:
        """See `Level.costs`."""
        ran = self._run("cost", "--by", by, "--json")
        assert ran.returncode == 0, ran.stderr
        view: View = json.loads(ran.stdout)
        return view

    def places(self) -> Places:
        """See `Level.places`."""
        return self._places

    def check_log(self) -> list[str]:
        """See `Level.check_log`."""
        ran = self._run("replay", "--check")
        return [] if ran.returncode == 0 else [ran.stderr]

    def restart(self, how: str) -> None:
        """See `Level.restart`. A crash is a signal that cannot be caught."""
        if how == "crash":
            os.kill(self._owner(), signal.SIGKILL)
            self._await_nobody()
        else:
            self._stop(how)
        self._start()

    def _start(self) -> None:
        ran = self._run("resume")
        assert ran.returncode == 0, ran.stderr

    def _owner(self) -> int:
        owners = [pid for pid, words in processes_of(self._folder) if "claude_pool.adapters.owner" in words]
        assert len(owners) == 1, f"not one owner: {processes_of(self._folder)}"
        return owners[0]

    def _stop(self, how: str) -> None:
        ran = self._run("stop", *(["--now"] if how == "now" else []))
        assert ran.returncode == 0, ran.stderr
        self._await_nobody()

    def _await_nobody(self) -> None:
        until_sync(lambda: not processes_of(self._folder), PATIENCE)

    def close(self) -> None:
        """See `Level.close`."""
        stop_owner(self._state, self._environment, self._folder)
        self._await_nobody()


def _words(tool: str, arguments: Mapping[str, object]) -> list[str]:
    words, flags = list(_VERBS[tool]), ["--json"]
    for name, value in arguments.items():
        if name in _POSITIONAL and (tool, name) != ("pool_fork", "prompt"):
            words.append(str(value))
        elif name == "tags":
            flags += [f"--tag={tag}" for tag in _list(value)]
        elif name not in _OF_CALLS_ONLY:
            flags.append(f"{_FLAGS.get(name, '--' + name.replace('_', '-'))}={value}")
    return [*words, *flags]


def _list(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
