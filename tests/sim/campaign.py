"""Many seeds, one after the other or on several cores; what a failure says, and how to see it again."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from .faults import KINDS
from .simulation import Broken, simulate

CHUNK = 50
"""So many seeds a core takes at a time."""


@dataclass(slots=True)
class Tally:
    """What came of some seeds: how many, their events and owners, which faults struck, what broke."""

    seeds: int = 0
    events: int = 0
    owners: int = 0
    cpu: float = 0.0
    struck: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])

    def add(self, other: Tally) -> None:
        """Count those of others in."""
        self.seeds += other.seeds
        self.events += other.events
        self.owners += other.owners
        self.cpu += other.cpu
        self.struck.update(other.struck)
        self.broken += other.broken


def run(seeds: Iterable[int]) -> Tally:
    """The runs of these seeds."""
    tally, began = Tally(), time.process_time()
    for seed in seeds:
        tally.seeds += 1
        try:
            done = simulate(seed)
        except Broken as broken:
            tally.broken.append(told(broken))
            continue
        tally.events += len(done.log.entries)
        tally.owners += done.owners
        tally.struck.update(done.faults.struck)
    tally.cpu = time.process_time() - began
    return tally


def told(broken: Broken) -> str:
    """A failure for people."""
    last = "\n".join(f"    {line[:200]}" for line in broken.last)
    again = f"tools/sim --seed {broken.seed} --verbose"
    return f"seed {broken.seed}, step {broken.step}: {broken.what}\n{last}\n  see it again: {again}"


def chunks(first: int, last: int | None) -> Iterator[range]:
    """The seeds from `first` to `last` (None: without end), as cores take them."""
    while last is None or first <= last:
        end = first + CHUNK if last is None else min(first + CHUNK, last + 1)
        yield range(first, end)
        first = end


def main(arguments: Sequence[str]) -> int:
    """Run what `arguments` ask for; 1 where something broke."""
    parser = argparse.ArgumentParser(prog="tools/sim", description="Simulate pools in chaos, by seed.")
    parser.add_argument("--seed", type=int, help="this one run")
    parser.add_argument("--verbose", action="store_true", help="with --seed: show each event as it comes")
    parser.add_argument("--seeds", default="0..1999", help="these runs: FIRST..LAST (default 0..1999)")
    parser.add_argument("--minutes", type=float, help="as many runs as fit, from FIRST on")
    parser.add_argument("--jobs", type=int, default=1, help="on so many cores")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return _one(chosen.seed, chosen.verbose)
    first, _, last = chosen.seeds.partition("..")
    tally = _many(int(first), None if chosen.minutes else int(last or first), chosen.minutes, chosen.jobs)
    _say(summary(tally))
    return 1 if tally.broken else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _one(seed: int, verbose: bool) -> int:
    try:
        done = simulate(seed, _say if verbose else None)
    except Broken as broken:
        _say(told(broken))
        return 1
    struck = ", ".join(f"{kind} {times}" for kind, times in sorted(done.faults.struck.items()))
    _say(f"seed {seed}: {done.step} steps, {len(done.log.entries)} events, {done.owners} owners; {struck}")
    _say(f"log {done.log.digest()}")
    return 0


def _many(first: int, last: int | None, minutes: float | None, jobs: int) -> Tally:
    """Stops at the end of the seeds, of the time, or with the first runs that break something."""
    tally, until = Tally(), None if minutes is None else time.monotonic() + minutes * 60
    left = chunks(first, last)
    with ProcessPoolExecutor(jobs) as cores:
        under_way = [cores.submit(run, seeds) for _, seeds in zip(range(jobs), left, strict=False)]
        while under_way:
            done = under_way.pop(0).result()
            tally.add(done)
            for text in done.broken:
                _say(text)
            if tally.broken or (until is not None and time.monotonic() > until):
                continue
            if (seeds := next(left, None)) is not None:
                under_way.append(cores.submit(run, seeds))
    return tally


def summary(tally: Tally) -> str:
    """What a campaign came to."""
    speed = tally.seeds / tally.cpu if tally.cpu else 0.0
    return (
        f"{tally.seeds} seeds, {len(tally.broken)} broken; {tally.events} events, {tally.owners} owners, "
        f"{sum(tally.struck.values())} faults of {len(tally.struck)} kinds (of {len(KINDS)}); "
        f"{speed:.0f} seeds a second of one core's time"
    )
