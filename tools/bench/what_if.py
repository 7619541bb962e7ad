"""Measure what a what-if of a long log takes: processor time from the log's file to the answer.

    python tools/bench/what_if.py           10,000 tasks
    python tools/bench/what_if.py --quick   1,000 tasks, for CI

The log is of 4 slots, with tasks of skewed length and cost that come in bursts of 50, decided by the core
itself on a clock of its own. An answer is two courses: what happened, and the same with 8 slots and a
budget. The baseline is to fold the log into the live view once. Exits 1 where a target is missed, or where
the course with nothing changed does not come to what happened.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TypeVar

from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.store.codec import Codec
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.adapters.whatif.changes import Changes, parse
from claude_pool.adapters.whatif.course import Course
from claude_pool.adapters.whatif.memory import Memory
from claude_pool.adapters.whatif.owner import Entry
from claude_pool.adapters.whatif.record import Attempted, Call, Launched, Life, Record
from claude_pool.adapters.whatif.sums import Sums
from claude_pool.adapters.whatif.view import what_if
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.pool import StartOwner
from claude_pool.domain.pool_events import PoolOpened, Settings
from claude_pool.domain.ports import Replayed
from claude_pool.domain.records import Actor, Fact, Meta
from claude_pool.domain.slot_events import LaunchSucceeded, SessionPrepared
from claude_pool.domain.task_events import AttemptSucceeded, TaskSubmitted
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Text, Tokens, derived_id
from claude_pool.domain.world import World
from tables import Row, Table, arguments, measured

T = TypeVar("T")

CPU_SECONDS = 20.0
"""A what-if of 10,000 tasks takes no more processor time than this on a quiet core."""
TOLERANCE = 0.01
NOW = 1_800_000_000_000


def past(tasks: int) -> Record:
    """What the tasks take and cost, and when they come."""
    chance, record, at = Random(1), Record(), NOW
    settings = Settings(slots=4, options=Options(model="sonnet"))
    record.lives.append(Life(NOW, StartOwner("pool-1", "owner-1", 1, "1", settings, None, True, NOW)))
    record.launches["slot-0"] = {1: Launched(300)}
    for number in range(tasks):
        at += chance.randrange(300_000) if number % 50 == 0 else 1
        task_id, spec = derived_id("task", str(number)), TaskSpec(Text("work", size=4), tags=("nightly",))
        took = int(chance.lognormvariate(9.9, 1.0))
        outcome = Outcome(
            End.SUCCEEDED, turns=chance.randint(1, 10), cost=took // 3, tokens=Tokens(100, took // 50)
        )
        record.specs[task_id] = spec
        record.calls.append(Call(at, Submit(task_id, spec, "print", at)))
        record.attempts[task_id] = [Attempted(1, "slot-0", at, "sonnet", ms=took, outcome=outcome)]
    record.end = at
    return record


class Kept(Memory):
    """The appends of a course, with who caused each."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(Sums())
        self.appends: list[tuple[tuple[Fact, ...], dict[str, int], Meta]] = []

    def append(self, facts: Sequence[Fact], expected: Mapping[str, int], now: int, /) -> list[Entry]:
        """See `Memory.append`."""
        name = f"cmd-{len(self.appends)}"
        meta = Meta(now, name, name, _actor(facts[0]))
        versions = {stream: self.versions.get(stream, 0) for stream in expected}
        self.appends.append((tuple(facts), versions, meta))
        return super().append(facts, expected, now)


def _actor(first: Fact) -> Actor:
    match first.event:
        case TaskSubmitted():
            return Actor.SHELL
        case PoolOpened():
            return Actor.RECOVERY
        case AttemptSucceeded() | LaunchSucceeded() | SessionPrepared():
            return Actor.SLOT
        case _:
            return Actor.POLICY


def write(path: Path, tasks: int, codec: Codec) -> int:
    """A log of so many tasks at `path`; its events."""
    kept = Kept()
    Course(past(tasks), Changes(), price_list(), None, log=kept).run()
    with SqliteEventLog.open(path, codec) as log:
        for facts, expected, meta in kept.appends:
            log.append(facts, expected, meta)
    return kept.position


def measure(table: Table, folder: Path, tasks: int) -> None:
    """Fill the table for a log of so many tasks."""
    codec, path = default_codec(), folder / "log.sqlite"
    events = write(path, tasks, codec)
    with open_reader(path, codec) as reader:
        fold, _ = spent(lambda: sum(1 for _ in folded(reader.read_events())))
        changes = parse(["slots=8", "budget_usd=1000"])
        took, view = spent(
            lambda: what_if(reader.read_all(), changes, price_list(), lambda _what, _done, _of: None)
        )
    whole = tasks >= 10_000
    table.add(
        Row(
            f"what-if of {tasks:,} tasks, {events:,} events", f"{took:.1f} s", f"{fold:.2f} s",
            f"x {took / fold:.0f}", f"<= {CPU_SECONDS:.0f} s" if whole else "",
            took <= CPU_SECONDS if whole else None,
        )
    )  # fmt: skip
    found = view["deviation"]
    near = found["tasks"] == 0 and found["spend"] == 0 and abs(found["finish"]) <= TOLERANCE
    table.add(
        Row(
            "  nothing changed: finish, spend",
            f"{found['finish']:+.2%}",
            f"{found['spend']:+.2%}",
            "",
            "equal",
            near,
        )
    )


def folded(events: Iterable[Replayed]) -> Iterator[None]:
    """Fold events into a view, one by one."""
    world = World()
    for position, stream, version, event, *_ in events:
        world.apply(position, stream, version, event)
        yield


def spent(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of processor time that `work` takes, and what it returns."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def main() -> int:
    """Measure and print; the exit code."""
    options = arguments("Measure what a what-if of a long log takes.")
    table = Table(options.json, "fold")
    with tempfile.TemporaryDirectory(prefix="cpb-", ignore_cleanup_errors=True) as name:
        measure(table, Path(name), 1_000 if options.quick else 10_000)
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
