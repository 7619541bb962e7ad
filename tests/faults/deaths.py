"""A whole pool at work, of whose processes some are killed: what outlives them, and for how long.

Three slots work: one has tools that left daemons behind, one calls the model again and again, one writes in
a worktree for a chain. `python -m tests.faults.deaths [--victim NAME] [--trials N]` does it with the
real CLI against the scripted API, and prints how long processes and calls went on.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_pool.adapters.claude import tree
from claude_pool.adapters.demo.scripted_api import running_api
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.domain.records import Event, Recorded
from claude_pool.domain.task_events import AttemptStarted
from claude_pool.domain.world import World

from tests.faults.crash_checks import fold
from tests.support.commands import Shell
from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.pool_leftovers import left_after
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.real_git import Repository, repository
from tests.support.waiting import until_sync

PATIENCE = 60.0
GONE_SECONDS = 1.0
"""Later than this after a death, nothing that it orphans may run or call."""

WATCHED_SECONDS = 2.5
"""So long after a death it is looked at what lives and calls."""

OWNER, KEEPER, CLI, RELAY, BOTH = "owner", "keeper", "cli", "relay", "owner and keeper"
VICTIMS = (OWNER, KEEPER, CLI, RELAY, BOTH)

_DAEMONS = (
    "(setsid sh -c 'trap : TERM INT HUP; while :; do sleep 1; done' > /dev/null 2>&1 < /dev/null &); "
    "(setsid sh -c '(trap : TERM; sleep 600) &' > /dev/null 2>&1 < /dev/null &); "
)

View = dict[str, Any]


@dataclass
class Scene:
    """A pool at work: its shell, the user's repository, the ids of what runs, and the calls so far."""

    shell: Shell
    there: Repository
    calls: Callable[[], int]
    daemons: str = ""
    spender: str = ""
    chain: str = ""

    @property
    def pool(self) -> str:
        """What the cookies of its processes begin with."""
        return f"{self.world().open_pool().pool_id}."

    def log(self) -> tuple[Recorded, ...]:
        """All events, read from the file beside whoever writes it; the chain is verified."""
        reader = open_reader(self.shell.state / "log.sqlite", default_codec())
        try:
            reader.verify()
            return tuple(reader.read_all())
        finally:
            reader.close()

    def world(self) -> World:
        """The live view."""
        return fold(self.log())

    def wait_for(self, name: str, stream: str = "") -> Event:
        """The first event of a name (in a stream), once there is one."""
        found: list[Event] = []

        def there() -> bool:
            found[:] = [e.event for e in self.log() if name == e.event.NAME and stream in ("", e.stream)]
            return bool(found)

        until_sync(there, PATIENCE)
        return found[0]

    def owner(self) -> int:
        """The pid of the owner."""
        return int((self.shell.state / "owner.lock").read_text())

    def slot_of(self, task_id: str) -> str:
        """The slot that a task runs in."""
        [started] = [
            each.event
            for each in self.log()
            if each.stream == task_id and isinstance(each.event, AttemptStarted)
        ]
        return started.slot_id

    def processes(self, slot: str = "") -> list[tree.Identity]:
        """The living processes of the pool's slots, or of one."""
        return list(tree.find(f"{self.pool}{slot and slot + '.'}"))

    def keeper(self, slot: str) -> int:
        """The pid of the keeper of a slot."""
        return next(each.pid for each in self.processes(slot) if "keeper.py" in _words(each.pid))

    def cli(self, slot: str) -> int:
        """The pid of the CLI of a slot."""
        children = Path(f"/proc/{(keeper := self.keeper(slot))}/task/{keeper}/children").read_text()
        return int(children.split()[0])


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How long processes lived on (s; None: to `WATCHED_SECONDS` and longer), and calls after a second."""

    seconds: float | None
    late_calls: int


def _words(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def bash(command: str) -> str:
    """The directive for a Bash call."""
    return f"[[tool: Bash {json.dumps({'command': command})}]]"


@contextmanager
def at_work(real: bool) -> Generator[Scene]:
    """A pool with its three slots in the middle of their turns. Nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="cp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        there, record = repository(folder, "w"), folder / "calls"
        chosen = {
            "CLAUDE_POOL_SLOTS": "3",
            "CLAUDE_POOL_MODEL": "haiku",
            "CLAUDE_POOL_PERMISSION_MODE": "bypassPermissions",
        }
        with running_api() as api:
            if real:
                environment = cli_environment(folder / "home", api.url)
                environment |= {"CLAUDE_POOL_CLAUDE": str(bundled_cli())}
            else:
                (folder / "tmp").mkdir()
                environment = fake_environment(folder / "home") | {"TMPDIR": str(folder / "tmp")}
                environment |= {"CLAUDE_POOL_CLAUDE": str(fake_cli(folder, calls=record))}
            shell = Shell(there.path, environment | chosen)
            calls = (lambda: len(api.calls)) if real else (lambda: len(record.read_bytes().splitlines()))
            scene = Scene(shell, there, calls)
            try:
                _begin(scene, folder)
                yield scene
            finally:
                _end(scene, folder)


