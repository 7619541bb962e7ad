"""A backup is whole or not at all, and can be restored."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from claude_pool.adapters import backup as backups
from claude_pool.adapters.backup import Backup, WouldLose, back_up, restore
from claude_pool.adapters.check import check_log
from claude_pool.adapters.locking import owner_lock
from claude_pool.adapters.places import Places
from claude_pool.adapters.store.blobs import BlobStore
from claude_pool.adapters.store.evidence import damage
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sidecar import read_head
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import (
    InvalidArgument,
    LogBroken,
    LogNewer,
    StoreFull,
    StoreInUse,
    StoreUnreadable,
)
from claude_pool.domain.pool_events import RollbackAccepted

from tests.support.full_disk import small_disk
from tests.unit.adapters.store.samples import fill

KEPT = sorted((Path(__file__).parents[2] / "golden" / "logs").iterdir())[-1]
"""A state directory as an earlier version left it: events of all kinds, texts and transcripts."""

WRITER = """
import sys
from claude_pool.adapters.store.blobs import BlobStore
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.records import Actor, Fact, Meta
from claude_pool.domain.task_events import TaskSubmitted
from claude_pool.domain.values import TaskSpec

texts = BlobStore(sys.argv[1] + "/blobs")
with SqliteEventLog.open(sys.argv[1] + "/log.sqlite", default_codec()) as log:
    number = 0
    while True:
        number += 1
        task = f"task-{number:016}"
        text = texts.put(f"{number} " * 5000) if number % 10 == 0 else texts.put("short")
        fact = Fact(task, TaskSubmitted(task, TaskSpec(text), "f", at=1))
        log.append([fact], {task: 0}, Meta(1, "c", "c", Actor.SHELL))
        print(number, flush=True)
"""


def places_of(state: Path) -> Places:
    return Places(str(state), str(state.with_name("run") / "s"), str(state), str(state))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A whole state directory."""
    made = Path(shutil.copytree(KEPT, tmp_path / "state"))
    made.chmod(0o700)
    return made


def quietly(_: str) -> None:
    return None


def saved(state: Path, name: str = "saved", *, salvage: bool = False) -> Backup:
    return back_up(places_of(state), str(state.parent / name), quietly, salvage=salvage)


def restored(into: Path, source: Path, *, accept_rollback: bool = False) -> Backup:
    return restore(places_of(into), str(source), quietly, accept_rollback=accept_rollback)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder that matter: no shared memory, no lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith((".lock", "-shm", "-wal"))
    }


def end_of(state: Path) -> int:
    with open_reader(state / "log.sqlite", default_codec()) as reader:
        return reader.head().position


def is_whole(state: Path) -> bool:
    """Whether chain, texts and transcripts of a state directory are all there."""
    texts = BlobStore(state / "blobs")
    with open_reader(state / "log.sqlite", default_codec()) as reader:
        reader.verify()
        return not any(
            any(damage(position, stream, event, texts, state / "transcripts"))
            for position, stream, _, event, *_ in reader.read_events()
        )


def write_on(state: Path, count: int) -> None:
    with SqliteEventLog.open(state / "log.sqlite", default_codec()) as log:
        fill(log, count, "later")


def test_a_backup_holds_the_log_and_what_its_events_name(state: Path) -> None:
    made = saved(state)

    there = state.with_name("saved")
    assert made.path == str(there) and made.problems == ()
    assert (made.head, made.head) == (read_head(there / "log.sqlite"), read_head(state / "log.sqlite"))
    assert made.texts == len(list((there / "blobs").iterdir())) > 0
    assert made.transcripts == len(list((there / "transcripts").iterdir())) > 0
    assert check_log(places_of(there)) == []


