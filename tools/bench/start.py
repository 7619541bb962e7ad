"""Measure how soon `claude-pool` is there: its help, a relay to an owner that runs, and one that starts it.

    python tools/bench/start.py           20 rounds
    python tools/bench/start.py --quick   5 rounds, for CI

A round starts the process, shakes hands and lists the tools, as a coordinator does. Slots run the tests'
stand-in for the CLI. The baselines are an interpreter that does nothing and, for a new owner, one that
imports what an owner imports; the best round of each counts, since other work on the machine only adds.
`memory.py` measures what the owner holds after many tasks. Exits 1 where a target is missed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from support import Coordinator, Ground, ground, pool  # noqa: E402
from tables import Row, Table, arguments, measured, ms, resident_mb  # noqa: E402

from tests.support.fake_cli import fake_cli  # noqa: E402

HELP_SECONDS = 0.3
RELAY_SECONDS = 0.1

SCRIPT = str(Path(sys.executable).with_name("claude-pool"))
NOTHING = [sys.executable, "-c", "pass"]
IMPORTS = [sys.executable, "-P", "-c", "import claude_pool.adapters.owner, claude_pool.adapters.mcp.mounting"]


class Lister(Coordinator):
    """A coordinator that lists tools."""

    def tools(self) -> int:
        """How many tools there are."""
        return len(self._request("tools/list", {})["tools"])


def ran(at: Ground, command: list[str]) -> float:
    """Seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, env=at.environment, cwd=at.project, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def first_list(at: Ground, state: Path, *flags: str) -> tuple[float, float]:
    """Seconds from the start of a relay to its first list of tools, and its resident memory in MB."""
    command = [SCRIPT, "serve", "--state-dir", str(state), *flags]
    began = time.perf_counter()
    coordinator = Lister(command, at.environment, at.project)
    try:
        coordinator.tools()
        return time.perf_counter() - began, resident_mb(coordinator.relay.pid)
    finally:
        coordinator.close()


def bench_help(at: Ground, table: Table, rounds: int) -> None:
    """`claude-pool --help`, against an interpreter that does nothing."""
    ours: list[float] = []
    raw: list[float] = []
    for _ in range(rounds):
        ours.append(ran(at, [SCRIPT, "--help"]))
        raw.append(ran(at, NOTHING))
    _add(table, "claude-pool --help", ours, raw, HELP_SECONDS)


def bench_running(at: Ground, table: Table, rounds: int) -> None:
    """A relay in front of an owner that runs."""
    ours: list[float] = []
    raw: list[float] = []
    resident = 0.0
    with pool(at, slots=1, program=str(fake_cli(at.folder))) as running:
        for _ in range(rounds):
            seconds, resident = first_list(at, Path(running.places.state_dir))
            ours.append(seconds)
            raw.append(ran(at, NOTHING))
        owner = resident_mb(running.owner)
    _add(table, "relay to a running owner, first tools/list", ours, raw, RELAY_SECONDS)
    table.add(Row("  resident memory of the relay", f"{resident:.1f} MB"))
    table.add(Row("  resident memory of the owner after its start", f"{owner:.1f} MB"))


def bench_cold(at: Ground, table: Table, rounds: int) -> None:
    """A relay that starts the owner, against an interpreter that imports the same."""
    ours: list[float] = []
    raw: list[float] = []
    program = str(fake_cli(at.folder, name="cold-claude"))
    for number in range(rounds):
        state = at.folder / f"cold-{number}"
        seconds, _ = first_list(at, state, "-n", "1", "--claude", program)
        ours.append(seconds)
        raw.append(ran(at, IMPORTS))
        subprocess.run(
            [SCRIPT, "--state-dir", str(state), "stop", "--now"],
            env=at.environment,
            cwd=at.project,
            check=True,
        )
    _add(table, "relay that starts the owner, first tools/list", ours, raw, None)


def _add(table: Table, what: str, ours: list[float], raw: list[float], most: float | None) -> None:
    best, baseline = min(ours), min(raw)
    target = "" if most is None else f"<= {most * 1000:.0f} ms"
    met = None if most is None else best <= most
    table.add(Row(what, ms(best), ms(baseline), f"{(best - baseline) * 1000:+.1f} ms", target, met))


def main() -> int:
    """Measure and print; the exit code."""

    def more(parser: ArgumentParser) -> None:
        parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each measurement")

    options = arguments("Measure how soon claude-pool is there.", more)
    rounds = options.rounds or (5 if options.quick else 20)
    table = Table(options.json, "interpreter")
    with ground("", api=False) as at:
        bench_help(at, table, rounds)
        bench_running(at, table, rounds)
        bench_cold(at, table, max(3, rounds // 4))
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
