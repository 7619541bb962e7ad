"""What may happen to a slot: the facts that a command brings about, or why it is refused."""

from __future__ import annotations

from .. import housing, inbox, supervision
from ..errors import CliMissing, WrongState
from ..housing import HousingCommand, KeepWork, RecordWorkplaceFailed, Stage, WantWorkplace
from ..options import overlaid
from ..slot_events import (
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
from .commands import (
    AbandonEffect,
    AddSlot,
    ClaimSlot,
    ConfigureSlot,
    DrainSlot,
    RecordCleared,
    RecordLaunched,
    RecordLaunchFailed,
    RecordProcessEnded,
    ReleaseSlot,
    ReviveSlot,
    SlotCommand,
    StartClear,
    StartLaunch,
    StartStop,
    StopSlot,
    TrySlot,
)
from .states import (
    OWNER_LOST,
    Absent,
    Busy,
    Card,
    Clearing,
    Cold,
    Failed,
    Idle,
    Preparing,
    Slot,
    Starting,
    Stopped,
    Stopping,
)


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
