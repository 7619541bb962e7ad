"""The live view of a log from its first event on; a long log is folded by two processes at once.

The streams of tasks, and all others, are folded each on their own: what one aggregate becomes depends on no
event of another one. A fold is a computation that holds the interpreter, so each half has a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from claude_pool.domain.errors import PoolError
from claude_pool.domain.world import World

from .reader import SqliteReader, open_reader
from .registry import default_codec
from .snapshots import packed, unpacked

LONG = 100_000
"""From so many events on a second process saves more time than its start takes."""


def whole_view(path: Path, until: int, long: int = LONG) -> World:
    """The live view of the log at `path` after its event `until`.

    From `long` events on it is folded by two processes, where there are two processors. If the other one
    does not come up, or fails, this one folds all of it.

    Raises:
        LogBroken, LogNewer: at the first event that cannot be decoded.
        StoreUnreadable: there is no log.
    """
    with open_reader(path, default_codec()) as log:
        if until >= long and (os.cpu_count() or 1) > 1:
            joined = _folded_by_two(log, until)
            if joined is not None:
                return joined
        world = World()
        for position, stream, version, event, *_ in log.read_events(0, until):
            world.apply(position, stream, version, event)
        return world


def _folded_by_two(log: SqliteReader, until: int) -> World | None:
    command = [sys.executable, "-P", "-m", "claude_pool.adapters.store.folding", str(log.path), str(until)]
    try:
        other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    with other:
        try:
            tasks = _part(log, until, tasks=True)
            content, _ = other.communicate()
            return None if other.returncode else unpacked(content).joined(tasks)
        except (PoolError, ValueError, TypeError, KeyError, RecursionError):
            return None  # which event is the first that is damaged shows in the order of the log
        finally:
            other.kill()


def _part(log: SqliteReader, until: int, *, tasks: bool) -> World:
    world, decoders = World(), log.codec.decoders
    apply = world.apply
    for rows in log.rows_of_part(tasks=tasks, until=until):
        for position, stream, version, topic, state, _ in rows:
            apply(position, stream, version, decoders[topic](state).d)
    return world


def main() -> None:
    """Print what the log at argv[1] holds up to the position argv[2] beside tasks, for `whole_view`."""
    with open_reader(Path(sys.argv[1]), default_codec()) as log:
        content = packed(_part(log, int(sys.argv[2]), tasks=False))
    sys.stdout.buffer.write(content)


if __name__ == "__main__":
    main()
