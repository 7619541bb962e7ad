"""Evidence: every line a slot printed, written to a file before anyone acts on it."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from claude_pool.domain.values import Transcript

_KEPT_BYTES = 8 * 2**20


def open_between(path: Path) -> TranscriptFile:
    """The file of what a slot prints between turns, which goes on from process to process.

    One that grew beyond 8 MiB becomes `<name>.old`, in place of an earlier one.

    Raises:
        OSError: it cannot be opened.
    """
    with suppress(FileNotFoundError):
        if path.lstat().st_size > _KEPT_BYTES:
            path.replace(path.with_suffix(".old"))
    return TranscriptFile(path, fresh=False)


class TranscriptFile:
    """One growing file of lines, readable by this user only. Each `append` is one write."""

    def __init__(self, path: Path, *, fresh: bool) -> None:
        """Open `path`, emptied where `fresh`, else to go on at its end.

        Raises:
            OSError: it cannot be opened.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | (os.O_TRUNC if fresh else 0)
        self.path = path
        self._descriptor = os.open(path, flags, 0o600)
        self._hash = hashlib.sha256()
        self.length = 0

    def append(self, line: bytes) -> None:
        """Write `line` and its end.

        Raises:
            OSError: the disk refused.
        """
        data = memoryview(line + b"\n")
        self._hash.update(data)
        self.length += len(data)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def evidence(self) -> Transcript:
        """Length and digest of what was appended since the file was opened."""
        return Transcript(self.length, self._hash.hexdigest())

    def sync(self) -> None:
        """Return when the lines, and the file's name, are on the disk. Blocks.

        Raises:
            OSError: the disk refused.
        """
        os.fsync(self._descriptor)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of the file; once is enough, twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
