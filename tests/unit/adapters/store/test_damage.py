"""Damage, tampering and rollback are found, and named by position."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from claude_pool.adapters.store.chain import EMPTY, Row, decoded, replayed
from claude_pool.adapters.store.codec import Codec
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import all_events, default_codec
from claude_pool.adapters.store.sidecar import Sidecar, read_head, sidecar_of
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import LogBroken, LogNewer, StoreUnreadable
from claude_pool.domain.ports import Head
from claude_pool.domain.records import Fact

from tests.unit.adapters.store.samples import OTHER, TASK, fill, meta

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log with twenty events of one stream and one of another."""
    path = tmp_path / "log.sqlite"
    with opened(path) as log:
        fill(log, 20)
        fill(log, 1, OTHER)
    return path


def opened(path: Path, *, accept_rollback: bool = False) -> SqliteEventLog:
    return SqliteEventLog.open(path, default_codec(), accept_rollback=accept_rollback)


def tamper(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def broken_at(act: Callable[[], object]) -> object:
    with pytest.raises(LogBroken) as refusal:
        act()
    return refusal.value.facts["position"]


@pytest.mark.parametrize("column", ["stream", "version", "topic", "envelope", "hash"])
@pytest.mark.parametrize("position", [2, 13, 20])
def test_one_changed_byte_is_found_at_its_position(path: Path, position: int, column: str) -> None:
    content = bytearray(path.read_bytes())
    topic, state = stored(path, position)
    start = content.index(topic + state)
    offset = {
        "stream": start - 2, "version": start - 1, "topic": start, "envelope": start + len(topic),
        "hash": start + len(topic) + len(state),
    }[column]  # fmt: skip
    content[offset] ^= 0x01
    path.write_bytes(content)

    with open_reader(path, default_codec()) as reader:
        assert broken_at(reader.verify) == position


def stored(path: Path, position: int) -> tuple[bytes, bytes]:
    """Topic and envelope as they stand in the file, next to each other, after stream and version."""
    with open_reader(path, default_codec()) as reader:
        row = next(reader.read_all(position - 1, position))
    topic, state = default_codec().encode(row.event, row.meta)
    return topic.encode(), state


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE events SET originator_version = 99 WHERE rowid = 7", 7),
        ("UPDATE events SET state = CAST(state AS TEXT) WHERE rowid = 7", 7),
        ("UPDATE events SET topic = CAST(x'ff' AS TEXT) WHERE rowid = 7", 7),
        ("UPDATE events SET topic = 'task.parked.v9' WHERE rowid = 7", 7),
        ("DELETE FROM events WHERE rowid = 7", 7),
        ("DELETE FROM events WHERE rowid = 1", 1),
        ("UPDATE events SET rowid = 22 WHERE rowid = 7", 7),
        ("INSERT INTO events VALUES (22, 'x', 1, 'task.parked.v1', x'7b7d', zeroblob(32))", 22),
    ],
)
def test_a_changed_log_is_found_at_the_first_wrong_position(
    path: Path, statement: str, position: int
) -> None:
    tamper(path, statement)

    with open_reader(path, default_codec()) as reader:
        assert broken_at(reader.verify) == position
        assert broken_at(lambda: list(reader.read_events(check=True))) == position
    assert broken_at(lambda: opened(path)) == position


