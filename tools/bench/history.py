"""Long logs to measure with: of a pool with chains, money, retries and crashes, still at work at the end.

    python tools/bench/history.py DIR            a state directory with a log of 1,000,000 events
    python tools/bench/history.py DIR 50000      as many events as that

A few minutes of processor time for a million events: every one comes of the domain's own decisions.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from claude_pool.adapters.places import Places, prepare
from claude_pool.adapters.store.chain import EMPTY, chained, drafts
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sidecar import write_head
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.ports import Head
from claude_pool.domain.records import Actor, Fact, Meta

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.domain_story import Story  # noqa: E402
from tests.support.spent_log import Life  # noqa: E402

EVENTS = 1_000_000
SLOTS = 8
LIMIT = 10**12
PACE = 5_000
_KEPT = 500


class _Passing(Story):
    """A story that keeps nothing but its view."""

    def append(self, *facts: Fact) -> tuple[Fact, ...]:
        for watch in self.watchers:
            watch(facts)
        for fact in facts:
            self.world.apply(
                self.world.position + 1,
                fact.stream,
                self.world.versions.get(fact.stream, 0) + 1,
                fact.event,
            )
        return facts


def write_history(path: Path, events: int = EVENTS, seed: int = 1) -> Life:
    """A log of at least `events` events at `path`, where there is none yet; the life that wrote it.

    Every append has a command of its own, but all are written in one transaction. The index is there.
    """
    SqliteEventLog.open(path, default_codec()).close()
    life = Life(seed, SLOTS, LIMIT, story=_Passing(), pace=PACE)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    head, versions = EMPTY, dict[str, int]()
    while head.position < events:
        while len(life.appends) < _KEPT and life.story.world.position < events:
            life.go_on()
        if life.story.world.position >= events:
            for _ in range(SLOTS):
                life.order()
        for facts, now in life.appends:
            head = _write(connection, facts, now, versions, head, str(path))
        life.appends.clear()
    connection.execute("COMMIT")
    connection.close()
    write_head(path, head)
    SqliteEventLog.open(path, default_codec()).close()
    return life


def _write(
    connection: sqlite3.Connection,
    facts: Sequence[Fact],
    now: int,
    versions: dict[str, int],
    head: Head,
    path: str,
) -> Head:
    command = f"cmd-{head.position:016d}"
    meta = Meta(now, command, f"call-{head.position:015d}", Actor.POLICY, head.position or None)
    expected = {fact.stream: versions.get(fact.stream, 0) for fact in facts}
    rows = chained(drafts(default_codec(), facts, expected, meta, path), head)
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
    versions.update((row[1], row[2]) for row in rows)
    return Head(rows[-1][0], rows[-1][5])


def main() -> None:
    """Write the log that is asked for."""
    state = Path(sys.argv[1]).absolute()
    places = Places(str(state), str(state / "socket"), str(state), str(state))
    prepare(places)
    life = write_history(Path(places.log), int(sys.argv[2]) if len(sys.argv) > 2 else EVENTS)
    print(f"{places.log}: {life.story.world.position:,} events, {len(life.story.world.tasks)} live tasks")


if __name__ == "__main__":
    main()
