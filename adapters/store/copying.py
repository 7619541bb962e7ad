"""Copies of a log with the texts and transcripts that its events name, for backup and restore."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from claude_pool.domain.ports import Head
from claude_pool.domain.task_events import AttemptStarted
from claude_pool.domain.values import attempt_id

from ..share import Share
from .blobs import BlobStore
from .chain import Row
from .codec import Codec
from .evidence import Ended, damage, holds, texts_of, transcript_of
from .failures import refused, sync_directory, told
from .reader import SqliteReader, connect, open_reader
from .recorder import ChainFactory
from .sidecar import sidecar_of, write_head

Step = Callable[[str], None]
"""Is told from time to time what is done now."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a log and what belongs to it lie."""

    log: Path
    blobs: Path
    transcripts: Path


@dataclass(slots=True)
class Copied:
    """What a copy holds. `problems` say what the original had lost already, each with its event."""

    head: Head
    blobs: int = 0
    transcripts: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def copy_log(source: SqliteReader, target: Path, step: Step) -> Head:
    """Copy the log of `source`, as it is at one moment, to the new file `target`, with its sidecar.

    Raises:
        LogBroken: the log is damaged. StoreFull, StoreError: it could not be copied.
    """
    _make(target)
    head = source.copy_to(target, lambda done, all: step(Share("copying the log", done, all, "pages")))
    _remember(target, head)
    return head


def salvage_log(source: SqliteReader, target: Path, step: Step) -> Head:
    """Copy the events of `source` that lie before its first damage to the new log `target`.

    Raises:
        StoreUnreadable: not one event can be read. StoreFull, StoreError: it could not be written.
    """
    step("copying what can be read of the log")
    return write_log(target, source.readable(), source.codec)


def write_log(target: Path, rows: Iterable[Row], codec: Codec) -> Head:
    """Make the new log `target` of `rows`, which begin with position 1.

    Raises:
        LogBroken: they are not what a log holds. StoreUnreadable: there is none.
        StoreFull, StoreError: it could not be written.
    """
    _make(target)
    with told(target), closing(connect(target, "mode=rw", 5_000)) as connection:
        ChainFactory(connection).application_recorder().insert_rows(rows)
    with closing(open_reader(target, codec)) as copy:
        head = copy.verify()
    _remember(target, head)
    return head


def copy_named(source: Kept, target: Kept, codec: Codec, step: Step) -> Copied:
    """Copy what the events of the log at `target` name from beside `source`, and verify all of the copy.

    Transcripts of attempts that have not ended are copied as they are now, for whoever recovers them.

    Raises:
        LogBroken: the copy is not whole. StoreFull, StoreError: something could not be copied.
    """
    names: set[str] = set()
    running: set[str] = set()
    with closing(open_reader(target.log, codec)) as log:
        copied = Copied(log.verify())
        for folder in (target.blobs, target.transcripts):
            _make_folder(folder)
        for position, stream, _, event, *_ in log.read_events():
            for text in texts_of(event):
                if text.blob and text.blob not in names:
                    names.add(text.blob)
                    copied.blobs += _copied(source.blobs / text.blob, target.blobs / text.blob, text.blob)
            if (ended := transcript_of(stream, event)) is not None:
                name, wanted = ended
                here, there = source.transcripts / name, target.transcripts / name
                if not holds(there, wanted):
                    copied.transcripts += _copied(here, there, wanted.sha256, wanted.length)
            if isinstance(event, AttemptStarted):
                running.add(attempt_id(stream, event.attempt))
            elif isinstance(event, Ended):
                running.discard(attempt_id(stream, event.attempt))
            if position % _TOLD_EVERY == 0:
                step(Share("copying what events name", position, copied.head.position, "events"))
        for attempt in running:
            name = f"{attempt}.jsonl"
            copied.transcripts += _copied(source.transcripts / name, target.transcripts / name)
        step("verifying the copy")
        copied.problems += _missing(log, target)
    try:
        for folder in (target.blobs, target.transcripts, target.log.parent):
            sync_directory(folder)
    except OSError as error:
        raise refused(error, target.log.parent) from error
    return copied


_TOLD_EVERY = 1000


def _missing(log: SqliteReader, target: Kept) -> Iterator[tuple[int, str]]:
    texts = BlobStore(target.blobs)
    for position, stream, _, event, *_ in log.read_events():
        for problem in damage(position, stream, event, texts, target.transcripts):
            yield position, problem


def _copied(source: Path, target: Path, digest: str | None = None, length: int | None = None) -> bool:
    """Copy a file (its first `length` bytes) unless it is lost; whether it was.

    What has not `digest` is not copied, and what is there and has it stays.
    """
    unfinished = target.with_name(f".unfinished-{target.name}")
    try:
        if digest is not None and length is None and _digest(target) == digest:
            return True
        with open(source, "rb") as file:
            content = file.read() if length is None else file.read(length)
    except OSError:
        return False
    if digest is not None and sha256(content).hexdigest() != digest:
        return False
    try:
        with open(unfinished, "wb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(unfinished, target)
    except OSError as error:
        with suppress(OSError):
            os.unlink(unfinished)
        raise refused(error, target) from error
    return True


def _digest(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _remember(log: Path, head: Head) -> None:
    """Finish a copied log: its sidecar, and both on the disk."""
    write_head(log, head)
    for path in (log, sidecar_of(log)):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise refused(error, path) from error
        finally:
            os.close(descriptor)


def _make(log: Path) -> None:
    try:
        os.close(_private(str(log), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except OSError as error:
        raise refused(error, log) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise refused(error, folder) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