@pytest.mark.parametrize("damaged", [100, 200], ids=["in the middle", "at the end"])
def test_a_damaged_page_is_found_at_its_first_position(tmp_path: Path, damaged: int) -> None:
    path = tmp_path / "log.sqlite"
    with opened(path) as log:
        fill(log, 200)
    start = path.read_bytes().index(b"".join(stored(path, damaged)))
    with path.open("r+b") as file:
        file.seek(start // PAGE * PAGE)
        file.write(bytes(PAGE))

    with open_reader(path, default_codec()) as reader:
        position = broken_at(reader.verify)
        assert isinstance(position, int)
        assert damaged - 30 < position <= damaged
    assert broken_at(lambda: opened(path)) == position


def test_damage_before_the_tail_is_found_by_the_whole_check_only(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with opened(path) as log:
        facts = [Fact(TASK, event) for event in (r.event for r in fill(log, 1, OTHER))] * 1100
        log.append(facts, {TASK: 0}, meta())
    tamper(path, "UPDATE events SET state = x'7b7d' WHERE rowid = 5")

    with opened(path) as log:
        assert log.verify(tail=1000).position == 1101
        assert broken_at(log.verify) == 5


@dataclass(frozen=True, slots=True)
class Later:
    """An event that this program does not know yet."""

    NAME: ClassVar[str] = "task.teleported"
    VERSION: ClassVar[int] = 1


def test_an_unknown_event_says_that_the_log_is_newer(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with SqliteEventLog.open(path, Codec([*all_events(), Later])) as log:
        log.append([Fact(TASK, Later())], {TASK: 0}, meta())

    with open_reader(path, default_codec()) as reader:
        for read in (lambda: list(reader.read_all()), lambda: list(reader.read_events())):
            with pytest.raises(LogNewer) as refusal:
                read()
            assert refusal.value.facts["found"] == "task.teleported.v1"


def test_a_damaged_name_is_not_taken_for_a_newer_event(path: Path) -> None:
    tamper(path, "UPDATE events SET topic = 'task.parked.v9' WHERE rowid = 7")

    with open_reader(path, default_codec()) as reader:
        assert broken_at(lambda: list(reader.read_all())) == 7
        assert broken_at(lambda: list(reader.read_events())) == 7
        assert broken_at(lambda: reader.read_stream(TASK)) == 7


def test_an_envelope_that_cannot_be_decoded_has_a_position(path: Path) -> None:
    tamper(path, "UPDATE events SET state = x'7b7d' WHERE rowid = 7")

    with open_reader(path, default_codec()) as reader:
        assert broken_at(lambda: list(reader.read_all())) == 7
        assert broken_at(lambda: list(reader.read_events())) == 7


def test_the_sidecar_follows_every_append(path: Path) -> None:
    with opened(path) as log:
        for number in range(1, 4):
            fill(log, 1, f"stream-{number}")
            assert read_head(path) == log.head()


def restore_after_more_events(path: Path) -> None:
    """Write on, then put the older file back; the sidecar stays."""
    backup = path.with_name("backup")
    shutil.copy(path, backup)
    with opened(path) as log:
        fill(log, 2, "lost")
    shutil.copy(backup, path)


def test_a_restored_older_log_is_refused(path: Path) -> None:
    restore_after_more_events(path)
    before = path.read_bytes()

    assert broken_at(lambda: opened(path)) == 22
    with open_reader(path, default_codec()) as reader:
        assert broken_at(reader.verify) == 22
        assert len(list(reader.read_all())) == 21
    assert path.read_bytes() == before


def test_a_restored_log_that_was_written_since_is_refused(path: Path) -> None:
    remembered = read_head(path)
    assert remembered is not None
    tail = path.with_name("other.sqlite")
    with opened(tail) as log:
        fill(log, 30)
    tail.rename(path)

    assert broken_at(lambda: opened(path)) == remembered.position


def test_a_rollback_can_be_accepted(path: Path) -> None:
    restore_after_more_events(path)

    with opened(path, accept_rollback=True) as log:
        fill(log, 1, "new")
    with opened(path) as log:
        assert log.verify().position == 22


@pytest.mark.parametrize("emptied", [False, True], ids=["deleted", "emptied"])
def test_a_log_that_vanished_is_not_begun_anew(path: Path, emptied: bool) -> None:
    path.write_bytes(b"") if emptied else path.unlink()

    assert broken_at(lambda: opened(path)) == 1
    assert not path.exists() or path.read_bytes() == b""
    with opened(path, accept_rollback=True) as log:
        assert log.head() == EMPTY


@pytest.mark.parametrize(
    "content", [None, b"", bytes(86), b"7 abc\n" * 100], ids=["absent", "empty", "zeros", "longer"]
)
def test_a_sidecar_that_says_nothing_is_written_again(path: Path, content: bytes | None) -> None:
    sidecar_of(path).unlink() if content is None else sidecar_of(path).write_bytes(content)

    with opened(path) as log:
        assert read_head(path) == log.head()


def test_a_log_ahead_of_its_sidecar_is_what_a_crash_leaves(path: Path) -> None:
    with opened(path) as log:
        before = sidecar_of(path).read_bytes()
        fill(log, 3, "more")
    sidecar_of(path).write_bytes(before)

    with opened(path) as log:
        assert log.head().position == 24
        assert read_head(path) == log.head()


def test_a_sidecar_that_cannot_be_written_is_let_go(path: Path) -> None:
    before = sidecar_of(path).read_bytes()
    sidecar = Sidecar(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        sidecar.remember(Head(22, b"\x01" * 32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sidecar.close()

    assert sidecar_of(path).read_bytes() == before


def test_a_sidecar_is_not_written_through_a_link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    sidecar_of(path).rename(elsewhere)
    before = elsewhere.read_bytes()
    sidecar_of(path).symlink_to(elsewhere)

    with pytest.raises(StoreUnreadable):
        opened(path)

    assert elsewhere.read_bytes() == before


def replayed_at_once(codec: Codec, rows: list[Row], path: str) -> Iterator[object]:
    """What is replayed of one batch."""
    return replayed(codec, [rows], path)


@pytest.mark.parametrize("read", [decoded, replayed_at_once])
def test_an_event_that_is_nested_without_end_is_a_broken_log(read: Callable[..., Iterator[object]]) -> None:
    state = b'{"a":"policy","c":"c","t":1,"d":{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}}"
    row = (1, "slot-0", 1, "slot.revived.v1", state, b"")
    with pytest.raises(LogBroken, match="cannot be decoded"):
        list(read(default_codec(), [row], "log"))
