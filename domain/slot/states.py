"""What a slot can be, and what is known of it in each state."""

from __future__ import annotations

from dataclasses import dataclass

from .. import housing, inbox
from ..supervision import WELL, Health
from ..values import Options

OWNER_LOST = "owner_lost"
"""The reason of a slot that has no process because its owner died."""


@dataclass(frozen=True)
class Card:
    """What stays with a slot whatever its process does.

    `conversation` is the session of the last attempt that ran here; `restarts` counts the processes that
    ended by themselves or did not come up; `draining` says that the slot ends with its present attempt.
    """

    slot_id: str
    name: str | None = None
    role: str | None = None
    description: str | None = None
    options: Options = Options()
    launches: int = 0
    restarts: int = 0
    health: Health = WELL
    tasks_completed: int = 0
    cost: int = 0
    conversation: str | None = None
    draining: bool = False
    inbox: inbox.Inbox = inbox.EMPTY
    housing: housing.Housing = housing.NOWHERE

    @property
    def identity(self) -> tuple[str | None, str | None, str | None]:
        """Name, role and description: what a process is told of its slot when it starts."""
        return (self.name, self.role, self.description)


@dataclass(frozen=True, slots=True)
class Process:
    """A warm process: its launch number and key, the conversation it holds, and its use so far.

    `spare` is an empty conversation that is ready for a `fresh` task; while it is set the process
    holds no other.
    """

    launch: int
    key: str
    holds: str
    spare: str | None
    turns: int = 0
    rss_mb: int = 0


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such slot. `AddSlot` ends it."""


@dataclass(frozen=True, slots=True)
class Cold:
    """In service without a process. The launch policy or a claim ends it, which waits while the slot rests;
    a crash leaves it as it is."""

    card: Card


@dataclass(frozen=True, slots=True)
class Preparing:
    """Without a process, while its work tree is made or given up. That ends it; recovery makes it stopped."""

    card: Card


@dataclass(frozen=True, slots=True)
class Starting:
    """A process is being started. Its answer or failure ends it, or its bound (see `stuck`); after a crash
    recovery makes it stopped. `since` (ms; 0: unknown), here and below, is when the waiting began."""

    card: Card
    launch: int
    key: str
    session: str
    since: int = 0


@dataclass(frozen=True, slots=True)
class Idle:
    """A warm process waits for work. A claim, a clear, a stop or its own death ends it."""

    card: Card
    process: Process


@dataclass(frozen=True, slots=True)
class Clearing:
    """The warm process is being given an empty conversation. Its answer within 2 s ends it, or its bound."""

    card: Card
    process: Process
    since: int = 0


@dataclass(frozen=True, slots=True)
class Busy:
    """An attempt runs here. Its recorded end releases the slot, or its bound; a crash seals the attempt.

    `process` is None until the process that the claim asked for (`replaces`) answers.
    """

    card: Card
    attempt: str
    session: str
    launch: int
    key: str
    process: Process | None
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Stopping:
    """The process is being ended, for `reason` (recycle, retire, drain, shutdown). Its end ends it, or its
    bound."""

    card: Card
    launch: int
    reason: str
    since: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """Its processes died too often, or cannot start. A trial from `until` (ms; None: any time) on ends it, or
    a person's `resume`; a restart keeps it."""

    card: Card
    code: str
    problem: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """Out of service with its owner. The next owner revives it in number order; `retired` ones never."""

    card: Card
    retired: bool = False


Slot = Absent | Cold | Preparing | Starting | Idle | Clearing | Busy | Stopping | Failed | Stopped


Present = Cold | Preparing | Starting | Idle | Clearing | Busy | Stopping | Failed | Stopped


ABSENT = Absent()
