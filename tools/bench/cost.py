"""Measure what `claude-pool cost` takes on long logs, as a whole process without an owner.

    python tools/bench/cost.py              1,000 and 10,000 attempts
    python tools/bench/cost.py --quick      1,000 attempts, for CI
    python tools/bench/cost.py --keep DIR   besides, leave the last log there, to look at

The logs are of pools that have lived: several models, tags and skills, chains, retries, rejections, crashes
and turns that nobody asked for, all decided by the domain itself. The baseline is a process of raw `sqlite3`
that groups the same table by day. Exits 1 where a target is missed, or the total is not what was settled.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from claude_pool.adapters.places import find, prepare
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.pool_events import FundsCharged, FundsSettled

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from support import Ground, ground  # noqa: E402
from tables import Row, Table, arguments, measured  # noqa: E402

from tests.support.spent_log import Life, write  # noqa: E402

SECONDS = 2.0
"""So long may `cost --by day --json` take on 10,000 attempts."""

ROUNDS = 3
TOGETHER = 20
RAW = (
    "import sqlite3, sys;"
    "log = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True);"
    "print(log.execute('SELECT day, sum(cost) FROM index_attempts GROUP BY day').fetchall())"
)


def bench(at: Ground, table: Table, attempts: int, state: Path) -> None:
    """Fill the table for one length of the log."""
    places = find(at.environment, str(at.project), str(state))
    prepare(places)
    began = time.perf_counter()
    life = Life().live(attempts)
    with SqliteEventLog.open(Path(places.log), default_codec()) as log:
        write(life, log, TOGETHER)
    seconds = time.perf_counter() - began
    name = f"{life.attempts:,} attempts"
    table.add(Row(f"a log of {name}, {len(life.story.log):,} events, made", f"{seconds:.1f} s"))
    script = str(Path(sys.executable).with_name("claude-pool"))
    command = [script, "--state-dir", str(state), "cost", "--by", "day", "--json"]
    raw = min(_run(at, [sys.executable, "-P", "-c", RAW, places.log])[0] for _ in range(ROUNDS))
    ours, told = min(_run(at, command) for _ in range(ROUNDS))
    table.add(
        Row(
            f"claude-pool cost --by day --json, {name}", f"{ours:.2f} s", f"{raw:.2f} s",
            f"x {ours / raw:.2f}", f"<= {SECONDS:.0f} s", ours <= SECONDS,
        )
    )  # fmt: skip
    events = (fact.event for facts, _ in life.appends for fact in facts)
    spent = sum(each.cost for each in events if isinstance(each, (FundsSettled, FundsCharged)))
    total = json.loads(told)["total"]["cost_microdollars"]
    table.add(
        Row("  total, and what was settled (µ$)", f"{total:,}", f"{spent:,}", "", "equal", total == spent)
    )


def _run(at: Ground, command: list[str]) -> tuple[float, str]:
    began = time.perf_counter()
    ran = subprocess.run(
        command, env=at.environment, cwd=at.project, stdout=subprocess.PIPE, text=True, check=True
    )
    return time.perf_counter() - began, ran.stdout


def main() -> int:
    """Measure and print; the exit code."""

    def more(parser: ArgumentParser) -> None:
        parser.add_argument("--keep", metavar="DIR", type=Path, help="leave the last log in this directory")

    options = arguments("Measure claude-pool cost on long logs.", more)
    lengths = (1_000,) if options.quick else (1_000, 10_000)
    table = Table(options.json, "baseline")
    with ground("", api=False) as at:
        for attempts in lengths:
            keep = options.keep if attempts == lengths[-1] else None
            bench(at, table, attempts, (keep or at.folder / f"long-{attempts}").absolute())
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
