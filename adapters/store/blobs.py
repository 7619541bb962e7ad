"""Texts too long for an event: files named by their SHA-256, durable before any event names them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Container
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from claude_pool.domain.errors import LogBroken
from claude_pool.domain.values import INLINE_TEXT_BYTES, Text

from .failures import refused, sync_directory

HEAD_CHARACTERS = 200
"""So much of the beginning of a long text stands in the event itself."""

DAY_MS = 24 * 60 * 60 * 1000
"""The usual age at which a text that no event names is garbage."""

_NAME = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = ".unfinished-"


class TextLost(LogBroken):
    """{path}: the text of an event is {problem}. Restore a backup of the folder; the log itself may be
    whole."""


class Texts(Protocol):
    """Keeps texts of any length for events."""

    def put(self, text: str) -> Text:
        """What an event holds for `text`, which is durable when this returns.

        Half of a surrogate pair, which no UTF-8 can hold, becomes U+FFFD.

        Raises:
            StoreFull, StoreError: it could not be kept.
        """
        ...

    def get(self, text: Text) -> str:
        """The whole text.

        Raises:
            TextLost: it is missing or not what was put.
        """
        ...

    def sweep(self, referenced: Container[str], older_than_ms: int, now_ms: int) -> int:
        """Remove texts that are not `referenced` (by SHA-256, hex) and were last put more than
        `older_than_ms` before `now_ms`; how many.
        """
        ...


class BlobStore:
    """`Texts` in a folder."""

    def __init__(self, root: Path | str) -> None:
        """Keep files in `root`, which is made (mode 0700) with the first one."""
        self._root = Path(root)

    def put(self, text: str) -> Text:
        """See `Texts.put`. A text that is there already counts as put anew, and is mended if damaged."""
        kept, content = described(text)
        if kept.blob is not None:
            path = self._root / kept.blob
            try:
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                if _holds(path, content):
                    os.utime(path)
                else:
                    _write(path, content)
                sync_directory(self._root)
            except OSError as error:
                raise refused(error, path) from error
        return kept

    def get(self, text: Text) -> str:
        """See `Texts.get`."""
        if text.blob is None:
            return text.inline or ""
        if not _NAME.fullmatch(text.blob):
            raise TextLost(path=self._root, problem=f"named {text.blob!r}, which names no file")
        path = self._root / text.blob
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise TextLost(path=path, problem="missing") from None
        except OSError as error:
            raise refused(error, path) from error
        if sha256(content).hexdigest() != text.blob:
            raise TextLost(path=path, problem="damaged")
        return content.decode()

    def sweep(self, referenced: Container[str], older_than_ms: int, now_ms: int) -> int:
        """See `Texts.sweep`. What a crash left unfinished goes, too."""
        removed = 0
        try:
            entries = list(os.scandir(self._root))
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise refused(error, self._root) from error
        for entry in entries:
            ours = _NAME.fullmatch(entry.name) or entry.name.startswith(_UNFINISHED)
            if not ours or entry.name in referenced:
                continue
            # A file that somebody else removes meanwhile, or that may not be removed, is no reason to stop.
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000 < now_ms - older_than_ms:
                    os.unlink(entry.path)
                    removed += 1
        return removed


class MemoryBlobs:
    """`Texts` in memory, for a log in memory. Nothing ages there, so nothing is ever swept."""

    def __init__(self) -> None:
        """Begin empty."""
        self._contents: dict[str, bytes] = {}

    def put(self, text: str) -> Text:
        """See `Texts.put`."""
        kept, content = described(text)
        if kept.blob is not None:
            self._contents[kept.blob] = content
        return kept

    def get(self, text: Text) -> str:
        """See `Texts.get`."""
        if text.blob is None:
            return text.inline or ""
        if text.blob not in self._contents:
            raise TextLost(path="memory", problem="missing")
        return self._contents[text.blob].decode()

    def sweep(self, referenced: Container[str], older_than_ms: int, now_ms: int) -> int:  # noqa: ARG002
        """See `Texts.sweep`."""
        return 0


def described(text: str) -> tuple[Text, bytes]:
    """What an event holds for `text`, and the bytes that lie in a file where `blob` names one."""
    try:
        content = text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        content = text.encode()
    if len(content) <= INLINE_TEXT_BYTES:
        return Text(inline=text, size=len(content)), b""
    name = sha256(content).hexdigest()
    return Text(blob=name, size=len(content), head=text[:HEAD_CHARACTERS]), content


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes) -> None:
    descriptor, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(unfinished, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise
