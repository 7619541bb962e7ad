"""No bit of an event can change, and no part of the file be lost, without being found out."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from claude_pool.adapters.store.chain import EMPTY, chained
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sidecar import sidecar_of
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import LogBroken, StoreError
from claude_pool.domain.records import Recorded

from tests.unit.adapters.store.samples import OTHER, fill

KEPT = sorted((Path(__file__).parents[3] / "golden" / "logs").iterdir())[-1] / "log.sqlite"
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log with events of all kinds, in one file with its sidecar."""
    path = tmp_path / "log.sqlite"
    shutil.copy(KEPT, path)
    with SqliteEventLog.open(path, default_codec()) as log:
        fill(log, 60, OTHER)
    return path


def read(path: Path) -> tuple[Recorded, ...]:
    with open_reader(path, default_codec()) as reader:
        reader.verify()
        return tuple(reader.read_all())


def starts(path: Path) -> bool:
    """Whether an owner would take the log, as it lies there, for whole."""
    copy = path.with_name("copy.sqlite")
    shutil.copy(path, copy)
    shutil.copy(sidecar_of(path), sidecar_of(copy))
    try:
        with SqliteEventLog.open(copy, default_codec()):
            return True
    except StoreError:
        return False
    finally:
        for left in copy.parent.glob("copy.sqlite*"):
            left.unlink()


def flip_bits(path: Path, count: int, seed: int = 7) -> Counter[str]:
    """Flip `count` single bits, each alone; what became of them."""
    whole, content = read(path), path.read_bytes()
    chance, seen = random.Random(seed), Counter[str]()
    for bit in chance.sample(range(len(content) * 8), count):
        at = bit // 8
        with path.open("r+b") as file:
            os.pwrite(file.fileno(), bytes([content[at] ^ 1 << bit % 8]), at)
        try:
            if read(path) != whole:
                seen["undetected"] += 1
            else:
                with open_reader(path, default_codec()) as reader:
                    seen["index, found by SQLite" if reader.faults() else "free space and statistics"] += 1
        except StoreError:
            seen["detected"] += 1
            seen["detected, but an owner starts"] += starts(path)  # all lies in the tail here
        with path.open("r+b") as file:
            os.pwrite(file.fileno(), content[at : at + 1], at)
    assert read(path) == whole
    return seen


def found_out(path: Path, count: int) -> None:
    seen = flip_bits(path, count)
    print(dict(seen))  # noqa: T201  # with -s, the figures
    assert seen["undetected"] == 0
    assert seen["detected"] > count // 10
    assert seen["detected, but an owner starts"] == 0


def test_a_flipped_bit_of_an_event_is_found_out(path: Path) -> None:
    found_out(path, 100)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_thousand_flipped_bits_are_found_out(path: Path) -> None:
    found_out(path, 2000)


def test_a_log_cut_at_any_page_is_found_out(path: Path) -> None:
    content = path.read_bytes()
    for pages in range(1, len(content) // PAGE):
        path.write_bytes(content[: pages * PAGE])

        with pytest.raises(StoreError):
            read(path)
        assert not starts(path), pages


def torn(path: Path) -> tuple[Path, int]:
    """The database alone of a log whose last events lie in its write-ahead log, and how many there were."""
    elsewhere = path.with_name("elsewhere")
    elsewhere.mkdir()
    with SqliteEventLog.open(path, default_codec()) as log:
        fill(log, 5, "unsaved")
        for name in (path.name, sidecar_of(path).name):
            shutil.copy(path.with_name(name), elsewhere)
        return elsewhere / path.name, log.head().position


def test_a_log_without_its_write_ahead_log_is_found_out(path: Path) -> None:
    alone, count = torn(path)

    with pytest.raises(LogBroken) as refusal:
        read(alone)

    assert refusal.value.facts["position"] == count - 4
    assert not starts(alone)


def test_the_write_ahead_log_of_another_log_is_found_out(path: Path) -> None:
    alone, _ = torn(path)
    other = path.with_name("other.sqlite")
    with SqliteEventLog.open(other, default_codec()) as log:
        fill(log, 300)
        shutil.copy(other.with_name("other.sqlite-wal"), alone.with_name(alone.name + "-wal"))

    with pytest.raises(StoreError):
        read(alone)
    with pytest.raises(StoreError):
        SqliteEventLog.open(alone, default_codec())


def rechained(rows: list[tuple[str, int, str, bytes]]) -> list[tuple[object, ...]]:
    return [tuple(row) for row in chained(rows, EMPTY)]


Rows = list[tuple[str, int, str, bytes]]
FORGERIES: dict[str, Callable[[Rows], Rows]] = {
    "edited": lambda rows: [*rows[:9], (*rows[9][:3], rows[9][3].replace(b'"c"', b'"C"')), *rows[10:]],
    "deleted": lambda rows: [*rows[:9], *rows[10:]],
    "inserted": lambda rows: [*rows[:9], ("forged", 1, *rows[9][2:]), *rows[9:]],
    "swapped": lambda rows: [*rows[:9], rows[10], rows[9], *rows[11:]],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_log_whose_whole_chain_was_computed_anew_contradicts_its_sidecar(path: Path, forgery: str) -> None:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT originator_id, originator_version, topic, state FROM events ORDER BY rowid"
    )
    forged = rechained(FORGERIES[forgery](rows.fetchall()))
    connection.execute("DELETE FROM events")
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", forged)
    connection.commit()
    connection.close()

    with pytest.raises(LogBroken):
        read(path)
    with pytest.raises(LogBroken):
        SqliteEventLog.open(path, default_codec())


def test_an_index_that_lost_an_entry_is_found_out(path: Path) -> None:
    content, found = path.read_bytes(), 0
    for page in range(len(content) // PAGE):
        at = content.find(OTHER.encode(), page * PAGE, (page + 1) * PAGE)
        if at < 0:
            continue
        path.write_bytes(content[:at] + b"X" + content[at + 1 :])
        with suppress(LogBroken), open_reader(path, default_codec()) as reader:
            reader.verify()  # No event lies on this page.
            assert reader.faults() != ()
            found += 1
    assert found > 0, "no page of the index was met"
