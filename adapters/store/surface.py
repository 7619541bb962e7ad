"""What lies under the log: the kind of file system, and the version of SQLite."""

from __future__ import annotations

import os
import sqlite3

NETWORKED = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"))
"""File systems on which the locks and the shared memory that SQLite needs do not hold between machines."""

_REMOTE = ("fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.davfs")


def network_file_system(path: str, mounts: str = "/proc/self/mountinfo") -> str | None:
    """The kind of the network file system that `path` lies on; None where it is local or cannot be told."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    best, kind = "", ""
    wanted = os.path.realpath(path)
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = fields[4].encode("latin-1", "replace").decode("unicode_escape")
        if os.path.commonpath((point, wanted)) == point and len(point) >= len(best):
            best, kind = point, after.split(" ")[0]
    return kind if kind in NETWORKED or kind.startswith(_REMOTE) else None


def resets_safely(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite resets its write-ahead log safely while several connections checkpoint."""
    return version >= (3, 51, 3) or version in ((3, 50, 7), (3, 44, 6)) or version < (3, 7, 0)
