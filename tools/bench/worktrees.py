"""Count how many of 160 work trees that 8 threads make at once come to be, and how long one takes.

    python tools/bench/worktrees.py            8 threads, 20 work trees each
    python tools/bench/worktrees.py --quick    5 each, for CI
    python tools/bench/worktrees.py --json     rows as JSON

The baseline is plain `git worktree add -b NAME PATH origin/main` from as many threads in a repository of the
same shape: git notes for each branch what it follows, and those who write that at once hinder each other.
Exits 1 where one of ours is not made.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from claude_pool.adapters.git.workplaces import GitWorkplaces
from claude_pool.domain.errors import PoolError
from claude_pool.domain.isolation import Isolation
from tables import Row, Table, arguments, measured, ms, p50, p90

THREADS = 8
FILES = 200


def main() -> int:
    """Measure, print, and say whether all were made."""
    chosen = arguments("Make work trees from many threads at once.")
    each = 5 if chosen.quick else 20
    table = Table(chosen.json, "plain git")
    with tempfile.TemporaryDirectory(prefix="cpb-") as name:
        folder = Path(os.path.realpath(name))
        ours = GitWorkplaces(str(folder / "ours"), _environment(folder))
        source, plain = _repository(folder, "a"), _repository(folder, "b")

        def make(number: str) -> bool:
            try:
                ours.create(f"chain-{number}", Isolation.WORKTREE, str(source))
            except PoolError:
                return False
            return True

        def add(number: str) -> bool:
            words = (
                "worktree",
                "add",
                "-q",
                "-b",
                f"x-{number}",
                str(folder / "plain" / number),
                "origin/main",
            )
            return _git(folder, plain, *words).returncode == 0

        made, took = _crowd(make, each)
        added, plainly = _crowd(add, each)
    total = THREADS * each
    failed, baseline = str(total - made), str(total - added)
    table.add(Row(f"not made, of {total}", failed, baseline, target="0", met=made == total))
    for what, of in (("one work tree, p50", p50), ("one work tree, p90", p90)):
        mine, theirs = of(took), of(plainly)
        table.add(Row(what, ms(mine), ms(theirs), f"{mine / theirs:.2f} x"))
    return table.finish()


def _crowd(make: Callable[[str], bool], each: int) -> tuple[int, list[float]]:
    """How many were made by all threads together, and the seconds of each."""
    gate = Barrier(THREADS)
    took: list[float] = []

    def one(thread: int) -> int:
        gate.wait(60)
        done = 0
        for number in range(each):
            began = time.perf_counter()
            done += make(f"{thread}-{number}")
            took.append(time.perf_counter() - began)
        return done

    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(one, range(THREADS))), took


def _repository(folder: Path, name: str) -> Path:
    """A repository that follows a remote one, with some files."""
    at = folder / name
    at.mkdir()
    for number in range(FILES):
        (at / f"{number}.txt").write_text(f"{number}\n" * 50)
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("commit", "-q", "-m", "files"),
        ("remote", "add", "origin", str(at)),
        ("fetch", "-q", "origin"),
    ):
        _git(folder, at, *words).check_returncode()
    return at


def _git(folder: Path, at: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    named = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    return subprocess.run(
        ["git", *named, *words], cwd=at, env=_environment(folder), capture_output=True, check=False
    )


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_SYSTEM": "/dev/null"}


if __name__ == "__main__":
    sys.exit(measured(main))
