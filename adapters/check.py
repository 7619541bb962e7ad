"""`replay --check`: the chain verified, the texts and transcripts that events name held against them, what
holds for every log checked, and the log folded from zero in other processes with other hash seeds, whose
views must agree with this one's, byte for byte.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from claude_pool.domain.errors import PoolError
from claude_pool.domain.invariants import Invariants
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.snapshot import digest
from claude_pool.domain.world import World

from .places import Places
from .store.blobs import BlobStore
from .store.evidence import damage
from .store.reader import SqliteReader, open_reader
from .store.registry import default_codec
from .views import View, status_view

FOLD_SECONDS = 600
HASH_SEEDS = ("0", "4242")
REBUILT = "every event is whole, and `claude-pool backup --salvage` copies them into a new file"


def check_log(places: Places, live: View | None = None) -> list[str]:
    """What is wrong with the log of `places`; nothing where all is well.

    `live` is the status that a running owner shows, to be compared with the log's at its position.

    Raises:
        StoreUnreadable, LogNewer: it cannot be read at all.
    """
    problems: list[str] = []
    log = open_reader(Path(places.log), default_codec())
    try:
        try:
            head = log.verify()
            here = _folded(log, head.position)
            problems += _evidence(log, places, head.position)
            problems += [] if live is None else _compared(log, live)
            problems += [f"[log_broken] {places.log}: {fault}; {REBUILT}" for fault in log.faults()]
        except PoolError as error:
            return [f"[{error.code}] {error.message}"]
    finally:
        log.close()
    for seed in HASH_SEEDS:
        there = _folded_elsewhere(places.log, head.position, seed)
        if there != here:
            problems.append(f"[log_broken] folded with hash seed {seed}, the view is {there}, not {here}")
    return problems


def _evidence(log: SqliteReader, places: Places, until: int) -> list[str]:
    texts, transcripts, invariants = BlobStore(places.blobs), Path(places.transcripts), Invariants()
    found: list[str] = []
    for position, stream, version, event, *_ in log.read_events(0, until):
        found += damage(position, stream, event, texts, transcripts)
        invariants.observe(position, stream, version, event)
    broken = (f"[log_broken] event {each.position}: {each.text} ({each.code})" for each in invariants.close())
    return [*found, *broken]


def _compared(log: SqliteReader, live: View) -> list[str]:
    """In what the owner's view differs from the fold of the log up to the same position."""
    world = World()
    for position, stream, version, event, *_ in log.read_events(0, live["position"]):
        world.apply(position, stream, version, event)
    folded = status_view(pool_status(world, live["version"]))
    return [
        f"[log_broken] the owner shows {name} as {live.get(name)!r}, the log says {value!r}"
        for name, value in folded.items()
        if live.get(name) != value
    ]


def _folded(log: SqliteReader, until: int) -> str:
    world = World()
    for position, stream, version, event, *_ in log.read_events(0, until):
        world.apply(position, stream, version, event)
    return digest(world)


def _folded_elsewhere(path: str, until: int, seed: str) -> str:
    command = [sys.executable, "-P", "-m", "claude_pool.adapters.check", path, str(until)]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=FOLD_SECONDS, check=False
    )
    return ran.stdout.strip() or ran.stderr.strip()[-200:]


def main() -> None:
    """Print the digest of the view of the log at argv[1] after the position argv[2]."""
    log = open_reader(Path(sys.argv[1]), default_codec())
    sys.stdout.write(_folded(log, int(sys.argv[2])) + "\n")
    log.close()


if __name__ == "__main__":
    main()
