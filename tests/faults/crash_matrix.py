"""Owners killed at every append of a scenario, in every phase: what is told stays, what runs is known.

`python -m tests.faults.crash_matrix [--jobs N] [--only WORD] [--deep] [--every N]` runs the whole matrix
(`--deep`: the owner that recovers is killed as well) and prints what it finds; it exits with 1 if that is
anything.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from tests.faults.crash_checks import (
    Faults,
    Log,
    appends,
    doubles,
    lost,
    read_log,
    restarted,
    unrest,
    violations,
)
from tests.faults.crash_pool import Breeder, CrashPool, Kill, OwnerGone, breeding, crash_pool
from tests.faults.crash_scenarios import SCENARIOS, Player, Scenario, settled
from tests.faults.dying_owner import AFTER, BEFORE, PHASES

DEEP = ("a simple task", "a chain of steps", "a review")
"""The scenarios in which the recovering owner dies as well."""

RECOVERING = 6
"""So many appends of a recovering owner are points of the second death: recovery, start, slots."""


@dataclass(frozen=True, slots=True)
class Point:
    """One trial: the deaths of one owner after the other in a scenario."""

    scenario: str
    kills: tuple[Kill, ...]

    def __str__(self) -> str:
        """As it is named in reports."""
        return f"{self.scenario}: " + ", then ".join(f"{kill.phase} {kill.count}" for kill in self.kills)


@dataclass
class Report:
    """What came of a trial. `reached`: how many of its deaths came where they were wanted."""

    point: Point
    reached: int = 0
    slowest: float = 0.0
    took: float = 0.0
    faults: Faults = field(default_factory=Faults)


def boundaries(breeder: Breeder, name: str) -> int:
    """How many appends the first owner of a scenario makes until its pool rests, if it is left alone."""
    scenario = SCENARIOS[name]
    with crash_pool(breeder, scenario.pool_options()) as pool:
        pool.start()
        _play(Player(pool, sealed=scenario.sealed), scenario)
        pool.kill()
        pool.bury()
        return len(appends(read_log(pool)))


def points(name: str, count: int) -> Iterator[Point]:
    """Every point of a scenario whose first owner makes `count` appends."""
    for number in range(1, count + 1):
        yield from (Point(name, (Kill(phase, number),)) for phase in PHASES)


def deep_points(name: str, count: int) -> Iterator[Point]:
    """The same and a second death in the recovery from each log that the first one can leave."""
    for number in range(1, count + 1):
        yield Point(name, (Kill(AFTER, number), Kill(BEFORE, 1)))
        for second in range(1, RECOVERING + 1):
            yield Point(name, (Kill(AFTER, number), Kill(AFTER, second)))


def sample(name: str, size: int, seed: str) -> list[Point]:
    """Some of the points of a scenario, phases in turn; one seed, one choice."""
    chance, count = random.Random(f"{seed} {name}"), SCENARIOS[name].appends
    numbers = sorted(chance.sample(range(1, count + 1), size))
    first = chance.randrange(len(PHASES))
    return [Point(name, (Kill(PHASES[(first + at) % 3], number),)) for at, number in enumerate(numbers)]


def try_point(breeder: Breeder, point: Point) -> Report:
    """Let the owners die where `point` says; then a living one brings everything to its end."""
    scenario, report, started = SCENARIOS[point.scenario], Report(point), time.monotonic()
    with crash_pool(breeder, scenario.pool_options()) as pool:
        try:
            _suffer(pool, scenario, point, report)
        except Exception:
            report.faults.violations.append(f"{traceback.format_exc()}; the owner said: {pool.said()}")
        report.slowest = pool.slowest
    report.took = time.monotonic() - started
    return report


def _suffer(pool: CrashPool, scenario: Scenario, point: Point, report: Report) -> None:
    faults = report.faults
    users = _users_repository(pool)
    for number, kill in enumerate(point.kills):
        pool.start(kill)
        try:
            _play(Player(pool, number > 0, scenario.sealed), scenario)
            pool.is_dead(0.2)  # the last facts may be acknowledged after the end
        except OwnerGone:
            pass
        report.reached += pool.trapped
        pool.kill()
        pool.bury()
        faults.lost += lost(pool.ledger, read_log(pool))
    pool.start()
    player = Player(pool, again=True, sealed=scenario.sealed)
    _play(player, scenario)
    pool.kill()
    pool.bury()
    log = read_log(pool)
    faults.lost += lost(pool.ledger, log)
    faults.doubles += doubles(pool.folder / "home", log)
    faults.violations += violations(pool, log) + unrest(log) + _made(scenario, log)
    pool.start()
    pool.reach()
    pool.kill()
    pool.bury()
    faults.violations += restarted(log, read_log(pool))
    if (now := _users_repository(pool)) != users:
        faults.violations.append(f"the user's repository was {users} and is {now}")


def _play(player: Player, scenario: Scenario) -> None:
    scenario.script(player)
    if not player.pool.is_dead(0):
        settled(player)


def _made(scenario: Scenario, log: Log) -> list[str]:
    names = Counter(each.event.NAME for each in log)
    wanted = {"task.submitted": scenario.tasks, "chain.submitted": scenario.chains}
    return [
        f"{name} happened {names[name]} times instead of {count}"
        for name, count in wanted.items()
        if names[name] != count
    ]


def _users_repository(pool: CrashPool) -> tuple[str, str, str]:
    """What nobody but the user may change: HEAD and branches, and what lies in the work tree."""
    git = pool.repository.git
    return git("rev-parse", "HEAD"), git("branch", "--show-current"), git("status", "--porcelain")


# ---------------------------------------------------------------------------- the whole of it


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    reports: list[Report] = []
    with breeding() as breeder, ThreadPoolExecutor(options.jobs) as workers:
        wanted = [name for name in SCENARIOS if options.only in name and (not options.deep or name in DEEP)]
        counts = {name: boundaries(breeder, name) for name in wanted}
        which = deep_points if options.deep else points
        todo = [point for name, count in counts.items() for point in which(name, count)][:: options.every]
        print(f"{len(todo)} points; appends: {json.dumps(counts)}", flush=True)
        started = time.monotonic()
        for report in workers.map(partial(try_point, breeder), todo):
            reports.append(report)
            _tell(report)
            if len(reports) % 20 == 0:
                print(f"{len(reports)}/{len(todo)} after {time.monotonic() - started:.0f} s", flush=True)
    return _summary(reports)


def _tell(report: Report) -> None:
    for kind in ("lost", "doubles", "violations"):
        for text in getattr(report.faults, kind):
            print(f"{kind} | {report.point} | {text}", flush=True)


def _summary(reports: list[Report]) -> int:
    numbers = {
        "points": len(reports),
        "deaths reached": sum(report.reached for report in reports),
        "deaths wanted": sum(len(report.point.kills) for report in reports),
        "facts lost": sum(len(report.faults.lost) for report in reports),
        "doubles": sum(len(report.faults.doubles) for report in reports),
        "violations": sum(len(report.faults.violations) for report in reports),
        "slowest end of processes (s)": round(max(report.slowest for report in reports), 3),
        "seconds a point": round(sum(report.took for report in reports) / len(reports), 2),
    }
    print(json.dumps(numbers, indent=1))
    return 1 if any(report.faults for report in reports) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill owners at every append.")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--deep", action="store_true", help="kill the recovering owner as well")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th point")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
