"""The facts of a slot's own work tree, in the slot's stream. Names and versions never change once written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .isolation import Workplace
from .values import Text


@dataclass(frozen=True)
class WorkplaceWanted:
    """A work tree of the slot's own is being made, or looked for."""

    NAME: ClassVar[str] = "slot.workplace_wanted"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class WorkplaceMade:
    """The slot has a work tree of its own, and works there."""

    NAME: ClassVar[str] = "slot.workplace_made"
    VERSION: ClassVar[int] = 1
    workplace: Workplace


@dataclass(frozen=True)
class WorkplaceFailed:
    """The work tree cannot be made; nothing of it is left."""

    NAME: ClassVar[str] = "slot.workplace_failed"
    VERSION: ClassVar[int] = 1
    code: str
    problem: str


@dataclass(frozen=True)
class WorkKeepStarted:
    """What is not committed in the work tree is being committed. `remove`: its directory goes then."""

    NAME: ClassVar[str] = "slot.work_keep_started"
    VERSION: ClassVar[int] = 1
    remove: bool = False


@dataclass(frozen=True)
class WorkKept:
    """All work of the work tree is in commits: `branch` is at `head`. `diff` is what changed since `base`."""

    NAME: ClassVar[str] = "slot.work_kept"
    VERSION: ClassVar[int] = 1
    branch: str
    base: str
    head: str
    files_changed: int
    diff: Text
    removed: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkNotKept:
    """Something in the work tree cannot be committed, for the `problem` told; it lies where it was."""

    NAME: ClassVar[str] = "slot.work_not_kept"
    VERSION: ClassVar[int] = 1
    problem: str


WorkplaceEvent = WorkplaceWanted | WorkplaceMade | WorkplaceFailed | WorkKeepStarted | WorkKept | WorkNotKept

EVENTS: tuple[type[WorkplaceEvent], ...] = (
    WorkplaceWanted, WorkplaceMade, WorkplaceFailed, WorkKeepStarted, WorkKept, WorkNotKept,
)  # fmt: skip
