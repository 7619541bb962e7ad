"""What a scenario started, and what it left behind: processes whose environment names its folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tests.support.waiting import until_sync


def processes_of(folder: Path) -> list[tuple[int, str]]:
    """The living processes, except this one, that were started for `folder`: pid and words.

    Every process of a pool inherits a HOME below the scenario's folder, so its environment tells. A
    process that is only waiting to be collected by its parent has no environment any more.
    """
    mark, found = os.fsencode(folder), list[tuple[int, str]]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found.append((int(entry.name), os.fsdecode(words).strip()))
    return found


def left_after(folder: Path, seconds: float) -> list[tuple[int, str]]:
    """What of `processes_of` a folder still lives after `seconds`; nothing, as soon as nothing does."""
    found = list[tuple[int, str]]()

    def gone() -> bool:
        found[:] = processes_of(folder)
        return not found

    with suppress(TimeoutError):
        until_sync(gone, seconds)
    return found