def _end(scene: Scene, folder: Path) -> None:
    """Kill what is left: the owner first, and what nobody keeps by itself."""
    with suppress(OSError, ValueError, StopIteration):
        owner = scene.owner()
        if "claude_pool" in _words(owner):
            os.kill(owner, signal.SIGKILL)
    for pid, _ in left_after(folder, GONE_SECONDS):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _begin(scene: Scene, folder: Path) -> None:
    marks = [folder / f"mark-{number}" for number in range(3)]
    idle = bash(f"{_DAEMONS} touch {marks[0]}; sleep 600")
    loop = " ".join([bash(f"touch {marks[1]}"), *[bash("sleep 0.1")] * 1000])
    write = bash(f"echo work > work.txt; {_DAEMONS} touch {marks[2]}; sleep 600")
    plan: View = {
        "isolation": "worktree",
        "steps": [{"name": "write", "prompt": write, "on_interrupt": "ask"}],
    }
    with relay(scene.shell) as coordinator:

        def submit(tool: str, **given: object) -> View:
            answer: View = ask(coordinator, "tools/call", {"name": tool, "arguments": given})
            return answer["structuredContent"]  # type: ignore[no-any-return]

        scene.daemons = submit("pool_submit", prompt=idle, on_interrupt="ask")["task_id"]
        scene.spender = submit("pool_submit", prompt=loop, on_interrupt="ask")["task_id"]
        scene.chain = submit("pool_submit_chain", **plan)["chain_id"]
    until_sync(lambda: all(mark.exists() for mark in marks), PATIENCE)


def kill(scene: Scene, victim: str) -> Aftermath:
    """SIGKILL a victim, and look at what it orphans."""
    slot = scene.slot_of(scene.daemons)
    victims: dict[str, Callable[[], list[int]]] = {
        OWNER: lambda: [scene.owner()],
        KEEPER: lambda: [scene.keeper(slot)],
        CLI: lambda: [scene.cli(slot)],
        BOTH: lambda: [scene.owner(), scene.keeper(slot)],
    }
    pids = victims[victim]()
    orphaned = set(scene.processes(slot) if victim in (KEEPER, CLI) else scene.processes())
    assert len(orphaned) >= 4, "a keeper, its CLI, and what tools left"
    died = time.monotonic()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return _watch(died, orphaned, None if victim in (KEEPER, CLI) else scene.calls)


def _watch(died: float, orphaned: set[tree.Identity], calls: Callable[[], int] | None) -> Aftermath:
    def ended(by: float) -> float | None:
        with suppress(TimeoutError):
            left = died + by - time.monotonic()
            until_sync(lambda: not any(map(tree.alive, orphaned)), left, step=0.005)
            return time.monotonic() - died
        return None

    if calls is None:
        return Aftermath(ended(WATCHED_SECONDS), 0)
    gone = ended(GONE_SECONDS)
    until_sync(lambda: time.monotonic() - died >= GONE_SECONDS)
    early = calls()
    if gone is None:
        gone = ended(WATCHED_SECONDS)
    with suppress(TimeoutError):
        until_sync(lambda: calls() > early, died + WATCHED_SECONDS - time.monotonic())
    return Aftermath(gone, calls() - early)


@contextmanager
def relay(shell: Shell) -> Generator[subprocess.Popen[str]]:
    """A coordinator's connection, which has shaken hands."""
    command = [str(Path(sys.executable).with_name("claude-pool")), "serve"]
    with subprocess.Popen(
        command, cwd=shell.folder, env=shell.environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        about = {"name": "test", "version": "1"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about}
        try:
            ask(process, "initialize", hello)
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], method: str, params: View) -> View:
    """The result of a request over a relay."""
    assert process.stdin is not None and process.stdout is not None
    message = {"jsonrpc": "2.0", "id": method, "method": method, "params": params}
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        answer: View = json.loads(line)
        if answer.get("id") == method:
            result: View = answer["result"]
            return result
    raise EOFError(method)


# ---------------------------------------------------------------------------- trials


def main() -> int:
    """Try it as often as the command line says; the exit code tells whether anything outlived its second."""
    parser = argparse.ArgumentParser(description="Kill parts of a pool of real CLIs at work.")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--victim", default=OWNER, choices=[each for each in VICTIMS if each != RELAY])
    parser.add_argument("--fake", action="store_true", help="the stand-in instead of the real CLI")
    options = parser.parse_args()
    found: list[Aftermath] = []
    for number in range(options.trials):
        with at_work(not options.fake) as scene:
            found.append(kill(scene, options.victim))
        print(f"{number + 1}/{options.trials} {options.victim}: {found[-1]}", flush=True)
    times = [each.seconds for each in found if each.seconds is not None]
    late = [each for each in found if each.seconds is None or each.seconds > GONE_SECONDS]
    numbers = {
        "victim": options.victim, "trials": len(found), "with processes after 1 s": len(late),
        "slowest (s)": round(max(times, default=0), 3), "median (s)": sorted(times)[len(times) // 2 :][:1],
        "calls after 1 s": sum(each.late_calls for each in found),
    }  # fmt: skip
    print(json.dumps(numbers))
    return 1 if late or numbers["calls after 1 s"] else 0


if __name__ == "__main__":
    sys.exit(main())
