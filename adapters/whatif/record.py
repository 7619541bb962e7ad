"""What a log says of the world around the core: what callers asked for and when, how long everything took
that was begun outside, what it cost and how it ended. See `reading` for how a log is read into this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from claude_pool.domain.chain_events import WorkKept, WorkplaceMade, WorkplaceRefused
from claude_pool.domain.coordination import Command
from claude_pool.domain.pool import StartOwner
from claude_pool.domain.records import Actor, Fact
from claude_pool.domain.room import Disk, Memory
from claude_pool.domain.slot_events import LaunchFailed, ProcessEnded
from claude_pool.domain.task_events import QuestionAsked
from claude_pool.domain.values import Limit, Outcome, TaskSpec
from claude_pool.domain.workplace_events import WorkKept as SlotWorkKept
from claude_pool.domain.workplace_events import WorkNotKept
from claude_pool.domain.workplace_events import WorkplaceFailed as SlotWorkplaceFailed
from claude_pool.domain.workplace_events import WorkplaceMade as SlotWorkplaceMade


class Append(NamedTuple):
    """What one append of a log brought: when (ms), who caused it, and its facts."""

    at: int
    actor: Actor
    facts: tuple[Fact, ...]


class Call(NamedTuple):
    """What somebody asked for, at a time (ms). With `waits` (a task's id, or a scope of money) it answers
    something, and is said once that is asked."""

    at: int
    command: Command
    waits: str | None = None


class Life(NamedTuple):
    """One owner: when it began, and with what."""

    at: int
    start: StartOwner


class Stop(NamedTuple):
    """An owner was told to end; `idle`: when nothing was left to do."""

    at: int
    now: bool
    idle: bool


class Room(NamedTuple):
    """From here on the disk or the memory has so much room; None: enough."""

    at: int
    disk: Disk | None
    memory: Memory | None


class Launched(NamedTuple):
    """The start of a process: how long it took (None: it never came to an end) and how it failed, if so."""

    ms: int | None
    failed: LaunchFailed | None = None


class Ceased(NamedTuple):
    """How a conversation, or a process, came to its end: how long that took (None: it never did), how the
    process ended, if it did, and which conversation it held then."""

    ms: int | None
    ended: ProcessEnded | None = None
    session: str = ""


class Waited(NamedTuple):
    """A question of an attempt: when in it, what, for how long, and how long anybody may have waited."""

    offset: int
    question: QuestionAsked
    ms: int


@dataclass(slots=True)
class Attempted:
    """An attempt of the record. Durations are ms, money is microdollars.

    `ms` is all of it, of which `launch_ms` went to its process, where that came (None: it had one).
    `asked` is when and for what it was first asked to end. `funds` says how much it had from when on, empty
    where nothing was limited; `calls` are moments at which its cost is known. `limit` is what the provider
    would not serve it for. `cut`: the owner's end cut it off; `resumes`: it went on after such an end;
    `hung`: it never answered.
    """

    number: int
    slot_id: str
    started_at: int
    model: str | None
    resumes: bool = False
    replaces: bool = False
    launch_ms: int | None = None
    ms: int = 0
    outcome: Outcome | None = None
    alive: bool = True
    rss_mb: int = 0
    lost_session: bool = False
    asked: tuple[int, str] | None = None
    cap: int | None = None
    ahead: int = 0
    funds: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    calls: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    questions: list[Waited] = field(default_factory=list[Waited])
    limit: Limit | None = None
    cut: bool = False
    hung: bool = False

    @property
    def natural(self) -> bool:
        """Whether it came to its own end, so that it tells what the task takes."""
        return self.outcome is not None and not (self.cut or self.hung or self.asked or self.limit)


class Window(NamedTuple):
    """The provider served nobody from `since` to `until` (ms; None: as long as the record lasts)."""

    since: int
    until: int | None
    limit: Limit
    outcome: Outcome

    def holds(self, at: int) -> bool:
        """Whether `at` (ms) lies in it."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(slots=True)
class Record:
    """Everything that a log says about the world around the core."""

    lives: list[Life] = field(default_factory=list[Life])
    stops: list[Stop] = field(default_factory=list[Stop])
    crashes: list[int] = field(default_factory=list[int])
    calls: list[Call] = field(default_factory=list[Call])
    rooms: list[Room] = field(default_factory=list[Room])
    exits: list[tuple[int, str, ProcessEnded]] = field(default_factory=list[tuple[int, str, ProcessEnded]])
    specs: dict[str, TaskSpec] = field(default_factory=dict[str, TaskSpec])
    attempts: dict[str, list[Attempted]] = field(default_factory=dict[str, list[Attempted]])
    windows: list[Window] = field(default_factory=list[Window])
    launches: dict[str, dict[int, Launched]] = field(default_factory=dict[str, dict[int, Launched]])
    clears: dict[str, list[Ceased]] = field(default_factory=dict[str, list[Ceased]])
    stopped: dict[str, list[Ceased]] = field(default_factory=dict[str, list[Ceased]])
    housed: dict[str, list[tuple[int, SlotWorkplaceMade | SlotWorkplaceFailed]]] = field(
        default_factory=dict[str, list[tuple[int, SlotWorkplaceMade | SlotWorkplaceFailed]]]
    )
    kept: dict[str, list[tuple[int, SlotWorkKept | WorkNotKept]]] = field(
        default_factory=dict[str, list[tuple[int, SlotWorkKept | WorkNotKept]]]
    )
    copies: dict[str, tuple[int, WorkplaceMade | WorkplaceRefused]] = field(
        default_factory=dict[str, tuple[int, WorkplaceMade | WorkplaceRefused]]
    )
    closings: dict[str, tuple[int, WorkKept]] = field(default_factory=dict[str, tuple[int, WorkKept]])
    live: int = 0
    end: int = 0
