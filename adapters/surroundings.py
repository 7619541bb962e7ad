"""What a process is told of its directory beside its options: the project's own text, with a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping


class ProjectTexts:
    """The texts of the directories that tasks run in, read anew for every pass of the policies."""

    def __init__(self, read: Callable[[str], str | None], extra: Callable[[], str]) -> None:
        """`read` gives a directory's text; `extra` tells what holds for all of them (account, flags)."""
        self._read = read
        self._extra = extra
        self._texts: dict[str, str | None] = {}

    def text(self, directory: str) -> str | None:
        """The text behind the latest digest of `directory`, read now where there is none."""
        if directory not in self._texts:
            self._remember(directory)
        return self._texts[directory]

    def digests(self) -> Mapping[str, str]:
        """The digests of one pass, which are part of launch keys; each is made when it is first asked for.

        Most passes choose no process, so most read nothing.
        """
        return _Digests(self._digest)

    def _digest(self, directory: str) -> str:
        text = self._remember(directory)
        return hashlib.sha256(f"{self._extra()}\0{text or ''}".encode("utf-8", "replace")).hexdigest()[:16]

    def _remember(self, directory: str) -> str | None:
        self._texts.pop(directory, None)
        if len(self._texts) >= _REMEMBERED:
            del self._texts[next(iter(self._texts))]
        self._texts[directory] = text = self._read(directory)
        return text


class _Digests(Mapping[str, str]):
    """Digests by directory, made on demand and then kept. The empty directory has none."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self._make = make
        self._made: dict[str, str] = {}

    def __getitem__(self, directory: str) -> str:
        if not directory:
            raise KeyError(directory)
        if directory not in self._made:
            self._made[directory] = self._make(directory)
        return self._made[directory]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


_REMEMBERED = 64
"""The texts of so many directories are kept for the launches that a pass decides."""
