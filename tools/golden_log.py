#!/usr/bin/env python3
"""Records a log of this version under tests/golden/logs/VERSION, once; later versions must replay it.

A pool with the fake CLI lives through success, failure, cancel, limits, reviews, chains, messages, shared
context, crashes and recoveries. What its status and tasks were is kept beside the log.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.commands import Shell, a_shell  # noqa: E402  # the project's root is on the path only now
from tests.support.waiting import until_sync  # noqa: E402


def live(shell: Shell) -> None:
    """A short but full life of a pool."""
    shell.run("context", "set", "language", "English")
    shell.run("run", "[[reply: fine]] a task that succeeds", "--tag", "kept")
    shell.run("run", "[[status: 529]] a task that fails", code=1)
    shell.run("run", f"[[reply: {'long ' * 600}]] a task with a long answer")
    hanging = shell.run("submit", "[[slow: 50ms x 600]] a task that is cancelled").strip()
    until_sync(lambda: shell.json("task", hanging)["state"] == "running")
    shell.run("cancel", hanging)
    judge(shell)
    chains(shell)
    shell.run("send", "slot-0", "a message for the next one")
    shell.run("budget", "set", "4", "--soft", "3.50")
    shell.run("budget", "set", "1", "--tag", "kept")
    crash(shell)
    shell.run("run", "[[reply: later]] a task under the next owner", "--priority=3")
    shell.run("stop", "--now")


def judge(shell: Shell) -> None:
    """A result is rejected once, then approved."""
    judged = shell.run("submit", "[[reply: a draft]] a task under review", "--review", "2").strip()
    for verdict in (("reject", judged, "More of it."), ("approve", judged)):
        until_sync(lambda: shell.json("task", judged)["state"] == "pending_review")
        shell.run(*verdict)


def chains(shell: Shell) -> None:
    """One chain completes; of another a step fails, and what needs it is skipped."""
    look = {"name": "look", "prompt": "[[reply: seen]] look"}
    mend = {"name": "mend", "prompt": "[[reply: mended]] mend what was {steps.look.output}"}
    for steps, code in (([look, mend], 0), ([{**look, "prompt": "[[status: 529]] look"}, mend], 1)):
        (shell.folder / "chain.json").write_text(json.dumps({"steps": steps}), "utf-8")
        shell.run("chain", "run", "chain.json", code=code)


def crash(shell: Shell) -> None:
    """An owner dies twice: one task asks at once, the other goes on by itself after the first time only."""
    asking = shell.run("submit", "[[hang]] a task that asks", "--on-interrupt=ask").strip()
    until_sync(lambda: shell.json("task", asking)["state"] == "running")
    shell.kill_owner()
    going_on = shell.run("submit", "[[hang]] a task that goes on").strip()
    for attempt in (1, 2):
        until_sync(lambda: _runs(shell, going_on, attempt))  # noqa: B023  # asked before the next round
        shell.kill_owner()
        shell.run("context", "set", "crashes", str(attempt))


def _runs(shell: Shell, task_id: str, attempt: int) -> bool:
    view = shell.json("task", task_id)
    return bool(view["state"] == "running" and view["attempts"] == attempt)


def main() -> int:
    """Record; 1 where this version has a log already."""
    kept = ROOT / "tests" / "golden" / "logs" / version("claude-pool")
    if kept.exists():
        print(f"{kept} is there already; a log is recorded once")
        return 1
    with tempfile.TemporaryDirectory() as name:
        with a_shell(Path(name), CLAUDE_POOL_BUDGET_USD="5", CLAUDE_POOL_MODEL="haiku") as shell:
            live(shell)
            status = shell.json("status")
            tasks = shell.json("tasks")
            state = shell.state
            with sqlite3.connect(state / "log.sqlite") as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            passing = shutil.ignore_patterns("owner*", ".gitignore", "*-wal", "*-shm")
            shutil.copytree(state, kept, ignore=passing)
    for file, view in (("status.json", status), ("tasks.json", tasks)):
        (kept / file).write_text(json.dumps(view, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"recorded {kept}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
