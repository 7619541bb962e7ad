"""Measure what one task costs in latency: `pool_run` over stdio against a raw warm CLI process.

    python tools/bench/dispatch.py           100 rounds
    python tools/bench/dispatch.py --quick   15 rounds, for CI

Every round times one `pool_run` over the stdio of `claude-pool serve` and one turn of a raw CLI process with
the pool's own flags, in alternating order, each after the same pause. The raw conversation is cleared before
its turn, ahead and untimed, as the pool clears its own while the slot is idle. Back to back there is no
pause, and clearing counts for both. One process per task is what a pool without warm slots does. Exits 1
where the target is missed.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable

from raw import RawPipe, one_process
from support import Ground, Pool, cli, ground, pool
from tables import Row, Table, arguments, cpu_seconds, measured, ms, p50, p90

ADDED_MS = 12.0
"""So much later than a raw turn may the median `pool_run` answer."""

WARM_UP = 5
IN_A_ROW = 10


def idle_rounds(running: Pool, raw: RawPipe, rounds: int, pause: float) -> tuple[list[float], list[float]]:
    """Seconds of single turns, ours and raw, each after a pause in which the slot is cleared."""

    def ours() -> float:
        time.sleep(pause)
        return running.run()

    def theirs() -> float:
        raw.clear()
        time.sleep(pause)
        return raw.turn()

    return _pairs(ours, theirs, rounds)


def rows_of_turns(running: Pool, raw: RawPipe, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds a turn, ours and raw, in rows without a pause; clearing counts."""

    def ours() -> float:
        return sum(running.run() for _ in range(IN_A_ROW)) / IN_A_ROW

    def theirs() -> float:
        return sum(raw.clear() + raw.turn() for _ in range(IN_A_ROW)) / IN_A_ROW

    return _pairs(ours, theirs, rounds)


def _pairs(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Both, one after the other in every round, the first one first in every other round."""
    mine: list[float] = []
    raw: list[float] = []
    for number in range(rounds):
        steps = [(ours, mine), (theirs, raw)]
        for measure, results in steps if number % 2 else reversed(steps):
            results.append(measure())
    return mine, raw


def bench(at: Ground, table: Table, *, rounds: int, pause: float, processes: int) -> None:
    """Fill the table."""
    with pool(at, slots=1) as running, RawPipe(at) as raw:
        for _ in range(WARM_UP):
            running.run()
            raw.clear()
            raw.turn()
        relay = running.coordinator.relay.pid
        before = cpu_seconds(running.owner), cpu_seconds(relay)
        mine, theirs = idle_rounds(running, raw, rounds, pause)
        used = cpu_seconds(running.owner) - before[0], cpu_seconds(relay) - before[1]
        added = (p50(mine) - p50(theirs)) * 1000
        name = f"pool_run, slot idle for {pause * 1000:.0f} ms"
        target = f"<= +{ADDED_MS:.0f} ms"
        relation = f"{added:+.1f} ms"
        table.add(Row(f"{name}, p50", ms(p50(mine)), ms(p50(theirs)), relation, target, added <= ADDED_MS))
        table.add(_row(f"{name}, p90", p90(mine), p90(theirs)))
        pairs = [m - t for m, t in zip(mine, theirs, strict=True)]
        table.add(Row("  added in a round, p50 and p90", ms(p50(pairs)), "", ms(p90(pairs))))
        table.add(
            Row("  processor time a task: owner, relay", ms(used[0] / rounds), "", ms(used[1] / rounds))
        )
        mine, theirs = rows_of_turns(running, raw, max(2, rounds // IN_A_ROW))
        table.add(_row(f"pool_run, {IN_A_ROW} back to back, p50 of a turn", p50(mine), p50(theirs)))
        table.add(_row(f"pool_run, {IN_A_ROW} back to back, p90 of a turn", p90(mine), p90(theirs)))
        ours: list[float] = []
        alone: list[float] = []
        for _ in range(processes):
            time.sleep(pause)
            ours.append(running.run())
            alone.append(one_process(at))
        table.add(_row("pool_run against one process per task, p50", p50(ours), p50(alone)))
        table.add(_row("pool_run against one process per task, p90", p90(ours), p90(alone)))


def _row(what: str, ours: float, baseline: float) -> Row:
    return Row(what, ms(ours), ms(baseline), f"x {ours / baseline:.2f}")


def main() -> int:
    """Measure and print; the exit code."""

    def more(parser: ArgumentParser) -> None:
        parser.add_argument("--pause", type=float, default=0.2, help="seconds before each timed turn [0.2]")

    options = arguments("Measure the latency of pool_run against a raw warm CLI process.", more)
    program = cli(options.claude)
    table = Table(options.json, "baseline")
    with ground(program) as at:
        rounds, processes = (15, 3) if options.quick else (100, 20)
        bench(at, table, rounds=rounds, pause=options.pause, processes=processes)
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
