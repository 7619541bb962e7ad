"""What lies under the log is known: network file systems, and SQLite's versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.adapters.store.surface import network_file_system, resets_safely

from tests.unit.adapters.store.samples import fill

MOUNTS = """\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:40 / /home rw,relatime shared:1 - nfs4 server:/home rw
23 22 8:2 / /home/me/local rw - ext4 /dev/sdb1 rw
24 21 0:41 / /mnt/my\\040share rw - cifs //server/share rw
25 21 0:42 / /mnt/ssh rw - fuse.sshfs me@host: rw
26 21 0:43 / /mnt/disk rw - fuse.ntfs-3g /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/state", None), ("/home/you/state", "nfs4"), ("/home/me/local/state", None), ("/homes", None),
        ("/mnt/my share/state", "cifs"), ("/mnt/ssh/state", "fuse.sshfs"), ("/mnt/disk/state", None),
    ],
)  # fmt: skip
def test_a_network_file_system_is_told_from_a_local_one(tmp_path: Path, path: str, kind: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)

    assert network_file_system(path, str(mounts)) == kind


def test_where_mounts_cannot_be_read_nothing_is_said(tmp_path: Path) -> None:
    assert network_file_system("/", str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 40, 1), False), ((3, 44, 6), True), ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True)],
)
def test_versions_that_may_lose_a_write_ahead_log_are_known(version: tuple[int, ...], safe: bool) -> None:
    assert resets_safely(version) is safe


def test_a_reader_never_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with SqliteEventLog.open(path, default_codec()) as log:
        fill(log, 5)
        before, wal = path.read_bytes(), path.with_name("log.sqlite-wal").stat().st_size

        with open_reader(path, default_codec()) as reader:
            assert len(list(reader.read_all())) == 5

        assert path.read_bytes() == before
        assert path.with_name("log.sqlite-wal").stat().st_size == wal
