"""The snapshot `<log>.view`: the live view as it was at some event, so that nobody has to fold the whole log.

It is a cache: whoever deletes it loses time, nothing else. It counts only where three things hold, and is
passed over without a word otherwise. The digest in its first line is that of the rest. It was made by the
same program: `program` is a digest over the source of all that decides what a fold gives, so no domain is
given the view of another one. And the log has, at its position, the event with its hash, which by the chain
stands for all that came before it.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field, fields
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import claude_pool.domain
import msgspec
from claude_pool.domain import chain, pool, slot, task
from claude_pool.domain.errors import LogBroken
from claude_pool.domain.ports import Head
from claude_pool.domain.world import Closed, Home, Rank, World

from .failures import sync_directory
from .typed import typed

EVERY = 20_000
"""So many events after a snapshot the next one is due: they are folded in a tenth of a second."""

_ROOM = 16 * 2**20
"""Bytes that stay free on the disk beside a snapshot: the log comes first."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The view after the event at `head`, which was recorded at `recorded_at` (ms).

    `correlations` maps what is alive to the call that it belongs to.
    """

    world: World
    head: Head
    recorded_at: int
    correlations: dict[str, str] = field(default_factory=dict[str, str])


class Chained(Protocol):
    """A log that can be asked for the hash of an event."""

    def head_at(self, position: int) -> Head:
        """The head as it was after the event at `position`; `LogBroken`: there is none."""
        ...


class Damaged(Exception):
    """The file is not what was written; the message says in what."""


class _Header(msgspec.Struct, frozen=True):
    program: str
    position: int
    hash: str
    recorded_at: int
    correlations: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """All fields of a `World`."""

    position: int
    pool: pool.Pool
    slots: dict[str, slot.Present]
    tasks: dict[str, task.Known]
    chains: dict[str, chain.Preparing | chain.Running | chain.Closing]
    versions: dict[str, int]
    pending: list[Rank]
    ranks: dict[str, Rank]
    unstarted: dict[str, None]
    parked: dict[str, None]
    running: dict[str, None]
    sessions: dict[str, str]
    questions: dict[str, str]
    closed: dict[str, Closed]
    completed: int
    failed: int
    cancelled: int
    sealed: dict[str, None]
    in_review: int
    shown: dict[str, int]
    homes: dict[str, Home]
    contexts: dict[str, int]


_ORDERED = ("closed", "shown", "homes", "contexts")
_NAMES = tuple(field.name for field in fields(_Kept))


def snapshot_of(log: Path) -> Path:
    """Where the snapshot of `log` lies."""
    return log.with_name(log.name + ".view")


@cache
def program() -> str | None:
    """What the present folds are known by; None where the source of the program cannot be read.

    Asked for when a log is loaded, and kept: the files may be replaced while the process lives.
    """
    domain, store = Path(claude_pool.domain.__file__).parent, Path(__file__).parent
    own = (store / name for name in ("codec.py", "registry.py", "snapshots.py", "typed.py"))
    digest = sha256()
    try:
        for path in (*sorted(domain.rglob("*.py")), *own):
            content, name = path.read_bytes(), f"{path.parent.name}/{path.name}"
            digest.update(b"%s %d\n" % (name.encode(), len(content)) + content)
    except OSError:
        return None
    return digest.hexdigest()


def load_snapshot(path: Path, log: Chained, until: int | None = None) -> Snapshot | None:
    """The snapshot of the log at `path`, which `log` reads; None where there is none that counts, or where it
    is of a position after `until`."""
    try:
        return _read(path, log, until)
    except (OSError, Damaged):
        return None


def damage_of_snapshot(path: Path, log: Chained) -> str | None:
    """What is wrong with the snapshot of the log at `path`, with its name.

    One that merely does not count is whole.
    """
    try:
        _read(path, log, None)
    except FileNotFoundError:
        return None
    except (OSError, Damaged) as error:
        return f"{snapshot_of(path)}: {error}"
    return None


def save_snapshot(path: Path, snapshot: Snapshot) -> bool:
    """Put a snapshot of the log at `path` in the place of the last one, whole or not at all.

    Whether it is there: a disk that is nearly full, or refuses, keeps what it has. Never raises for that.
    """
    made_by = program()
    if made_by is None:
        return False
    target = snapshot_of(path)
    draft = target.with_name(target.name + ".new")
    try:
        content = _encoded(snapshot, made_by)
        room = os.statvfs(target.parent)
        if room.f_bavail * room.f_frsize < len(content) + _ROOM:
            return False
        _write(draft, content)
        os.rename(draft, target)
        sync_directory(target.parent)
    except (OSError, ValueError, TypeError, msgspec.MsgspecError):
        draft.unlink(missing_ok=True)
        return False
    return True


def _write(draft: Path, content: bytes) -> None:
    draft.unlink(missing_ok=True)  # what a killed owner left
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _encoded(snapshot: Snapshot, made_by: str) -> bytes:
    head = snapshot.head
    header = _Header(made_by, head.position, head.hash.hex(), snapshot.recorded_at, snapshot.correlations)
    rest = msgspec.json.encode(header) + b"\n" + packed(snapshot.world) + b"\n"
    return sha256(rest).hexdigest().encode() + b"\n" + rest


def packed(world: World) -> bytes:
    """The view as one line of JSON."""
    fields_of: dict[str, Any] = vars(world)
    # msgspec would write an ordered dict in the order of its first insertions.
    ordered: dict[str, Any] = {name: dict(fields_of[name].items()) for name in _ORDERED}
    return msgspec.json.encode(typed(_Kept).pack(_Kept(**fields_of | ordered)))


def unpacked(content: bytes) -> World:
    """The view that `packed` wrote.

    Raises:
        ValueError, TypeError, RecursionError: it is none.
    """
    kept: _Kept = typed(_Kept).unpack(content)
    world = World()
    for name in _NAMES:
        value = getattr(kept, name)
        setattr(world, name, OrderedDict(value) if name in _ORDERED else value)
    return world


def _read(path: Path, log: Chained, until: int | None) -> Snapshot | None:
    digest, _, rest = snapshot_of(path).read_bytes().partition(b"\n")
    if sha256(rest).hexdigest().encode() != digest:
        raise Damaged("it is not what was written")
    first, _, kept = rest.partition(b"\n")
    try:
        header = msgspec.json.decode(first, type=_Header)
        head = Head(header.position, bytes.fromhex(header.hash))
        if header.program != program() or (until is not None and head.position > until):
            return None
        if not _holds(log, head):
            return None
        world = unpacked(kept)
    except (ValueError, TypeError, RecursionError) as error:
        raise Damaged(f"it cannot be read: {error}") from error
    return Snapshot(world, head, header.recorded_at, header.correlations)


def _holds(log: Chained, head: Head) -> bool:
    try:
        return log.head_at(head.position) == head
    except LogBroken:
        return False
