"""What a slot is after a fact."""

from __future__ import annotations

from typing import assert_never

from .. import housing, inbox, supervision
from ..copies import replace
from ..housing import Stage
from ..message_events import MessageAccepted, MessagesDelivered, MessagesRead, MessagesReturned
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
from ..supervision import WELL, Health
from ..workplace_events import (
    WorkKeepStarted,
    WorkKept,
    WorkNotKept,
    WorkplaceEvent,
    WorkplaceFailed,
    WorkplaceMade,
    WorkplaceWanted,
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
    Present,
    Process,
    Slot,
    Starting,
    Stopped,
    Stopping,
)


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
    card = replace(
        old,
        tasks_completed=old.tasks_completed + event.succeeded,
        cost=old.cost + event.cost,
        conversation=_conversation_after(state, event),
        inbox=inbox.settled(old.inbox),
    )
    turns = 0 if state.process is None else state.process.turns
    return Idle(card, Process(state.launch, state.key, event.session, None, turns + 1, event.rss_mb))


def _conversation_after(state: Busy, event: SlotReleased) -> str | None:
    if not event.session:
        return None if state.card.conversation == state.session else state.card.conversation
    return state.card.conversation if state.process is None else event.session
