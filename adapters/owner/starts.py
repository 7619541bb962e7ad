"""How the last starts of an owner went: a small file beside the log, which may be what breaks them.

After `BAD_STARTS` starts within `WITHIN_MS` that failed, or died before they had lived for
`LIVED_SECONDS`, the next owner starts in safe mode.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from ..places import Places
from ..system import wall_ms

BAD_STARTS = 3
WITHIN_MS = 60_000
LIVED_SECONDS = 10.0

DIED = f"it ended without a word before it was {LIVED_SECONDS:g} s old"


class BadStart(NamedTuple):
    """A start that came to nothing: when (ms, wall clock), in which process, and why."""

    at: int
    pid: int
    problem: str


class Starts:
    """The record of starts. Whoever holds the pool's lock may use it.

    It never fails: an owner that cannot keep its record starts all the same.
    """

    def __init__(
        self, places: Places, clean: Callable[[str], str] = str, now: Callable[[], int] = wall_ms
    ) -> None:
        """Touches nothing yet. `clean` takes out of a problem what must not be written down."""
        self._clean = clean
        self.has_failed = False
        self._path = os.path.join(places.state_dir, "owner.starts")
        self._now = now

    def bad(self) -> tuple[BadStart, ...]:
        """The starts of late that came to nothing, the oldest first."""
        now = self._now()
        return tuple(each for each in self._read() if now - WITHIN_MS <= each.at <= now)

    def begin(self) -> None:
        """This process starts; unless it says otherwise, that came to nothing."""
        self._write((*self.bad(), BadStart(self._now(), os.getpid(), DIED)))

    def failed(self, problem: str) -> None:
        """This start failed."""
        self.has_failed = True
        problem = self._clean(problem)
        told = [each._replace(problem=problem) if each.pid == os.getpid() else each for each in self.bad()]
        self._write(tuple(told))

    def went_well(self) -> None:
        """This start is no bad one, and those before it are over and done with."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _read(self) -> list[BadStart]:
        try:
            with open(self._path, encoding="utf-8") as file:
                rows = cast("list[Any]", json.loads(file.read(1 << 16)))
            return [BadStart(int(at), int(pid), str(problem)) for at, pid, problem in rows]
        except (OSError, ValueError, TypeError, RecursionError):
            return []

    def _write(self, starts: tuple[BadStart, ...]) -> None:
        draft = f"{self._path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(file, "w", encoding="utf-8") as writer:
                writer.write(json.dumps(starts[-10:]))
            os.replace(draft, self._path)


def why_safe(bad: tuple[BadStart, ...]) -> str:
    """The reasons of bad starts, each once, for a person."""
    return "; ".join(dict.fromkeys(each.problem[:300] for each in bad))
