"""The Slot aggregate: one place where a task can run, kept warm by one CLI process.

A slot's stream says who it is, which process serves it, which attempt has claimed it and which
conversation is ready. Invariant: a slot carries at most one attempt. See `slot_events` for the facts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from . import housing, inbox, supervision
from .errors import CliMissing, WrongState
from .housing import (
    HousingCommand,
    KeepWork,
    RecordWorkplaceFailed,
    Stage,
    WantWorkplace,
)
from .message_events import MessageAccepted, MessagesDelivered, MessagesRead, MessagesReturned
from .options import overlaid
from .slot_events import (
    ClearStarted,
    EffectAbandoned,
    LaunchFailed,
    LaunchStarted,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
    SlotAdded,
    SlotClaimed,
    SlotConfigured,
    SlotDrainStarted,
    SlotEvent,
    SlotMended,
    SlotQuarantined,
    SlotReleased,
    SlotRetired,
    SlotRevived,
    SlotStopped,
    SlotTried,
    StopStarted,
)
from .supervision import WELL, Health
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

OWNER_LOST = "owner_lost"
"""The reason of a slot that has no process because its owner died."""


@dataclass(frozen=True, slots=True)
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


def decide(command: SlotCommand, state: Slot) -> tuple[SlotEvent, ...]:
    """The facts that `command` brings about in `state`.

    Raises:
        WrongState: the slot cannot do this now.
    """
    match command:
        case AddSlot(slot_id):
            if not isinstance(state, Absent):
                raise _refusal(command.slot_id, state, "it exists already")
            return (SlotAdded(slot_id),)
        case ReviveSlot():
            if isinstance(state, Failed) or (isinstance(state, Stopped) and not state.retired):
                return (SlotRevived(),)
            raise _refusal(command.slot_id, state, "only a stopped or failed slot can be revived")
        case TrySlot():
            if not isinstance(state, Failed) or state.card.draining:
                raise _refusal(command.slot_id, state, "only a failed slot gets a trial")
            return (SlotTried(),)
        case ConfigureSlot():
            return _configure(command, state)
        case StartLaunch(_, key, session, now):
            if not isinstance(state, Cold):
                raise _refusal(command.slot_id, state, "only a slot without a process can be launched")
            return (LaunchStarted(state.card.launches + 1, key, session, now),)
        case RecordLaunched():
            return _launched(command, state)
        case RecordLaunchFailed():
            return _launch_failed(command, state)
        case ClaimSlot():
            return _claim(command, state)
        case ReleaseSlot():
            return _release(command, state)
        case StartClear():
            if not isinstance(state, Idle) or state.process.spare is not None:
                raise _refusal(
                    command.slot_id, state, "only an idle process with a used conversation is cleared"
                )
            return (ClearStarted(command.now),)
        case RecordCleared(_, session):
            return (SessionPrepared(session),) if isinstance(state, Clearing) else ()
        case StartStop(_, reason):
            return _stop(command, state, reason)
        case AbandonEffect():
            return _abandon(command, state)
        case RecordProcessEnded():
            return _process_ended(command, state)
        case DrainSlot():
            return _drain(command, state)
        case StopSlot(_, reason):
            if isinstance(state, Absent):
                return ()
            keeping = state.card.housing.stage is Stage.KEEPING
            if isinstance(state, (Stopped, Failed)) and not (keeping and reason == OWNER_LOST):
                return ()
            return (SlotStopped(reason),)
        case _:
            return _house(command, state)


def _refusal(slot_id: str, state: Slot, problem: str) -> WrongState:
    return WrongState(subject=slot_id, state=type(state).__name__.lower(), problem=problem)


def _configure(command: ConfigureSlot, state: Slot) -> tuple[SlotEvent, ...]:
    if isinstance(state, Absent) or (isinstance(state, Stopped) and state.retired):
        raise _refusal(command.slot_id, state, "there is nothing to configure")
    card = state.card
    changed = SlotConfigured(
        card.name if command.name is None else command.name,
        card.role if command.role is None else command.role,
        card.description if command.description is None else command.description,
        card.options if command.options is None else overlaid(card.options, command.options),
    )
    same = SlotConfigured(card.name, card.role, card.description, card.options)
    return () if changed == same else (changed,)


def _launched(command: RecordLaunched, state: Slot) -> tuple[SlotEvent, ...]:
    if isinstance(state, Starting) and state.launch == command.launch:
        return (LaunchSucceeded(command.launch, command.pid, command.cli_version),)
    if isinstance(state, Busy) and state.launch == command.launch and state.process is None:
        return (ProcessReplaced(command.launch, command.pid, command.cli_version),)
    return ()


def _launch_failed(command: RecordLaunchFailed, state: Slot) -> tuple[SlotEvent, ...]:
    if not isinstance(state, Starting) or state.launch != command.launch:
        return ()
    failed = LaunchFailed(command.launch, command.code, command.problem, command.now)
    return (failed, *_quarantine(state.card, command.code, command.problem, command.now))


def _claim(command: ClaimSlot, state: Slot) -> tuple[SlotEvent, ...]:
    if not isinstance(state, (Idle, Cold)) or state.card.draining:
        raise _refusal(command.slot_id, state, "only an idle slot can be claimed")
    if isinstance(state, Cold) and not command.replaces:
        raise _refusal(command.slot_id, state, "a slot without a process needs a new one")
    launch = state.card.launches + 1 if command.replaces or isinstance(state, Cold) else state.process.launch
    claimed = SlotClaimed(command.attempt, command.session, launch, command.key, command.replaces)
    return (claimed, *inbox.deliver(state.card.inbox, command.attempt))


def _release(command: ReleaseSlot, state: Slot) -> tuple[SlotEvent, ...]:
    if not isinstance(state, Busy) or state.attempt != command.attempt:
        raise _refusal(command.slot_id, state, f"it does not run {command.attempt}")
    session = state.session if command.session is None else command.session
    released = SlotReleased(command.attempt, command.succeeded, command.cost, command.rss_mb, session)
    ended: tuple[SlotEvent, ...] = ()
    if not command.alive:
        ended = (
            ProcessEnded(state.launch, not command.faulty, None, 0, command.problem, command.now),
            *(_quarantine(state.card, "slot_failed", command.problem, command.now) if command.faulty else ()),
        )
    elif state.card.health.ailing:
        ended = (SlotMended(),)
    retired: tuple[SlotEvent, ...] = (SlotRetired(),) if state.card.draining and not command.alive else ()
    returned = inbox.give_back(state.card.inbox, command.attempt) if command.unserved else ()
    return (*returned, released, *ended, *retired)


def _house(command: HousingCommand, state: Slot) -> tuple[SlotEvent, ...]:
    if isinstance(state, Absent):
        raise _refusal(command.slot_id, state, "it has no work tree")
    at = state.card.housing
    if isinstance(command, WantWorkplace) and not isinstance(state, Cold):
        raise _refusal(command.slot_id, state, "only a slot without a process gets a work tree")
    if isinstance(command, KeepWork) and (
        not isinstance(state, (Cold, Failed, Stopped)) or at.workplace is None or at.stage is Stage.KEEPING
    ):
        raise _refusal(command.slot_id, state, "there is no work to keep now")
    events = housing.decide(command, at)
    if isinstance(command, RecordWorkplaceFailed) and events:
        until = command.now + supervision.cool_down(state.card.health.quarantines)
        return (*events, SlotQuarantined(command.code, command.problem, until))
    return events


def _stop(command: StartStop, state: Slot, reason: str) -> tuple[SlotEvent, ...]:
    match state:
        case Idle():
            return (StopStarted(reason, command.now),)
        case Cold() | Failed() if reason == "retire":
            return (SlotRetired(),)
        case Cold():
            return (SlotStopped(reason),)
        case _:
            raise _refusal(command.slot_id, state, "only a free slot can be stopped")


def _process_ended(command: RecordProcessEnded, state: Slot) -> tuple[SlotEvent, ...]:
    match state:
        case Stopping(card, launch, reason):
            ended = ProcessEnded(
                launch, True, command.exit_code, command.killed, command.problem, command.now
            )
            if reason == "retire" or card.draining:
                return (ended, SlotRetired())
            return (ended,) if reason == "recycle" else (ended, SlotStopped(reason))
        case Idle(card, process) | Clearing(card, process):
            ended = ProcessEnded(
                process.launch,
                command.expected,
                command.exit_code,
                command.killed,
                command.problem,
                command.now,
            )
            if command.expected:
                return (ended,)
            return (ended, *_quarantine(card, "slot_failed", command.problem, command.now))
        case _:
            return ()


def _abandon(command: AbandonEffect, state: Slot) -> tuple[SlotEvent, ...]:
    """What it waited for has failed, as if the driver had said so."""
    now = command.now
    match state:
        case Starting(card, launch):
            problem = "Its start did not come to an end and was given up."
            failed = LaunchFailed(launch, "timed_out_start", problem, now)
            given_up = EffectAbandoned(launch, "launch", now)
            return (given_up, failed, *_quarantine(card, "timed_out_start", problem, now))
        case Clearing(card, process):
            problem = "It did not answer when it was cleared, and was killed."
            ended = ProcessEnded(process.launch, False, None, 0, problem, now)
            given_up = EffectAbandoned(process.launch, "clear", now)
            return (given_up, ended, *_quarantine(card, "slot_failed", problem, now))
        case Stopping(card, launch, reason):
            problem = "Its end did not come when it was stopped, and it was killed."
            ended = ProcessEnded(launch, False, None, 0, problem, now)
            given_up = EffectAbandoned(launch, "stop", now)
            return (given_up, ended, *_after_stop(card, reason, problem, now))
        case _:
            raise _refusal(command.slot_id, state, "it waits for no process")


def _after_stop(card: Card, reason: str, problem: str, now: int) -> tuple[SlotEvent, ...]:
    if reason == "retire" or card.draining:
        return (SlotRetired(),)
    return _quarantine(card, "slot_failed", problem, now) if reason == "recycle" else (SlotStopped(reason),)


def _drain(command: DrainSlot, state: Slot) -> tuple[SlotEvent, ...]:
    match state:
        case Busy(card) | Preparing(card) | Starting(card) | Clearing(card) if not card.draining:
            return (SlotDrainStarted(),)
        case Cold() | Failed():
            return (SlotRetired(),)
        case Idle():
            return (StopStarted("retire", command.now),)
        case Stopping(_, _, reason) if reason != "retire":
            return (SlotDrainStarted(),)
        case Stopped(_, retired) if not retired:
            return (SlotRetired(),)
        case _:
            raise _refusal(command.slot_id, state, "it is leaving already")


def _quarantine(card: Card, code: str, problem: str, now: int) -> tuple[SlotEvent, ...]:
    if code != CliMissing.code and not supervision.is_too_much(card.health, now):
        return ()
    return (SlotQuarantined(code, problem, now + supervision.cool_down(card.health.quarantines)),)


def evolve(state: Slot, event: SlotEvent) -> Slot:
    """The state after `event`; a fact that makes no sense in `state` leaves it unchanged. Never raises."""
    if isinstance(state, Absent):
        return Cold(Card(event.slot_id)) if isinstance(event, SlotAdded) else state
    return _evolve_present(state, event)


def _evolve_present(state: Present, event: SlotEvent) -> Slot:
    match event:
        case SlotClaimed():
            return _on_claimed(state, event)
        case SlotReleased():
            return _on_released(state, event)
        case ClearStarted():
            return Clearing(state.card, state.process, event.at) if isinstance(state, Idle) else state
        case SessionPrepared(session):
            if not isinstance(state, Clearing):
                return state
            old = state.process
            process = Process(old.launch, old.key, session, session, old.turns, old.rss_mb)
            return Idle(state.card, process)
        case LaunchStarted(launch, key, session, at):
            card = replace(state.card, launches=launch)
            return Starting(card, launch, key, session, at) if isinstance(state, Cold) else state
        case LaunchSucceeded(launch):
            if not isinstance(state, Starting):
                return state
            return Idle(state.card, Process(launch, state.key, state.session, state.session))
        case ProcessReplaced(launch):
            if not isinstance(state, Busy):
                return state
            return replace(state, process=Process(launch, state.key, state.session, None))
        case LaunchFailed(_, _, _, at):
            return Cold(_failed(state.card, at)) if isinstance(state, Starting) else state
        case ProcessEnded(_, expected, _, _, _, at):
            if not isinstance(state, (Idle, Clearing, Stopping)):
                return state
            return Cold(state.card if expected else _failed(state.card, at))
        case StopStarted(reason, at):
            if not isinstance(state, Idle):
                return state
            return Stopping(state.card, state.process.launch, reason, at)
        case SlotConfigured(name, role, description, options):
            card = replace(state.card, name=name, role=role, description=description, options=options)
            return replace(state, card=card)
        case SlotDrainStarted():
            return replace(state, card=replace(state.card, draining=True))
        case SlotQuarantined(code, problem, until):
            card = replace(state.card, health=supervision.quarantined(state.card.health))
            return Failed(card, code, problem, until) if isinstance(state, Cold) else state
        case SlotTried():
            if not isinstance(state, Failed):
                return state
            return _back(state.card, supervision.tried(state.card.health))
        case SlotMended():
            return replace(state, card=replace(state.card, health=supervision.mended(state.card.health)))
        case SlotRevived():
            if isinstance(state, Failed):
                return _back(state.card, WELL)
            if isinstance(state, Stopped) and not state.retired:
                return _back(state.card, state.card.health)
            return state
        case SlotStopped(reason):
            card = state.card
            if reason == OWNER_LOST:
                card = replace(card, housing=housing.abandoned(card.housing))
            return replace(state, card=card) if isinstance(state, (Failed, Stopped)) else Stopped(card)
        case SlotRetired():
            return Stopped(state.card, retired=True)
        case MessageAccepted() | MessagesDelivered() | MessagesReturned() | MessagesRead():
            return replace(state, card=replace(state.card, inbox=inbox.evolve(state.card.inbox, event)))
        case SlotAdded() | EffectAbandoned():
            return state
        case _:
            return _on_housing(state, event)


def _on_housing(state: Present, event: WorkplaceEvent) -> Slot:
    match event:
        case WorkplaceWanted():
            sensible = isinstance(state, Cold)
        case WorkplaceMade() | WorkplaceFailed():
            sensible = isinstance(state, Preparing)
        case WorkKeepStarted():
            sensible = isinstance(state, (Cold, Failed, Stopped))
        case WorkKept() | WorkNotKept():
            sensible = state.card.housing.stage is Stage.KEEPING
        case _:
            assert_never(event)
    if not sensible:
        return state
    before = state.card.housing
    after = housing.evolve(before, event)
    if isinstance(state, Preparing) and isinstance(event, (WorkKept, WorkNotKept)):
        after = housing.given_up(after)
    options = housing.directed(state.card.options, before, after)
    card = replace(state.card, housing=after, options=options)
    if isinstance(state, Preparing):
        return Cold(card)
    if isinstance(state, Cold) and isinstance(event, (WorkplaceWanted, WorkKeepStarted)):
        return Preparing(card)
    return replace(state, card=card)


def _back(card: Card, health: Health) -> Cold:
    """In service again, with its work tree to be looked for."""
    return Cold(replace(card, health=health, housing=housing.revived(card.housing)))


def _failed(card: Card, at: int) -> Card:
    return replace(card, restarts=card.restarts + 1, health=supervision.after_failure(card.health, at))


def _on_claimed(state: Present, event: SlotClaimed) -> Slot:
    if not isinstance(state, (Idle, Cold)):
        return state
    process = state.process if isinstance(state, Idle) and not event.replaces else None
    card = state.card if not event.replaces else replace(state.card, launches=event.launch)
    return Busy(card, event.attempt, event.session, event.launch, event.key, process, event.replaces)


def _on_released(state: Present, event: SlotReleased) -> Slot:
    if not isinstance(state, Busy) or state.attempt != event.attempt:
        return state
    old = state.card
    card = Card(
        old.slot_id, old.name, old.role, old.description, old.options, old.launches, old.restarts,
        old.health, old.tasks_completed + event.succeeded, old.cost + event.cost,
        _conversation_after(state, event), old.draining, inbox.settled(old.inbox), old.housing,
    )  # fmt: skip
    turns = 0 if state.process is None else state.process.turns
    return Idle(card, Process(state.launch, state.key, event.session, None, turns + 1, event.rss_mb))


def _conversation_after(state: Busy, event: SlotReleased) -> str | None:
    if not event.session:
        return None if state.card.conversation == state.session else state.card.conversation
    return state.card.conversation if state.process is None else event.session
