"""What a slot can be told, and what adapters report of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..housing import HousingCommand
from ..values import Options


@dataclass(frozen=True, slots=True)
class AddSlot:
    """Bring a new slot into service."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class ReviveSlot:
    """Take a stopped or failed slot back into service."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class TrySlot:
    """Give a failed slot its trial."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class ConfigureSlot:
    """Change who a slot is. None leaves a field as it is; so does an option that is not set."""

    slot_id: str
    name: str | None = None
    role: str | None = None
    description: str | None = None
    options: Options | None = None


@dataclass(frozen=True, slots=True)
class StartLaunch:
    """Start a process for a cold slot, with the launch `key` and an empty conversation `session`."""

    slot_id: str
    key: str
    session: str
    now: int = 0


@dataclass(frozen=True, slots=True)
class RecordLaunched:
    """The process of launch number `launch` answers."""

    slot_id: str
    launch: int
    pid: int
    cli_version: str


@dataclass(frozen=True, slots=True)
class RecordLaunchFailed:
    """Launch number `launch` came to nothing; its tree is swept."""

    slot_id: str
    launch: int
    code: str
    problem: str
    now: int


@dataclass(frozen=True, slots=True)
class ClaimSlot:
    """Give the slot to an attempt. `replaces` asks for a new process with `key` first."""

    slot_id: str
    attempt: str
    session: str
    key: str
    replaces: bool


@dataclass(frozen=True, slots=True)
class ReleaseSlot:
    """The attempt ended. `alive`: its process is still there. `faulty`: its end was not our doing.

    `session` is the conversation that it ran in (None: the one it was to run in; empty: that does not exist).
    `unserved`: no model was shown its prompt.
    """

    slot_id: str
    attempt: str
    alive: bool
    faulty: bool
    succeeded: bool
    cost: int
    rss_mb: int
    problem: str
    now: int
    session: str | None = None
    unserved: bool = False


@dataclass(frozen=True, slots=True)
class StartClear:
    """Prepare an empty conversation in an idle process."""

    slot_id: str
    now: int = 0


@dataclass(frozen=True, slots=True)
class RecordCleared:
    """The process holds the new, empty conversation `session`."""

    slot_id: str
    session: str


@dataclass(frozen=True, slots=True)
class StartStop:
    """End the slot's process, for `reason`: recycle, drain, retire or shutdown."""

    slot_id: str
    reason: str
    now: int = 0


@dataclass(frozen=True, slots=True)
class RecordProcessEnded:
    """The slot's process is gone and its tree empty. `expected`: we asked for it."""

    slot_id: str
    expected: bool
    exit_code: int | None
    killed: int
    problem: str
    now: int


@dataclass(frozen=True, slots=True)
class AbandonEffect:
    """Give up waiting for a start, a clear or a stop: all that is left of the process is killed."""

    slot_id: str
    now: int


@dataclass(frozen=True, slots=True)
class DrainSlot:
    """Take the slot out of service once it is free."""

    slot_id: str
    now: int = 0


@dataclass(frozen=True, slots=True)
class StopSlot:
    """Note that the slot has no process any more because its owner is gone."""

    slot_id: str
    reason: str


SlotCommand = (
    AddSlot | ReviveSlot | TrySlot | ConfigureSlot | StartLaunch | RecordLaunched | RecordLaunchFailed
    | ClaimSlot | ReleaseSlot | StartClear | RecordCleared | StartStop | RecordProcessEnded
    | AbandonEffect | DrainSlot | StopSlot | HousingCommand
)  # fmt: skip
