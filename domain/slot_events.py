"""The facts of a Slot's stream (`slot-0`, `slot-1`, …). Names and versions never change once written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .message_events import EVENTS as MESSAGE_EVENTS
from .message_events import MessageEvent
from .values import Options
from .workplace_events import EVENTS as WORKPLACE_EVENTS
from .workplace_events import WorkplaceEvent


@dataclass(frozen=True)
class SlotAdded:
    """A slot came into service for the first time."""

    NAME: ClassVar[str] = "slot.added"
    VERSION: ClassVar[int] = 1
    slot_id: str


@dataclass(frozen=True)
class SlotRevived:
    """A stopped or failed slot came back into service."""

    NAME: ClassVar[str] = "slot.revived"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class SlotConfigured:
    """The slot's name, role, description and options are now these."""

    NAME: ClassVar[str] = "slot.configured"
    VERSION: ClassVar[int] = 1
    name: str | None = None
    role: str | None = None
    description: str | None = None
    options: Options = Options()


@dataclass(frozen=True)
class LaunchStarted:
    """Process number `launch` is being started with the launch `key` and conversation `session`."""

    NAME: ClassVar[str] = "slot.launch_started"
    VERSION: ClassVar[int] = 1
    launch: int
    key: str
    session: str
    at: int = 0


@dataclass(frozen=True)
class LaunchSucceeded:
    """The process answers; its conversation is ready for a task."""

    NAME: ClassVar[str] = "slot.launched"
    VERSION: ClassVar[int] = 1
    launch: int
    pid: int
    cli_version: str


@dataclass(frozen=True)
class ProcessReplaced:
    """The process that a claim asked for answers, and the claim's attempt runs in it."""

    NAME: ClassVar[str] = "slot.process_replaced"
    VERSION: ClassVar[int] = 1
    launch: int
    pid: int
    cli_version: str


@dataclass(frozen=True)
class LaunchFailed:
    """The process could not be started; nothing of it is left."""

    NAME: ClassVar[str] = "slot.launch_failed"
    VERSION: ClassVar[int] = 1
    launch: int
    code: str
    problem: str
    at: int


@dataclass(frozen=True)
class SlotClaimed:
    """An attempt has the slot. `replaces`: process number `launch` is started for it first."""

    NAME: ClassVar[str] = "slot.claimed"
    VERSION: ClassVar[int] = 1
    attempt: str
    session: str
    launch: int
    key: str
    replaces: bool = False


@dataclass(frozen=True)
class SlotReleased:
    """The attempt ended; the process, if any, holds its conversation (empty: that was not found)."""

    NAME: ClassVar[str] = "slot.released"
    VERSION: ClassVar[int] = 1
    attempt: str
    succeeded: bool
    cost: int
    rss_mb: int
    session: str


@dataclass(frozen=True)
class ClearStarted:
    """An empty conversation is being prepared in the idle process."""

    NAME: ClassVar[str] = "slot.clear_started"
    VERSION: ClassVar[int] = 1
    at: int = 0


@dataclass(frozen=True)
class SessionPrepared:
    """The process holds a new, empty conversation."""

    NAME: ClassVar[str] = "slot.session_prepared"
    VERSION: ClassVar[int] = 1
    session: str


@dataclass(frozen=True)
class StopStarted:
    """The process is being ended, for `reason`."""

    NAME: ClassVar[str] = "slot.stop_started"
    VERSION: ClassVar[int] = 1
    reason: str
    at: int = 0


@dataclass(frozen=True)
class ProcessEnded:
    """The process is gone and its tree verified empty; `killed` others had to be ended with it."""

    NAME: ClassVar[str] = "slot.process_ended"
    VERSION: ClassVar[int] = 1
    launch: int
    expected: bool
    exit_code: int | None
    killed: int
    problem: str
    at: int


@dataclass(frozen=True)
class EffectAbandoned:
    """What the slot was at (`launch`, `clear`, `stop` or `attempt`) did not answer within its bound.

    All that is left of process number `launch` is killed; the facts after this one say what it means.
    """

    NAME: ClassVar[str] = "slot.effect_abandoned"
    VERSION: ClassVar[int] = 1
    launch: int
    effect: str
    at: int


@dataclass(frozen=True)
class SlotQuarantined:
    """The slot takes no work: its processes died too often, or it has nowhere to work.

    From `until` (ms) on it may be tried again; None, in logs of before there were trials: at once.
    """

    NAME: ClassVar[str] = "slot.quarantined"
    VERSION: ClassVar[int] = 1
    code: str
    problem: str
    until: int | None = None


@dataclass(frozen=True)
class SlotTried:
    """The slot gets a trial: one launch and one attempt, and one failure puts it out of service again."""

    NAME: ClassVar[str] = "slot.tried"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class SlotMended:
    """A process of the slot came through an attempt; the failures of before are over."""

    NAME: ClassVar[str] = "slot.mended"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class SlotDrainStarted:
    """The slot leaves service when it is free."""

    NAME: ClassVar[str] = "slot.drain_started"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class SlotRetired:
    """The slot left service for good; its number is never used again."""

    NAME: ClassVar[str] = "slot.retired"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class SlotStopped:
    """The slot has no process because its owner ended or the pool drained."""

    NAME: ClassVar[str] = "slot.stopped"
    VERSION: ClassVar[int] = 1
    reason: str


SlotEvent = (
    SlotAdded | SlotRevived | SlotConfigured | LaunchStarted | LaunchSucceeded | ProcessReplaced
    | LaunchFailed | SlotClaimed | SlotReleased | ClearStarted | SessionPrepared | StopStarted | ProcessEnded
    | EffectAbandoned | SlotQuarantined | SlotTried | SlotMended | SlotDrainStarted | SlotRetired
    | SlotStopped | MessageEvent | WorkplaceEvent
)  # fmt: skip

EVENTS: tuple[type[SlotEvent], ...] = (
    SlotAdded, SlotRevived, SlotConfigured, LaunchStarted, LaunchSucceeded, ProcessReplaced, LaunchFailed,
    SlotClaimed, SlotReleased, ClearStarted, SessionPrepared, StopStarted, ProcessEnded,
    EffectAbandoned, SlotQuarantined, SlotTried, SlotMended, SlotDrainStarted, SlotRetired, SlotStopped,
    *MESSAGE_EVENTS, *WORKPLACE_EVENTS,
)  # fmt: skip
