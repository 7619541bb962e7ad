"""Snapshots of the live view: with the rest of the log each is the full fold; a damaged one is none."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest
from claude_pool.adapters.store import snapshots
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.reader import SqliteReader, open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.snapshots import (
    Snapshot,
    damage_of_snapshot,
    load_snapshot,
    save_snapshot,
    snapshot_of,
)
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.adapters.store.typed import typed
from claude_pool.domain.ledger import Reservation
from claude_pool.domain.ports import Head, Replayed
from claude_pool.domain.snapshot import canonical
from claude_pool.domain.world import Home, World
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.full_disk import fill_up, small_disk
from tests.support.spent_log import Life, write
from tests.unit.adapters.store.samples import fill

KEPT = sorted((Path(__file__).parents[3] / "golden" / "logs").iterdir())


@pytest.fixture(params=KEPT, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A kept log."""
    shutil.copytree(request.param, tmp_path / "state")
    return tmp_path / "state" / "log.sqlite"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteReader]:
    """The kept log, read."""
    with open_reader(path, default_codec()) as reader:
        yield reader


def folded(log: Any, until: int, world: World | None = None) -> World:
    """The view after the event at `until`, from that of `world` on."""
    world = World() if world is None else world
    events: Iterator[Replayed] = log.read_events(world.position, until)
    for position, stream, version, event, *_ in events:
        world.apply(position, stream, version, event)
    return world


def snapshot_at(log: SqliteReader, position: int) -> Snapshot:
    """The snapshot after the event at `position`."""
    return Snapshot(folded(log, position), log.head_at(position), 1_700_000_000_000, {"task-a": "call-1"})


def everything(world: World) -> tuple[str, list[tuple[str, list[Any]]]]:
    """The canonical text, and the order of whatever has one."""
    found: dict[str, Any] = vars(world)
    orders = [
        (name, list(cast("dict[str, Any]", each))) for name, each in found.items() if hasattr(each, "keys")
    ]
    return canonical(world), sorted(orders)


def test_at_every_cut_of_a_kept_log_snapshot_and_rest_are_all_of_it(path: Path, log: SqliteReader) -> None:
    plain, kept = World(), World()
    for cut in range(1, log.head().position + 1):
        folded(log, cut, plain)
        folded(log, cut, kept)
        assert everything(kept) == everything(plain), cut
        assert save_snapshot(path, Snapshot(kept, log.head_at(cut), 0))
        loaded = load_snapshot(path, log)
        assert loaded is not None
        assert everything(loaded.world) == everything(plain), cut
        kept = loaded.world


@settings(max_examples=6)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_at_the_cuts_of_any_life_snapshot_and_rest_are_the_full_fold(
    tmp_path_factory: pytest.TempPathFactory, seed: int, slots: int
) -> None:
    log = MemoryEventLog(default_codec())
    write(Life(seed, slots, limit=10**9).live(12), log)
    plain, kept = World(), World()
    path = tmp_path_factory.mktemp("life") / "log.sqlite"
    for cut in range(1, log.head().position, 9):
        folded(log, cut, plain)
        folded(log, cut, kept)
        assert everything(kept) == everything(plain), cut
        assert save_snapshot(path, Snapshot(kept, log.head_at(cut), 0))
        loaded = load_snapshot(path, log)
        assert loaded is not None
        assert everything(loaded.world) == everything(plain), cut
        kept = loaded.world


def test_a_snapshot_has_every_field_of_the_view() -> None:
    assert {field.name for field in fields(snapshots._Kept)} == set(vars(World()))  # pyright: ignore[reportPrivateUsage]


def test_a_snapshot_gives_back_what_it_was_given_to_its_user_only(path: Path, log: SqliteReader) -> None:
    kept = snapshot_at(log, 12)

    assert save_snapshot(path, kept)
    loaded = load_snapshot(path, log)

    assert loaded is not None
    assert (loaded.head, loaded.recorded_at, loaded.correlations) == (
        kept.head, kept.recorded_at, kept.correlations,
    )  # fmt: skip
    assert stat.S_IMODE(snapshot_of(path).stat().st_mode) == 0o600


def test_no_snapshot_is_used_beyond_its_position(path: Path, log: SqliteReader) -> None:
    save_snapshot(path, snapshot_at(log, 12))

    assert load_snapshot(path, log, until=11) is None
    assert load_snapshot(path, log, until=12) is not None


