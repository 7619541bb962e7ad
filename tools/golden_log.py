#!/usr/bin/env python3
"""Records a log of this version under tests/golden/logs/VERSION, once; later versions must replay it.

A pool with the fake CLI lives through success, failure, cancel, a budget, shared context, a crash and
recovery. What its status and tasks were is kept beside the log.
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
    lost = shell.run("submit", "[[hang]] a task that a crash seals").strip()
    until_sync(lambda: shell.json("task", lost)["state"] == "running")
    shell.kill_owner()
    shell.run("run", "[[reply: later]] a task under the next owner", "--priority=3")
    shell.run("stop", "--now")


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
