"""What a pool keeps: its log with everything beside it, in a state directory or for one process only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from claude_pool.domain.errors import StoreError
from claude_pool.domain.ports import EventLog, Head

from ..places import Places
from .ballast import Ballast
from .blobs import BlobStore, MemoryBlobs, Texts
from .index import Index
from .memory import MemoryEventLog
from .registry import default_codec
from .snapshots import Snapshot, damage_of_snapshot, load_snapshot, save_snapshot
from .sqlite import SqliteEventLog
from .surface import network_file_system

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Store:
    """A log with its texts, its lists over history, and the folders of transcripts and of work trees.

    `rolled_back` is what was acknowledged before the log was cut or restored, where that was accepted;
    `make_room` gives up what is kept for a full disk. `load_snapshot` and `save_snapshot` keep the live view
    from one owner to the next, where anything does.
    """

    log: EventLog
    texts: Texts
    index: Index
    transcripts: Path
    worktrees: Path
    rolled_back: Head | None = None
    make_room: Callable[[], bool] = lambda: False
    load_snapshot: Callable[[], Snapshot | None] = lambda: None
    save_snapshot: Callable[[Snapshot], object] | None = None
    damage_of_snapshot: Callable[[], str | None] = lambda: None


def open_store(places: Places, accept_rollback: bool = False) -> Store:
    """The store of a state directory, for its one owner.

    Raises:
        StoreError: the log cannot be used; nothing was changed.
    """
    path = Path(places.log)
    log = SqliteEventLog.open(path, default_codec(), accept_rollback=accept_rollback)
    if kind := network_file_system(places.state_dir):
        _log.warning("the log lies on a network file system (%s), where its locks do not hold", kind)
    ballast = Ballast(path)
    try:
        ballast.take()
    except StoreError:
        log.close()
        raise
    return Store(
        log,
        BlobStore(places.blobs),
        log.index,
        Path(places.transcripts),
        Path(places.worktrees),
        log.rolled_back,
        ballast.give_up,
        lambda: load_snapshot(path, log),
        lambda snapshot: save_snapshot(path, snapshot),
        lambda: damage_of_snapshot(path, log),
    )


def memory_store(transcripts: Path) -> Store:
    """A store that ends with the process; only transcripts are files."""
    log = MemoryEventLog(default_codec())
    return Store(log, MemoryBlobs(), log.index, transcripts, transcripts / "worktrees")