def test_a_snapshot_cut_off_anywhere_is_none_and_is_named(path: Path, log: SqliteReader) -> None:
    save_snapshot(path, snapshot_at(log, 12))
    content = snapshot_of(path).read_bytes()

    for length in (0, 1, 64, 65, 200, len(content) // 2, len(content) - 1):
        snapshot_of(path).write_bytes(content[:length])
        assert load_snapshot(path, log) is None
        assert damage_of_snapshot(path, log) == f"{snapshot_of(path)}: it is not what was written"


def test_a_snapshot_with_a_flipped_bit_is_none_and_is_named(path: Path, log: SqliteReader) -> None:
    save_snapshot(path, snapshot_at(log, 12))
    content = snapshot_of(path).read_bytes()

    for at in range(0, len(content), 41):
        flipped = content[at] ^ (1 << at % 8)
        snapshot_of(path).write_bytes(content[:at] + bytes([flipped]) + content[at + 1 :])
        assert load_snapshot(path, log) is None
        assert damage_of_snapshot(path, log) is not None


def test_a_whole_file_of_another_shape_is_none_and_is_named(path: Path, log: SqliteReader) -> None:
    save_snapshot(path, snapshot_at(log, 12))
    _, header, kept = snapshot_of(path).read_bytes().splitlines(keepends=True)

    for rest in (b"{}\n" + kept, header + b"{}\n", header + kept.replace(b'"Open"', b'"Shut"'), b""):
        digest = snapshots.sha256(rest).hexdigest().encode()
        snapshot_of(path).write_bytes(digest + b"\n" + rest)
        assert load_snapshot(path, log) is None
        assert "it cannot be read" in str(damage_of_snapshot(path, log))


def test_the_snapshot_of_another_log_is_none(path: Path, log: SqliteReader, tmp_path: Path) -> None:
    other = tmp_path / "other" / "log.sqlite"
    with SqliteEventLog.open(other, default_codec()) as there:
        fill(there, 20)
        save_snapshot(path, Snapshot(folded(there, 12), there.head_at(12), 0))

    assert load_snapshot(path, log) is None
    assert damage_of_snapshot(path, log) is None


def test_a_snapshot_newer_than_a_restored_log_is_none(path: Path, log: SqliteReader) -> None:
    head = log.head()
    save_snapshot(path, Snapshot(folded(log, head.position), Head(head.position + 1, head.hash), 0))

    assert load_snapshot(path, log) is None


def test_the_snapshot_of_another_program_is_none(
    path: Path, log: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(snapshots, "program", lambda: "another")
        save_snapshot(path, snapshot_at(log, 12))

    assert load_snapshot(path, log) is None
    assert damage_of_snapshot(path, log) is None


def test_a_program_whose_source_cannot_be_read_keeps_no_snapshot(
    path: Path, log: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "program", lambda: None)

    assert not save_snapshot(path, snapshot_at(log, 12))
    assert not snapshot_of(path).exists()


@pytest.mark.parametrize("part", ["world.py", "task/__init__.py"])
def test_any_change_of_the_domain_is_another_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str
) -> None:
    before = snapshots.program()
    domain = Path(shutil.copytree(Path(snapshots.claude_pool.domain.__file__).parent, tmp_path / "domain"))
    monkeypatch.setattr(snapshots.claude_pool.domain, "__file__", str(domain / "__init__.py"))

    snapshots.program.cache_clear()
    same = snapshots.program()
    (domain / part).write_bytes((domain / part).read_bytes() + b"# changed\n")
    snapshots.program.cache_clear()
    changed = snapshots.program()
    (domain / part).unlink()
    (domain / part).symlink_to(tmp_path / "nowhere")
    snapshots.program.cache_clear()
    unreadable = snapshots.program()
    snapshots.program.cache_clear()

    assert before == same != changed
    assert unreadable is None


def test_a_full_disk_keeps_the_last_snapshot(log: SqliteReader, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 20 * 2**20) as disk:
        there = disk / "log.sqlite"
        assert save_snapshot(there, snapshot_at(log, 12))
        filler = fill_up(disk, leave=4096)

        assert not save_snapshot(there, snapshot_at(log, 20))
        loaded = load_snapshot(there, log)
        filler.unlink()

    assert loaded is not None
    assert loaded.head.position == 12


@pytest.mark.parametrize("failing", ["fsync", "rename", "open"])
def test_a_disk_that_refuses_keeps_the_last_snapshot_and_leaves_nothing_beside_it(
    failing: str, path: Path, log: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_snapshot(path, snapshot_at(log, 12))
    beside = sorted(path.parent.iterdir())

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, failing, refuse)
        assert not save_snapshot(path, snapshot_at(log, 20))

    loaded = load_snapshot(path, log)
    assert loaded is not None
    assert loaded.head.position == 12
    assert sorted(path.parent.iterdir()) == beside


def test_one_that_was_killed_before_the_rename_leaves_the_last_snapshot_and_the_next_takes_its_place(
    path: Path, log: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_snapshot(path, snapshot_at(log, 12))

    def die(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(os, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            save_snapshot(path, snapshot_at(log, 16))
    loaded = load_snapshot(path, log)
    assert loaded is not None
    assert loaded.head.position == 12

    assert save_snapshot(path, snapshot_at(log, 20))
    loaded = load_snapshot(path, log)
    assert loaded is not None
    assert loaded.head.position == 20
    assert not list(path.parent.glob("*.new"))


def test_values_that_cannot_be_told_apart_are_refused() -> None:
    for hint in (int | Home | Reservation, tuple[Home | Reservation, ...]):
        with pytest.raises(TypeError, match="cannot be written"):
            typed(hint)