def test_a_backup_is_for_its_user_only_and_one_file_is_the_log(state: Path) -> None:
    saved(state)

    there = state.with_name("saved")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (there, *there.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert sorted(path.name for path in there.iterdir() if path.is_file()) == [
        "log.sqlite",
        "log.sqlite.head",
    ]


def trial(state: Path, count: int) -> None:
    """`count` backups while somebody writes: each verifies, and holds what was acknowledged before it."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(state)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    try:
        with writer.stdout as lines:
            first = end_of(state)
            seen = int(next(lines))
            for number in range(count):
                made = saved(state, f"saved-{number}")
                assert made.problems == () and made.head.position >= first + seen
                seen = made.head.position - first
            writer.kill()
            written = first + max(map(int, lines))
    finally:
        writer.kill()
        writer.wait(10)
    assert written > first + count, "nothing was written meanwhile"
    assert is_whole(state.with_name(f"saved-{count - 1}"))


def test_a_backup_under_a_writing_load_is_whole(state: Path) -> None:
    trial(state, 10)


@pytest.mark.slow
def test_a_hundred_backups_under_a_writing_load_are_whole(state: Path) -> None:
    trial(state, 100)


@pytest.mark.parametrize("name", ["saved", "state/inside", "no/such/place", "state"])
def test_a_destination_that_exists_or_lies_in_the_state_or_nowhere_is_refused(state: Path, name: str) -> None:
    state.with_name("saved").mkdir()
    before = sorted(state.parent.rglob("*"))

    with pytest.raises(InvalidArgument):
        saved(state, name)

    assert sorted(state.parent.rglob("*")) == before


def test_a_destination_that_cannot_be_written_is_refused(state: Path) -> None:
    with small_disk(state.with_name("disk"), 2**20) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(StoreUnreadable):
            back_up(places_of(state), str(disk / "saved"), quietly)


def test_without_a_log_there_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable):
        saved(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_finds_no_room_leaves_nothing(state: Path) -> None:
    with small_disk(state.with_name("disk"), 200_000) as disk:
        with pytest.raises(StoreFull):
            back_up(places_of(state), str(disk / "saved"), quietly)

        assert list(disk.iterdir()) == []


def damage_event(state: Path, position: int) -> None:
    connection = sqlite3.connect(state / "log.sqlite")
    connection.execute("UPDATE events SET state = x'7b7d' WHERE rowid = ?", (position,))
    connection.commit()
    connection.close()


def test_a_damaged_log_is_not_taken_for_a_backup(state: Path) -> None:
    damage_event(state, 30)

    with pytest.raises(LogBroken) as refusal:
        saved(state)

    assert refusal.value.facts["position"] == 30
    assert "--salvage" in refusal.value.message and str(state) in refusal.value.message
    assert [path.name for path in state.parent.iterdir()] == ["state"]


def test_what_lies_before_the_damage_can_be_salvaged_and_restored(state: Path) -> None:
    damage_event(state, 30)

    made = saved(state, salvage=True)

    assert made.head.position == 29
    with pytest.raises(WouldLose):
        restored(state, state.with_name("saved"))
    restored(state, state.with_name("saved"), accept_rollback=True)
    assert is_whole(state)
    assert end_of(state) == 30, "the 29 events, and the one that says what was lost"


def test_a_lost_text_refuses_a_backup_and_is_told_by_a_salvage(state: Path) -> None:
    next((state / "blobs").iterdir()).unlink()

    with pytest.raises(LogBroken) as refusal:
        saved(state)
    made = saved(state, salvage=True)

    assert "missing" in refusal.value.message
    assert made.head == read_head(state / "log.sqlite") and len(made.problems) >= 1


def test_a_backup_restored_to_an_empty_place_is_the_pool(state: Path) -> None:
    made = saved(state)
    there = state.with_name("elsewhere")

    restored(there, Path(made.path))

    assert end_of(there) == made.head.position
    assert is_whole(there)
    with SqliteEventLog.open(there / "log.sqlite", default_codec()) as log:
        assert log.rolled_back is None and log.verify() == made.head


def test_a_backup_that_lacks_later_events_is_refused_until_that_is_accepted(state: Path) -> None:
    made = saved(state)
    write_on(state, 3)
    before = contents(state)

    with pytest.raises(WouldLose) as refusal:
        restored(state, Path(made.path))
    assert str(made.head.position + 3) in refusal.value.message
    assert contents(state) == before

    restored(state, Path(made.path), accept_rollback=True)
    with open_reader(state / "log.sqlite", default_codec()) as reader:
        (said,) = (r.event for r in reader.read_all(made.head.position))
        assert reader.verify().position == made.head.position + 1
    assert isinstance(said, RollbackAccepted)
    assert (said.acknowledged, said.kept) == (made.head.position + 3, made.head.position)


def test_what_a_restore_replaces_is_put_aside(state: Path) -> None:
    made = saved(state)
    write_on(state, 3)

    restored(state, Path(made.path), accept_rollback=True)

    (aside,) = state.glob("replaced-*")
    assert end_of(aside) == made.head.position + 3


def test_a_backup_with_all_that_is_there_needs_no_leave(state: Path) -> None:
    older = Path(shutil.copytree(state, state.with_name("older")))
    write_on(state, 3)
    made = saved(state)

    restored(older, Path(made.path))

    assert end_of(older) == made.head.position
    assert is_whole(older)


@pytest.mark.parametrize("step", ["rename", "replace"])
def test_a_restore_that_breaks_off_is_noticed_and_can_be_repeated(
    state: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = saved(state)
    there = Path(shutil.copytree(state, state.with_name("there")))
    (there / "log.sqlite").unlink()
    seen: list[object] = []

    def breaks(_: Path, target: Path) -> None:
        seen.append(target)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(backups.os, step, breaks)
        with pytest.raises(Exception, match="Input/output error"):
            restored(there, Path(made.path))

    assert seen
    restored(there, Path(made.path))
    assert is_whole(there)


def test_under_an_owner_nothing_is_restored(state: Path) -> None:
    made = saved(state)
    places = places_of(state)
    Path(places.socket).parent.mkdir(mode=0o700)

    with owner_lock(places), pytest.raises(StoreInUse):
        restored(state, Path(made.path))


def test_a_damaged_backup_is_not_restored(state: Path) -> None:
    made = Path(saved(state).path)
    damage_event(made, 30)
    there = state.with_name("there")

    with pytest.raises(LogBroken):
        restored(there, made)

    assert not (there / "log.sqlite").exists()


def test_a_backup_that_lost_a_text_is_not_restored(state: Path) -> None:
    made = Path(saved(state).path)
    next((made / "blobs").iterdir()).unlink()
    there = state.with_name("there")

    with pytest.raises(LogBroken):
        restored(there, made)

    assert not (there / "log.sqlite").exists()


@pytest.mark.parametrize("what", ["nothing", "a file", "itself"])
def test_what_is_no_backup_is_refused(state: Path, what: str) -> None:
    source = {"nothing": state.with_name("none"), "a file": state / "log.sqlite", "itself": state}[what]

    with pytest.raises(InvalidArgument):
        restored(state, source)


def test_a_newer_backup_says_so(state: Path) -> None:
    made = Path(saved(state).path)
    connection = sqlite3.connect(made / "log.sqlite")
    connection.execute("PRAGMA user_version = 9")
    connection.close()

    with pytest.raises(LogNewer):
        restored(state.with_name("there"), made)


def test_a_live_copy_by_hand_is_whole_or_found_out(state: Path) -> None:
    """`cp` under a writer may tear the file: then reading it says so; it is never taken for another log."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(state)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    whole = found = 0
    try:
        with writer.stdout as lines:
            next(lines)
            for number in range(20):
                copy = state.with_name(f"copy-{number}")
                copy.mkdir()
                for name in sorted(os.listdir(state)):
                    if name.startswith("log.sqlite") and not name.endswith("-shm"):
                        shutil.copy(state / name, copy)
                try:
                    with SqliteEventLog.open(copy / "log.sqlite", default_codec()) as log:
                        log.verify()
                        whole += 1
                except LogBroken:
                    found += 1
    finally:
        writer.kill()
        writer.wait(10)
    assert whole + found == 20
