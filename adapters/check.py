"""`replay --check`: the chain verified, the texts and transcripts that events name held against them, what
holds for every log checked, and the log folded from zero in other processes with other hash seeds, whose
views must agree with this one's, byte for byte: from the first event on, and from the snapshot on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from claude_pool.domain.errors import PoolError
from claude_pool.domain.invariants import Invariants
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.snapshot import digest
from claude_pool.domain.world import World

from .places import Places
from .share import Share
from .store.blobs import BlobStore
from .store.evidence import damage, texts_of
from .store.folding import whole_view
from .store.reader import SqliteReader, open_reader
from .store.registry import default_codec
from .store.snapshots import damage_of_snapshot, load_snapshot, snapshot_of
from .views import View, status_view

FOLD_SECONDS = 600
HASH_SEEDS = ("0", "4242")
_TOLD_EVERY = 10_000
REBUILT = "every event is whole, and `claude-pool backup --salvage` copies them into a new file"


def _quietly(_: str) -> None:
    return None


def check_log(places: Places, live: View | None = None, step: Callable[[str], None] = _quietly) -> list[str]:
    """What is wrong with the log of `places`, or with its snapshot; nothing where all is well.

    `live` is the status that a running owner shows, to be compared with the log's at its position. `step` is
    told, from time to time, what is looked at. The log is read as a stream: memory grows with the tasks that
    it names, by some 150 bytes an event.

    Raises:
        StoreUnreadable, LogNewer: it cannot be read at all.
    """
    problems: list[str] = []
    log = open_reader(Path(places.log), default_codec())
    try:
        try:
            step("verifying the chain")
            head = log.verify()
            here, found = _looked_through(log, places, head.position, live, step)
            problems += found
            problems += [f"[log_broken] {places.log}: {fault}; {REBUILT}" for fault in log.faults()]
        except PoolError as error:
            return [f"[{error.code}] {error.message}"]
        if (damage := damage_of_snapshot(log.path, log)) is not None:
            problems.append(f"[log_broken] {damage}; it is not used, and may be deleted")
    finally:
        log.close()
    for seed in HASH_SEEDS:
        step(f"folding with hash seed {seed}")
        full, resumed = _folded_elsewhere(places.log, head.position, seed)
        if full != here:
            problems.append(f"[log_broken] folded with hash seed {seed}, the view is {full}, not {here}")
        if resumed != full:
            snapshot = f"{snapshot_of(Path(places.log))}, with the rest of the log"
            problems.append(f"[log_broken] {snapshot}, is {resumed}, not {full}; delete it")
    return problems


def _looked_through(
    log: SqliteReader, places: Places, until: int, live: View | None, step: Callable[[str], None]
) -> tuple[str, list[str]]:
    """The digest of the view at the end, and what is wrong on the way there, in one pass."""
    texts, transcripts = BlobStore(places.blobs), Path(places.transcripts)
    world, invariants = World(), Invariants()
    found: list[str] = []
    compared: list[str] = []
    listed, unlisted = log.listed_texts(), set[str]()
    for position, stream, version, event, *_ in log.read_events(0, until):
        world.apply(position, stream, version, event)
        found += damage(position, stream, event, texts, transcripts)
        if listed is not None:
            unlisted.update(blob for text in texts_of(event) if (blob := text.blob) and blob not in listed)
        invariants.observe(position, stream, version, event)
        if live is not None and position == live["position"]:
            compared = _compared(world, live)
        if not position % _TOLD_EVERY:
            step(Share("checking", position, until, "events"))
    broken = (f"[log_broken] event {each.position}: {each.text} ({each.code})" for each in invariants.close())
    if unlisted:
        problem = f"its list of texts lacks {len(unlisted)} that events name, and that would be swept away"
        found.append(f"[log_broken] {log.path}: {problem}; {REBUILT}")
    return digest(world), [*found, *broken, *compared]


def _compared(world: World, live: View) -> list[str]:
    """In what the owner's view differs from the fold of the log up to the same position."""
    folded = status_view(pool_status(world, live["version"]))
    return [
        f"[log_broken] the owner shows {name} as {live.get(name)!r}, the log says {value!r}"
        for name, value in folded.items()
        if live.get(name) != value
    ]


def _folded(log: SqliteReader, until: int, world: World) -> str:
    """The digest of the view after `until`, folded from `world` on."""
    for position, stream, version, event, *_ in log.read_events(world.position, until):
        world.apply(position, stream, version, event)
    return digest(world)


def _folded_elsewhere(path: str, until: int, seed: str) -> tuple[str, str]:
    command = [sys.executable, "-P", "-m", "claude_pool.adapters.check", path, str(until)]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=FOLD_SECONDS, check=False
    )
    full, _, resumed = ran.stdout.strip().partition(" ")
    problem = ran.stderr.strip()[-200:]
    return full or problem, resumed or problem


def main() -> None:
    """Print the digests of the view of the log at argv[1] after the position argv[2]: folded from the first
    event on, and from its snapshot on, where one counts."""
    path, until = Path(sys.argv[1]), int(sys.argv[2])
    log = open_reader(path, default_codec())
    full, snapshot = digest(whole_view(path, until)), load_snapshot(path, log, until)
    resumed = full if snapshot is None else _folded(log, until, snapshot.world)
    sys.stdout.write(f"{full} {resumed}\n")
    log.close()


if __name__ == "__main__":
    main()
