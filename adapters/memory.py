"""How much memory is left for more processes: of the machine, or of the cgroups that bound this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from claude_pool.domain.room import Memory

_KEPT_S = 1.0


class MemoryWatch:
    """Looks at most once a second, however often it is asked."""

    def __init__(
        self,
        reserve_mb: int,
        root: Path = Path("/"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reserve_mb` 0: whatever is left may be used. `root` is where `proc` and `sys` lie."""
        self._reserve_mb, self._root, self._clock = reserve_mb, root, clock
        self._seen: tuple[float, Memory | None] | None = None

    def look(self) -> Memory | None:
        """What is left, as of the last second; None: there is no reserve, or this system does not tell."""
        now = self._clock()
        if self._seen is None or now - self._seen[0] >= _KEPT_S:
            self._seen = (now, self._look())
        return self._seen[1]

    def _look(self) -> Memory | None:
        left = available_mb(self._root) if self._reserve_mb else None
        return None if left is None else Memory(left, self._reserve_mb)


def available_mb(root: Path = Path("/")) -> int | None:
    """How many MB more may be taken without swapping; None: this system does not tell."""
    left = [*_of_machine(root / "proc/meminfo"), *_of_groups(root)]
    return min(left, default=None)


def _of_machine(meminfo: Path) -> Iterator[int]:
    for line in _read(meminfo).splitlines():
        name, _, amount = line.partition(":")
        figure = amount.removesuffix("kB").strip()
        if name == "MemAvailable" and figure.isdecimal():
            yield int(figure) >> 10


def _of_groups(root: Path) -> Iterator[int]:
    """What each cgroup (version 2) around this process leaves, where it has a limit."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        if line.startswith("0::/"):
            group = PurePosixPath(line.removeprefix("0::/"))
            for each in (group, *group.parents):
                yield from _of_group(root / "sys/fs/cgroup" / each)


def _of_group(group: Path) -> Iterator[int]:
    limit, current = (_read(group / name).strip() for name in ("memory.max", "memory.current"))
    if limit.isdecimal() and current.isdecimal():
        freed = sum(int(figure) for figure in _cached(group / "memory.stat"))
        yield max(int(limit) - int(current) + freed, 0) >> 20


def _cached(stat: Path) -> Iterator[str]:
    """The bytes of files that the group has in memory and gives up first: they only count as taken."""
    for line in _read(stat).splitlines():
        name, _, figure = line.partition(" ")
        if name == "inactive_file" and figure.isdecimal():
            yield figure


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError):
        return ""
