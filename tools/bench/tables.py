"""Numbers, tables and options of the benchmarks."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


class Unfit(Exception):
    """The benchmark cannot run here; the message says why and what to do."""


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, its threads included, not its children."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """The resident memory of a process, in MB of 2**20 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def p50(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def p90(values: Sequence[float]) -> float:
    """The 90th percentile."""
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


@dataclass(frozen=True)
class Row:
    """One result: ours, the baseline of the same run, their relation, and the target where there is one."""

    what: str
    ours: str
    baseline: str = ""
    relation: str = ""
    target: str = ""
    met: bool | None = None


class Table:
    """Results as they come."""

    def __init__(self, as_json: bool, baseline: str) -> None:
        """`baseline` heads the column of what ours is compared with."""
        self.rows: list[Row] = []
        self._as_json = as_json
        if not as_json:
            print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
            self._print(Row("what", "ours", baseline, "relation", "target"))

    def add(self, row: Row) -> None:
        """Keep a row and show it."""
        self.rows.append(row)
        if not self._as_json:
            self._print(row)

    def finish(self) -> int:
        """Print what is to be printed at the end; the exit code: 1 where a target was missed."""
        if self._as_json:
            print(json.dumps([asdict(row) for row in self.rows], indent=1))
        return 1 if any(row.met is False for row in self.rows) else 0

    def _print(self, row: Row) -> None:
        verdict = "" if row.met is None else " ok" if row.met else " MISSED"
        line = f"{row.what:<52}{row.ours:>14}{row.baseline:>14}{row.relation:>12}  {row.target}{verdict}"
        print(line.rstrip(), flush=True)


def ms(seconds: float) -> str:
    """Milliseconds for a table."""
    return f"{seconds * 1000:.1f} ms"


def arguments(
    description: str, more: Callable[[argparse.ArgumentParser], None] | None = None
) -> argparse.Namespace:
    """The options of a benchmark: those that all have, and what `more` adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for CI")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--claude", metavar="PATH", help="the CLI to measure with (default: the bundled one)")
    if more is not None:
        more(parser)
    return parser.parse_args()


def measured(work: Callable[[], int]) -> int:
    """Run a benchmark; its exit code, or 3 with the reason where it cannot run here."""
    try:
        return work()
    except Unfit as unfit:
        print(unfit, file=sys.stderr)
        return 3
