"""Measure the event log against raw `sqlite3` in the same run, interleaved, and print a table.

    python tools/bench/log.py            appends, and replays of 10,000 and 100,000 events
    python tools/bench/log.py --large    also 1,000,000 events
    python tools/bench/log.py --quick    fewer rounds, for CI

The baseline does the same work by hand: the same encoding, expected versions and chain, BEGIN IMMEDIATE
and synchronous=FULL, but no index and no sidecar; and to read, a cursor and one typed decode an event.
Appends are measured in time that passes, replays in processor time. Exits 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from claude_pool.adapters.store.chain import EMPTY, chained, drafts, link
from claude_pool.adapters.store.reader import SqliteReader, open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.pool_events import FundsReserved, FundsSettled
from claude_pool.domain.ports import Head
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.slot_events import SlotClaimed, SlotReleased
from claude_pool.domain.task_events import (
    AttemptStarted,
    AttemptSucceeded,
    SessionOpened,
    TaskCompleted,
    TaskSubmitted,
)
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Text, Tokens, Transcript

APPEND_RATIO = 1.25
REPLAY_RATE = 150_000
REPLAY_RATIO = 0.5
EVENT_BYTES = 700

CODEC = default_codec()
SESSION = "0f0f0f0f-0000-4000-8000-000000000001"
PROMPT = "Look through the parser and fix what makes the third test fail; explain the cause. " * 3
ANSWER = "The tokenizer drops the last line when it has no newline, so the parser sees too few. " * 5


class Table:
    """Results as they come, and whether a target was missed."""

    def __init__(self) -> None:
        """Print the head."""
        self.missed = False
        print(f"{'what':<44}{'ours':>14}{'raw':>14}{'ratio':>8}  target")

    def row(
        self, what: str, ours: str, raw: str = "", ratio: str = "", target: str = "", ok: bool = True
    ) -> None:
        """Print one result; `ok` says whether it meets its target."""
        self.missed |= not ok
        verdict = f"{target} {'ok' if ok else 'MISSED'}" if target else ""
        print(f"{what:<44}{ours:>14}{raw:>14}{ratio:>8}  {verdict}".rstrip(), flush=True)


def life(number: int) -> list[tuple[str, Event]]:
    """All events of one task, with their streams: what a log mostly holds."""
    task, slot, attempt = f"task-{number:016d}", f"slot-{number % 8}", f"task-{number:016d}.1"
    at = 1_700_000_000_000 + number * 1000
    spec = TaskSpec(Text(PROMPT, size=len(PROMPT)), Options(model="sonnet"), tags=("nightly",))
    outcome = Outcome(
        End.SUCCEEDED, output=Text(ANSWER, size=len(ANSWER)), turns=3, model="claude-sonnet", cost=41_250,
        tokens=Tokens(1200, 800, 15_000, 2500), transcript=Transcript(48_211, "5e" * 32),
    )  # fmt: skip
    return [
        (task, TaskSubmitted(task, spec, "3f" * 16, at)),
        (slot, SlotClaimed(attempt, SESSION, 1, "a1" * 16)),
        (task, AttemptStarted(1, slot, at + 20, reserved=500_000, cap=500_000, model="sonnet")),
        (task, SessionOpened(1, SESSION, "fresh", "/home/someone/project")),
        ("pool", FundsReserved(attempt, 500_000)),
        (task, AttemptSucceeded(1, outcome, at + 9000)),
        (task, TaskCompleted()),
        (slot, SlotReleased(attempt, True, 41_250, 412, SESSION)),
        ("pool", FundsSettled(attempt, 41_250)),
    ]


class Raw:
    """The same appends, by hand: expected versions, positions and the chain, all in the transaction."""

    def __init__(self, path: Path) -> None:
        """Create a database with the log's table."""
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(
            "CREATE TABLE events (rowid INTEGER PRIMARY KEY, stream TEXT, version INTEGER, topic TEXT,"
            " state BLOB, hash BLOB, UNIQUE (stream, version))"
        )

    def append(self, facts: Sequence[Fact], expected: dict[str, int], meta: Meta) -> None:
        """Insert the events in one transaction."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        for stream, version in expected.items():
            query = "SELECT MAX(version) FROM events WHERE stream = ?"
            assert (execute(query, (stream,)).fetchone()[0] or 0) == version
        head = execute("SELECT rowid, hash FROM events ORDER BY rowid DESC LIMIT 1").fetchone()
        position, previous = head or (0, EMPTY.hash)
        versions = dict(expected)
        for fact in facts:
            topic, state = CODEC.encode(fact.event, meta)
            versions[fact.stream] += 1
            version = versions[fact.stream]
            position += 1
            previous = link(previous, position, version, fact.stream, topic, state)
            row = (position, fact.stream, version, topic, state, previous)
            execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)
        execute("COMMIT")


def bench_appends(table: Table, folder: Path, rounds: int) -> None:
    """Medians of single appends, one store after the other in every round."""
    log = SqliteEventLog.open(folder / "append" / "log.sqlite", CODEC)
    raw = Raw(folder / "raw.sqlite")
    meta = Meta(1_700_000_000_000, "cmd-7q3k5m2x9w4n8p6r", "call-1", Actor.POLICY, 12)
    for name, width in (("append 1 event", 1), ("append 4 events on 2 streams", 4)):
        ours: list[float] = []
        theirs: list[float] = []
        for number in range(rounds):
            first, second = f"{name}-a-{number // 50}", f"{name}-b-{number // 50}"
            done = number % 50
            events = [event for _, event in life(number)][2:6]
            streams = [first] if width == 1 else [first, second, first, second]
            facts = [Fact(stream, event) for stream, event in zip(streams, events, strict=False)]
            expected = dict.fromkeys(streams, done * max(1, width // 2))
            stores = [(log.append, ours), (raw.append, theirs)]
            for append, times in stores if number % 2 else reversed(stores):
                times.append(timed(lambda: append(facts, expected, meta)))  # noqa: B023
        p50, base = statistics.median(ours), statistics.median(theirs)
        ratio = p50 / base
        table.row(
            f"{name}, p50", f"{p50 * 1e6:.0f} us", f"{base * 1e6:.0f} us", f"{ratio:.2f}",
            f"<= {APPEND_RATIO}", ratio <= APPEND_RATIO,
        )  # fmt: skip
    raw.connection.close()
    log.close()


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def write_log(path: Path, size: int) -> None:
    """A log of `size` events, in appends as an owner makes them, but all in one transaction."""
    SqliteEventLog.open(path, CODEC).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    versions: dict[str, int] = {}
    head = EMPTY
    for facts, meta in islice(appends(), size):
        expected = {fact.stream: versions.get(fact.stream, 0) for fact in facts}
        rows = chained(drafts(CODEC, facts, expected, meta, "bench"), head)[: size - head.position]
        if not rows:
            break
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
        versions |= {row[1]: row[2] for row in rows}
        head = Head(rows[-1][0], rows[-1][5])
    connection.execute("COMMIT")
    connection.close()


def appends() -> Iterator[tuple[list[Fact], Meta]]:
    """The appends of one task after another: submitted, claimed, ended."""
    for number in count():
        facts = [Fact(stream, event) for stream, event in life(number)]
        at = 1_700_000_000_000 + number * 1000
        for begin, end, actor in ((0, 1, Actor.COORDINATOR), (1, 5, Actor.POLICY), (5, 9, Actor.SLOT)):
            command = f"cmd-{number:014d}{actor[:2]}"
            yield facts[begin:end], Meta(at, command, command, actor, number)


def bench_replay(table: Table, folder: Path, size: int, rounds: int) -> None:
    """Events a second of processor time for every way to read the log, and what an event costs on disk."""
    path = folder / f"{size}" / "log.sqlite"
    write_log(path, size)
    indexing = spent(lambda: SqliteEventLog.open(path, CODEC).close())
    with open_reader(path, CODEC) as reader:
        ways: dict[str, Callable[[], object]] = {
            "raw": lambda: read_raw(path),
            "decode only (read_events)": lambda: drain(reader.read_events()),
            "decode with metadata (read_all)": lambda: drain(reader.read_all()),
            "decode + chain (read_events, check)": lambda: drain(reader.read_events(check=True)),
            "chain only (verify)": reader.verify,
            "fold into the live view": lambda: fold(reader),
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for name, way in ways.items():
                best[name] = min(best[name], spent(way))
    raw = best.pop("raw")
    for name, seconds in best.items():
        rate, ratio = size / seconds, raw / seconds
        held = name.startswith("decode")
        table.row(
            f"{size:,}: {name}", f"{rate:,.0f}/s", f"{size / raw:,.0f}/s", f"{ratio:.2f}",
            f">= {REPLAY_RATE:,}/s, {REPLAY_RATIO}" if held else "",
            not held or (rate >= REPLAY_RATE and ratio >= REPLAY_RATIO),
        )  # fmt: skip
    table.row(f"{size:,}: index folded anew", f"{size / indexing:,.0f}/s")
    per_event = path.stat().st_size / size
    table.row(
        f"{size:,}: bytes an event, with index", f"{per_event:.0f} B",
        target=f"<= {EVENT_BYTES} B", ok=per_event <= EVENT_BYTES,
    )  # fmt: skip


def spent(work: Callable[[], object]) -> float:
    """Seconds of processor time that `work` takes, whoever else uses the machine."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def read_raw(path: Path) -> None:
    """A cursor and one typed decode an event."""
    decoders = CODEC.decoders
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    for _, _, _, topic, state in connection.execute(
        "SELECT rowid, originator_id, originator_version, topic, state FROM events ORDER BY rowid"
    ):
        decoders[topic](state)
    connection.close()


def drain(events: Iterable[object]) -> None:
    """Read to the end, keeping nothing."""
    for _ in events:
        pass


def fold(reader: SqliteReader) -> None:
    """What `status` does without an owner."""
    from claude_pool.domain.world import World

    world = World()
    for position, stream, version, event, _, _ in reader.read_events():
        world.apply(position, stream, version, event)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the event log against raw sqlite3.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for CI")
    parser.add_argument("--large", action="store_true", help="also a log of 1,000,000 events")
    arguments = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as name:
        bench_appends(table, Path(name), 300 if arguments.quick else 1500)
        sizes = [10_000] if arguments.quick else [10_000, 100_000]
        for size in [*sizes, 1_000_000] if arguments.large else sizes:
            bench_replay(table, Path(name), size, 1 if size == 1_000_000 else 3)
    sys.exit(1 if table.missed else 0)


if __name__ == "__main__":
    main()
