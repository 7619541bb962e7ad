"""Where a slot works: in the pool's directory, or in a work tree of its own that comes and goes with it.

A work tree is looked for each time the slot comes into service, and made where there is none. When the
slot leaves service, its work is committed; the directory goes only with a slot that retires.
Pure functions of a value that the slot's aggregate holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from .copies import replace
from .isolation import Workplace
from .values import Options
from .workplace_events import (
    WorkKeepStarted,
    WorkKept,
    WorkNotKept,
    WorkplaceEvent,
    WorkplaceFailed,
    WorkplaceMade,
    WorkplaceWanted,
)


class Stage(StrEnum):
    """How far the slot's work tree is, since the slot came into service."""

    UNKNOWN = "unknown"
    WANTED = "wanted"
    MADE = "made"
    KEEPING = "keeping"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Housing:
    """The slot's work tree (None: it has none), its stage, and what was last kept of it.

    `problem` tells why its work could not be kept; it lies in the work tree then.
    """

    workplace: Workplace | None = None
    stage: Stage = Stage.UNKNOWN
    kept: WorkKept | None = None
    problem: str | None = None

    def to_keep(self, give_up: bool) -> bool:
        """Whether the work is to be kept now, of a slot at rest; with `give_up`, its directory is to go."""
        if self.workplace is None or self.stage is Stage.KEEPING:
            return False
        return self.unkept or (give_up and self.problem is None)

    @property
    def unkept(self) -> bool:
        """Whether work may lie there that nobody has tried to commit since the slot came into service."""
        return self.workplace is not None and self.stage is not Stage.KEPT


NOWHERE = Housing()


@dataclass(frozen=True, slots=True)
class WantWorkplace:
    """Make a work tree for a slot without a process, or find the one it had."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class RecordWorkplaceMade:
    """The slot's work tree is there."""

    slot_id: str
    workplace: Workplace


@dataclass(frozen=True, slots=True)
class RecordWorkplaceFailed:
    """The slot's work tree cannot be made."""

    slot_id: str
    code: str
    problem: str
    now: int


@dataclass(frozen=True, slots=True)
class KeepWork:
    """Commit what lies in the work tree of a slot without a process; with `remove`, give it up then."""

    slot_id: str
    remove: bool


@dataclass(frozen=True, slots=True)
class RecordWorkKept:
    """The work is in commits."""

    slot_id: str
    kept: WorkKept


@dataclass(frozen=True, slots=True)
class RecordWorkNotKept:
    """The work could not be committed, or not all of it."""

    slot_id: str
    problem: str


HousingCommand = (
    WantWorkplace
    | RecordWorkplaceMade
    | RecordWorkplaceFailed
    | KeepWork
    | RecordWorkKept
    | RecordWorkNotKept
)


def decide(command: HousingCommand, at: Housing) -> tuple[WorkplaceEvent, ...]:
    """The facts that `command` brings about for a slot that is in a state for it.

    What was asked for before the slot came into service anew is late, and brings about nothing.
    """
    match command:
        case WantWorkplace():
            return (WorkplaceWanted(),)
        case RecordWorkplaceMade(_, workplace):
            return (WorkplaceMade(workplace),) if at.stage is Stage.WANTED else ()
        case RecordWorkplaceFailed(_, code, problem):
            return (WorkplaceFailed(code, problem),) if at.stage is Stage.WANTED else ()
        case KeepWork(_, remove):
            return (WorkKeepStarted(remove),)
        case RecordWorkKept(_, kept):
            return (kept,) if at.stage is Stage.KEEPING else ()
        case RecordWorkNotKept(_, problem):
            return (WorkNotKept(problem),) if at.stage is Stage.KEEPING else ()
        case _:
            assert_never(command)


def evolve(at: Housing, event: WorkplaceEvent) -> Housing:
    """The housing after `event`. Never raises."""
    match event:
        case WorkplaceWanted():
            return replace(at, stage=Stage.WANTED, problem=None)
        case WorkplaceMade(workplace):
            return replace(at, workplace=workplace, stage=Stage.MADE)
        case WorkplaceFailed(_, problem):
            return replace(at, stage=Stage.UNKNOWN, problem=problem)
        case WorkKeepStarted():
            return replace(at, stage=Stage.KEEPING)
        case WorkKept(removed=removed):
            return Housing(None if removed else at.workplace, Stage.KEPT, event)
        case WorkNotKept(problem):
            return replace(at, stage=Stage.KEPT, problem=problem)
        case _:
            assert_never(event)


def revived(at: Housing) -> Housing:
    """The housing of a slot that comes into service again: its work tree has to be looked for.

    Work that is being kept just now is kept first.
    """
    return at if at.stage is Stage.KEEPING else replace(at, stage=Stage.UNKNOWN, problem=None)


def abandoned(at: Housing) -> Housing:
    """The housing of a slot whose owner died: what that one was keeping is still to be kept."""
    return replace(at, stage=Stage.MADE) if at.stage is Stage.KEEPING else at


def given_up(at: Housing) -> Housing:
    """The housing of a slot that works in the pool's directory from now on."""
    return replace(at, workplace=None)


def directed(options: Options, before: Housing, after: Housing) -> Options:
    """The slot's options when its housing changes: they follow it, unless they name another place."""
    old = None if before.workplace is None else before.workplace.directory
    new = None if after.workplace is None else after.workplace.directory
    return options if options.working_dir != old else replace(options, working_dir=new)
