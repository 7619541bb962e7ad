"""A repository's instructions (CLAUDE.md) for slots that load nothing of the repository themselves.

The CLI is told to ignore a repository's settings, because they could run programs and redirect the API. That
drops its CLAUDE.md too, which people expect to be obeyed; so its text is read here and handed over. What is
read must be a regular file that lies inside the repository, links followed; anything else is left out.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

TEXT_LIMIT = 64 * 2**10
"""Bytes of one file, and of the whole text."""

_NAMES = ("CLAUDE.md", ".claude/CLAUDE.md", "CLAUDE.local.md")
_IMPORT_DEPTH = 5
_FENCE = re.compile(r"^\s*(```|~~~)")
_CODE_SPAN = re.compile(r"`[^`\n]*`")
_IMPORT = re.compile(r"(?<!\S)@((?:[^\s\\`]|\\ )+)")


def project_text(directory: str) -> str | None:
    """What slots working in `directory` are told of their repository, or None where there is nothing.

    The instructions of every folder from the repository's root down to `directory`, outermost first, each
    with its path and with the files that it imports (`@path`) in front of it. Outside of a repository only
    `directory` itself counts.
    """
    try:
        here = Path(directory).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    root = _root(here)
    reader = _Reader(root)
    for folder in reversed((here, *here.parents)):
        if folder.is_relative_to(root):
            for name in _NAMES:
                reader.read(folder / name, 0)
    return reader.text()


def _root(here: Path) -> Path:
    for folder in (here, *here.parents):
        if os.path.exists(folder / ".git"):
            return folder
    return here


class _Reader:
    """Collects files of one repository, each once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: set[Path] = set()
        self._parts: list[str] = []
        self._room = TEXT_LIMIT

    def text(self) -> str | None:
        return "\n\n".join(self._parts) or None

    def read(self, path: Path, depth: int) -> None:
        """Take the file and, before it, what it imports."""
        found = self._inside(path)
        if found is None or found in self._seen:
            return
        self._seen.add(found)
        content = _read_regular(found)
        if content is None:
            return
        if depth < _IMPORT_DEPTH:
            for imported in imports(content):
                self.read(found.parent / imported, depth + 1)
        part = f"Contents of {found} (project instructions):\n\n{content.strip()}"
        size = len(part.encode())
        if content.strip() and size <= self._room:
            self._room -= size
            self._parts.append(part)

    def _inside(self, path: Path) -> Path | None:
        """The real path, where it lies in the repository and not in what git keeps there."""
        with suppress(OSError, RuntimeError, ValueError):
            if not os.path.lexists(path):
                return None  # as most are; to resolve them would cost ten times as much
            real = path.resolve(strict=True)
            if real.is_relative_to(self._root) and ".git" not in real.relative_to(self._root).parts:
                return real
        return None


def imports(content: str) -> tuple[str, ...]:
    """The relative paths that a text imports: `@path` at the start of a word, outside of code."""
    found: list[str] = []
    fenced = False
    for line in content.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            found += _IMPORT.findall(_CODE_SPAN.sub(" ", line))
    paths = (path.replace("\\ ", " ") for path in found)
    return tuple(
        dict.fromkeys(path for path in paths if not path.startswith(("/", "~")) and "\0" not in path)
    )


def _read_regular(path: Path) -> str | None:
    """The text of a regular file within the limit; a pipe or a device is not even opened for reading."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            seen = os.fstat(file.fileno())
            if stat.S_ISREG(seen.st_mode) and seen.st_size <= TEXT_LIMIT:
                return file.read(TEXT_LIMIT).decode("utf-8", "replace").removeprefix("\ufeff")
    return None
