"""`replay --check`: the chain verified, and the log folded from zero in other processes with other hash
seeds, whose views must agree with this one's, byte for byte.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from claude_pool.domain.errors import PoolError
from claude_pool.domain.snapshot import digest
from claude_pool.domain.world import World

from .places import Places
from .store.reader import SqliteReader, open_reader
from .store.registry import default_codec

FOLD_SECONDS = 600
HASH_SEEDS = ("0", "4242")


def check_log(places: Places) -> list[str]:
    """What is wrong with the log of `places`; nothing where all is well.

    Raises:
        StoreUnreadable, LogNewer: it cannot be read at all.
    """
    problems: list[str] = []
    log = open_reader(Path(places.log), default_codec())
    try:
        try:
            head = log.verify()
            here = _folded(log, head.position)
        except PoolError as error:
            return [f"[{error.code}] {error.message}"]
    finally:
        log.close()
    for seed in HASH_SEEDS:
        there = _folded_elsewhere(places.log, head.position, seed)
        if there != here:
            problems.append(f"[log_broken] folded with hash seed {seed}, the view is {there}, not {here}")
    return problems


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
