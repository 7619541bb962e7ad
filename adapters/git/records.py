"""The notes by which a workplace is found again: one small file each, written before anything is made."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace

from claude_pool.domain.isolation import Workplace


@dataclass(frozen=True, slots=True)
class Record:
    """A workplace, its own git folder, and whether it was `made`: before that, nobody has worked there."""

    workplace: Workplace
    git_dir: str
    made: bool

    def finished(self, git_dir: str) -> Record:
        """The record of what was made."""
        return replace(self, git_dir=git_dir, made=True)


class Records:
    """The records in one folder, `<name>.json`."""

    def __init__(self, folder: str) -> None:
        """Nothing is made before the first `write`."""
        self._folder = folder

    def read(self, name: str) -> Record | None:
        """The record of `name`, or None; also where the file is not one of ours."""
        try:
            with open(self._path(name), encoding="utf-8") as file:
                said = json.load(file)
            workplace = said["workplace"]
            notes = tuple(workplace.pop("notes"))
            return Record(Workplace(**workplace, notes=notes), said["git_dir"], said["made"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, record: Record) -> None:
        """Write or replace a record, durably."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        path = self._path(record.workplace.name)
        said = {"workplace": asdict(record.workplace), "git_dir": record.git_dir, "made": record.made}
        with open(f"{path}.part", "w", encoding="utf-8", opener=_private) as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.part", path)

    def forget(self, name: str) -> None:
        """Delete the record of `name`."""
        if os.path.lexists(self._path(name)):
            os.unlink(self._path(name))

    def names(self) -> tuple[str, ...]:
        """The names of all records, sorted."""
        if not os.path.isdir(self._folder):
            return ()
        return tuple(sorted(n.removesuffix(".json") for n in os.listdir(self._folder) if n.endswith(".json")))

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, f"{name}.json")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
