"""Backup and restore. A backup is a state directory of its own: every verb that reads works on it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from claude_pool.domain import pool
from claude_pool.domain.coordination import decide
from claude_pool.domain.errors import InvalidArgument, LogBroken, StoreError
from claude_pool.domain.ports import Head
from claude_pool.domain.records import Actor, Meta
from claude_pool.domain.world import World

from .locking import owner_lock
from .places import Places, prepare
from .store.chain import EMPTY
from .store.copying import Kept, Step, copy_log, copy_named, salvage_log
from .store.failures import refused, sync_directory
from .store.reader import SqliteReader, open_reader
from .store.registry import default_codec
from .store.sidecar import read_head, sidecar_of, write_head
from .store.snapshots import snapshot_of
from .store.sqlite import SqliteEventLog
from .system import RealSystem


class WouldLose(StoreError):
    """{path} has events up to {there} that the backup, which ends at {ends}, does not have. With
    --accept-rollback they are put aside, and the log says so."""

    code = "store_in_use"


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied where. `problems` are what the original had lost already, one line each."""

    path: str
    head: Head
    texts: int
    transcripts: int
    problems: tuple[str, ...]


def back_up(places: Places, destination: str, step: Step, *, salvage: bool = False) -> Backup:
    """Copy the log of `places`, as it is at one moment, with what its events name, and verify the copy.

    `destination` appears whole or not at all. `salvage`: of a damaged log, what lies before the damage.

    Raises:
        InvalidArgument: `destination` exists, or lies where none can be.
        LogBroken: the log, or something that its events name, is damaged; not with `salvage`.
        StoreUnreadable, LogNewer: there is no log that can be read.
        StoreFull, StoreError: the copy could not be written. Nothing is left of it.
    """
    target = _destination(places, destination)
    with closing(open_reader(places.log, default_codec())) as source, _unfinished(target) as folder:
        there = _kept(folder)
        try:
            (salvage_log if salvage else copy_log)(source, there.log, step)
            copied = copy_named(_kept_of(places), there, default_codec(), step)
        except LogBroken as error:  # found in the copy, but it is the original's
            facts = {**error.facts, "path": places.log}
            raise LogBroken(**facts) from error
        if copied.problems and not salvage:
            position, problem = copied.problems[0]
            raise LogBroken(path=places.log, position=position, problem=problem)
        os.rename(folder, target)
        sync_directory(target.parent)
    problems = tuple(problem for _, problem in copied.problems)
    return Backup(str(target), copied.head, copied.blobs, copied.transcripts, problems)


def restore(places: Places, source: str, step: Step, *, accept_rollback: bool = False) -> Backup:
    """Make the backup `source` the log of `places`. What was there is put aside, and nothing is deleted.

    `accept_rollback`: also where events are lost by it, which the log then says.

    Raises:
        InvalidArgument: `source` is the state directory itself, or no directory.
        StoreUnreadable, LogNewer, LogBroken: there is no whole backup in `source`. Nothing was changed.
        StoreInUse: an owner runs. WouldLose: what is there has events that the backup lacks.
        StoreFull, StoreError: a file could not be written. Restoring again goes on.
    """
    folder = Path(os.path.realpath(source))
    if not folder.is_dir() or str(folder) == places.state_dir:
        raise InvalidArgument(argument="SRC", problem=f"{folder} is not the directory of a backup")
    backup, here = _kept(folder), _kept_of(places)
    prepare(places)
    with owner_lock(places):
        with closing(open_reader(backup.log, default_codec())) as reader:
            step("verifying the backup")
            head, before = reader.verify(), _acknowledged(here.log)
            lost = not _holds(reader, before)
            if lost and not accept_rollback:
                raise WouldLose(path=places.state_dir, there=before.position, ends=head.position)
            draft = here.log.with_name(f".restoring-{here.log.name}")
            _remove(draft)
            copy_log(reader, draft, step)
        copied = copy_named(backup, Kept(draft, here.blobs, here.transcripts), default_codec(), step)
        if copied.problems:
            _remove(draft)
            raise LogBroken(path=folder, position=copied.problems[0][0], problem=copied.problems[0][1])
        with _refusals(here.log):
            _put_in_place(draft, here.log, before if lost else None)
        if lost:
            _say_what_was_lost(here.log)
    return Backup(places.state_dir, copied.head, copied.blobs, copied.transcripts, ())


