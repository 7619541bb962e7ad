"""Measure how many tasks a pool of 8 slots gets done, against 8 raw CLI processes and one process per task.

    python tools/bench/throughput.py           200 tasks a round, 3 rounds
    python tools/bench/throughput.py --quick   48 tasks a round, 2 rounds, for CI

Every round runs the same tasks through all contestants, in alternating order. `fresh` is measured against
raw processes that do `/clear` and a turn for every task, `slot` against raw processes that only do the turn;
both against one process per task, 8 at once, with fewer tasks because it is slow. Rates are tasks a second,
ratios are medians over the rounds. Exits 1 where a target is missed.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from raw import RawPipe, one_process
from support import Ground, cli, ground, pool
from tables import Row, Table, arguments, cpu_seconds, measured, ms, p50

SLOTS = 8
OF_RAW = 0.75
OVER_PROCESSES = {"fresh": 5.0, "slot": 8.0}


def raw_turns(pipes: list[RawPipe], clear: bool, tasks: int) -> float:
    """Seconds in which the pipes do `tasks` turns, each taking the next one as soon as it is free."""
    left = iter(range(tasks))

    def work(lane: int) -> None:
        for _ in _shared(left):
            if clear:
                pipes[lane].clear()
            pipes[lane].turn()

    return _side_by_side(work)


def processes(at: Ground, tasks: int) -> float:
    """Seconds of `tasks` tasks in processes of their own, as many at once as there are slots."""
    left = iter(range(tasks))

    def work(_lane: int) -> None:
        for _ in _shared(left):
            one_process(at)

    return _side_by_side(work)


def _shared(left: Iterator[int]) -> Iterator[int]:
    """What is left, taken one by one by several threads."""
    while (number := next(left, None)) is not None:
        yield number


def _side_by_side(work: Callable[[int], None]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(SLOTS) as threads:
        for done in [threads.submit(work, lane) for lane in range(SLOTS)]:
            done.result()
    return time.perf_counter() - began


def bench(at: Ground, table: Table, session: str, *, tasks: int, alone: int, rounds: int) -> None:
    """Measure a pool whose tasks continue `session`, and what it is compared with."""
    clear = session == "fresh"
    with ExitStack() as undo:
        pipes = [undo.enter_context(RawPipe(at, number)) for number in range(SLOTS)]
        running = undo.enter_context(pool(at, slots=SLOTS, session=session))
        steps: dict[str, tuple[Callable[[int], float], int]] = {
            "raw": (partial(raw_turns, pipes, clear), tasks),
            "ours": (running.fan_out, tasks),
            "processes": (partial(processes, at), alone),
        }
        for name in ("ours", "raw"):
            steps[name][0](SLOTS * 2)
        running.settle()
        rates: dict[str, list[float]] = {name: [] for name in steps}
        owner = 0.0
        for number in range(rounds):
            for name in steps if number % 2 else reversed(steps):
                work, count = steps[name]
                before = cpu_seconds(running.owner)
                rates[name].append(count / work(count))
                if name == "ours":
                    owner += cpu_seconds(running.owner) - before
                    running.settle()
    ours, raw, single = (p50(rates[name]) for name in ("ours", "raw", "processes"))
    of_raw = p50([o / r for o, r in zip(rates["ours"], rates["raw"], strict=True)])
    over = p50([o / p for o, p in zip(rates["ours"], rates["processes"], strict=True)])
    compared, least = ("/clear + turn", OF_RAW) if clear else ("turn", None)
    table.add(
        Row(
            f"session {session}, against 8 pipes doing {compared}",
            f"{ours:.1f}/s", f"{raw:.1f}/s", f"x {of_raw:.2f}",
            "" if least is None else f">= {least}", None if least is None else of_raw >= least,
        )
    )  # fmt: skip
    least = OVER_PROCESSES[session]
    table.add(
        Row(
            f"session {session}, against one process per task",
            f"{ours:.1f}/s", f"{single:.1f}/s", f"x {over:.1f}", f">= {least:.0f}", over >= least,
        )
    )  # fmt: skip
    table.add(Row("  processor time of the owner, a task", ms(owner / (tasks * rounds))))


def main() -> int:
    """Measure and print; the exit code."""

    def more(parser: ArgumentParser) -> None:
        parser.add_argument("--session", choices=("fresh", "slot"), help="only tasks of this session policy")

    options = arguments("Measure the tasks a second of a pool of 8 slots.", more)
    program = cli(options.claude)
    table = Table(options.json, "baseline")
    tasks, alone, rounds = (48, 8, 2) if options.quick else (200, 40, 3)
    with ground(program) as at:
        for session in ("fresh", "slot") if options.session is None else (options.session,):
            bench(at, table, session, tasks=tasks, alone=alone, rounds=rounds)
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
