"""Reads small text files below a folder that others may write: no links, no pipes, no surprises in size."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator

from .faults import Fault

MOST_BYTES = 256 * 1024
MOST_ENTRIES = 500

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opened without waiting: a pipe in the place of a file must not hang us.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def directory(path: str, within: int | None = None) -> Generator[int]:
    """A descriptor of the directory `path`, which counts from the descriptor `within` if that is given.

    Raises:
        OSError: there is none, or a link stands in its place.
    """
    descriptor = os.open(path, _DIRECTORY, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_text(name: str, within: int) -> str:
    """The text of a file in the directory `within`.

    Raises:
        Fault: it is a link, no regular file, too large, not UTF-8, or cannot be read.
    """
    try:
        descriptor = os.open(name, _FILE, dir_fd=within)
    except OSError as error:
        raise Fault(0, _why(name, within, error)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Fault(0, "is not a regular file")
    with open(descriptor, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Fault(0, f"has more than {MOST_BYTES // 1024} KB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Fault(line, "is not UTF-8 text") from None


def _why(name: str, within: int, error: OSError) -> str:
    with contextlib.suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode):
            return "is a symbolic link; put the file itself there"
    return error.strerror or str(error)


def looks(root: str, file: str | None) -> tuple[object, ...]:
    """What changes when a file below `root` does: with `file`, that one in each folder; else each file."""
    found: list[object] = []
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries)[: 2 * MOST_ENTRIES]
    except OSError:
        return ()
    for name in names:
        path = os.path.join(root, name)
        marks: list[object] = [name]
        for each in (path,) if file is None else (path, os.path.join(path, file)):
            try:
                seen = os.stat(each, follow_symlinks=False)
            except OSError:
                continue
            # Of a folder only what it is: files come and go beside the one that counts.
            marks += [seen.st_mode, seen.st_ino]
            marks += [seen.st_size, seen.st_mtime_ns] if not stat.S_ISDIR(seen.st_mode) else []
        found.append(tuple(marks))
    return tuple(found)