def _destination(places: Places, given: str) -> Path:
    target = Path(os.path.realpath(os.path.dirname(os.path.abspath(given)))) / os.path.basename(
        os.path.abspath(given)
    )
    if os.path.lexists(target):
        raise InvalidArgument(argument="DEST", problem=f"{target} exists; name a new directory")
    if not target.parent.is_dir():
        raise InvalidArgument(argument="DEST", problem=f"{target.parent} is not a directory")
    state = os.path.realpath(places.state_dir)
    if os.path.commonpath((state, target)) == state:
        raise InvalidArgument(argument="DEST", problem=f"{target} lies inside the state directory {state}")
    return target


@contextmanager
def _unfinished(target: Path) -> Generator[Path]:
    """A folder beside `target`; whatever is left in it at the end goes."""
    with _refusals(target):
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.unfinished-", dir=target.parent))
    try:
        with _refusals(target):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _refusals(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise refused(error, path) from error


def _kept(folder: Path) -> Kept:
    return _kept_of(Places(str(folder), "", "", ""))


def _kept_of(places: Places) -> Kept:
    return Kept(Path(places.log), Path(places.blobs), Path(places.transcripts))


def _acknowledged(log: Path) -> Head:
    """The last event that is known of the log that lies there, be it from its sidecar alone."""
    known = [read_head(log) or EMPTY]
    with suppress(StoreError), closing(open_reader(log, default_codec())) as reader:
        known.append(reader.head())
    return max(known, key=lambda head: head.position)


def _holds(reader: SqliteReader, head: Head) -> bool:
    try:
        return reader.head_at(head.position) == head
    except LogBroken:
        return False


def _put_in_place(draft: Path, log: Path, before: Head | None) -> None:
    """Replace `log` by the finished `draft`. Cut off at any point, the sidecar tells that a log is missing.

    `before` is what was acknowledged and is lost: it stays in the sidecar until the log itself says so.
    """
    if before is not None:
        write_head(log, before)
    snapshot_of(log).unlink(missing_ok=True)  # It would not count any more.
    present = [path for suffix in ("-wal", "-shm", "") if (path := _beside(log, suffix)).exists()]
    if present:
        aside = Path(tempfile.mkdtemp(prefix="replaced-", dir=log.parent))
        for path in present:  # the WAL before the log, which must not be found with another's
            os.rename(path, aside / path.name)
    os.rename(draft, log)
    if before is None:
        os.replace(sidecar_of(draft), sidecar_of(log))
    _remove(draft)
    sync_directory(log.parent)


def _say_what_was_lost(log: Path) -> None:
    with SqliteEventLog.open(log, default_codec(), accept_rollback=True) as opened:
        world = World()
        for position, stream, version, event, *_ in opened.read_events():
            world.apply(position, stream, version, event)
        lost, system = opened.rolled_back, RealSystem()
        if lost is None or not isinstance(world.pool, pool.Open):
            return
        now, name = system.now(), system.new_id("cmd")
        facts = decide(pool.AcceptRollback(lost.position, opened.head().position, now), world)
        expected = {fact.stream: world.versions.get(fact.stream, 0) for fact in facts}
        opened.append(facts, expected, Meta(now, name, name, Actor.SHELL))


def _remove(log: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal", ".head"):
        with suppress(FileNotFoundError):
            os.unlink(_beside(log, suffix))


def _beside(log: Path, suffix: str) -> Path:
    return log.with_name(log.name + suffix)
