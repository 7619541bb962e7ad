"""A look at a file tells what it is, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from claude_pool.adapters.store.identity import APPLICATION_ID, Found, identify
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import LogNewer, StoreError, StoreUnreadable

from tests.unit.adapters.store.samples import TASK, fill


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


def database(path: Path, application_id: int, schema: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {application_id}")
    connection.execute(f"PRAGMA user_version = {schema}")
    connection.execute("CREATE TABLE things (name TEXT)")
    connection.commit()
    connection.close()


def junk(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


def short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00")


def foreign(path: Path) -> None:
    database(path, application_id=0, schema=0)


def newer(path: Path) -> None:
    database(path, APPLICATION_ID, schema=2)


def unversioned(path: Path) -> None:
    database(path, APPLICATION_ID, schema=0)


@pytest.mark.parametrize("make", [junk, short, foreign, unversioned, newer])
@pytest.mark.parametrize("reading", [False, True], ids=["writing", "reading"])
def test_what_is_not_our_log_is_refused_untouched(
    path: Path, make: Callable[[Path], None], reading: bool
) -> None:
    make(path)
    before = path.read_bytes()
    open_log = open_reader if reading else SqliteEventLog.open

    with pytest.raises(LogNewer if make is newer else StoreUnreadable):
        open_log(path, default_codec())

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_newer_log_says_which_versions(path: Path) -> None:
    newer(path)

    with pytest.raises(LogNewer) as refusal:
        identify(path)

    assert refusal.value.facts == {"path": path, "found": 2, "known": 1}


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_not_a_file_is_refused_at_once(path: Path, make: Callable[[Path], None]) -> None:
    make(path)

    with pytest.raises(StoreUnreadable):
        identify(path)


def test_a_path_through_a_file_is_refused(path: Path) -> None:
    path.touch()

    with pytest.raises(StoreUnreadable):
        identify(path / "log.sqlite")


def test_nothing_is_there_yet(path: Path) -> None:
    assert identify(path) is Found.NOTHING


def test_an_empty_file_is_nothing_yet_and_becomes_a_log(path: Path) -> None:
    path.touch()
    found = identify(path)

    with SqliteEventLog.open(path, default_codec()) as log:
        fill(log, 1)

    assert found is Found.NOTHING
    assert identify(path) is Found.LOG


def test_a_log_is_known_before_anything_reached_its_main_file(path: Path) -> None:
    """The header must not wait for a checkpoint: it says whose the file is from the start."""
    with SqliteEventLog.open(path, default_codec()):
        header = subprocess.run(["head", "-c", "100", path], capture_output=True, check=True).stdout

    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID
    assert int.from_bytes(header[60:64], "big") == 1


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20 d" / "log.sqlite"

    with SqliteEventLog.open(path, default_codec()) as log:
        fill(log, 1)

    with open_reader(path, default_codec()) as reader:
        assert [r.stream for r in reader.read_all()] == [TASK]


def test_looking_again_does_not_drop_the_locks_of_this_process(path: Path) -> None:
    """POSIX drops a process's locks on a file with the first descriptor of it that is closed."""
    probe = (
        "import fcntl, sys\n"
        f"first, size = {SHARED_LOCK}\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, size, first)\n"
    )

    def is_locked() -> bool:
        run = subprocess.run([sys.executable, "-c", probe, path], capture_output=True, text=True, check=False)
        assert run.returncode == 0 or "BlockingIOError" in run.stderr, run.stderr
        return run.returncode != 0

    with SqliteEventLog.open(path, default_codec()) as log:
        fill(log, 1)
        locked_before = is_locked()
        open_reader(path, default_codec()).close()

        assert locked_before
        assert is_locked()
    assert not is_locked()


SHARED_LOCK = (0x40000000 + 2, 510)
"""The bytes on which a SQLite connection in WAL mode holds a shared lock for its life."""


def test_a_log_that_could_not_be_opened_is_not_held(path: Path) -> None:
    with SqliteEventLog.open(path, default_codec()) as log:
        fill(log, 1)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)

    with pytest.raises(StoreError):
        SqliteEventLog.open(path, default_codec())

    path.write_bytes(b"")
    assert identify(path) is Found.NOTHING
