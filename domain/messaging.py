"""Messages between slots and the coordinator: who may write to whom, and one append for all receivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from . import inbox, slot
from .errors import IdempotencyConflict, NotFound, WrongState
from .inbox import Inbox, Message
from .records import Fact
from .values import Text
from .world import POOL, World

COORDINATOR = "coordinator"
"""The address of whoever calls the pool."""

_WHERE_SLOTS_ARE = "pool_status lists the slots in service; the coordinator is called coordinator."


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Put a message into the inbox of `to`: a slot's id, or `coordinator`. The same id counts once."""

    message_id: str
    sender: str
    to: str
    content: Text
    now: int
    kind: str = "message"


@dataclass(frozen=True, slots=True)
class BroadcastMessage:
    """Put a message into the inbox of every slot in service but the sender's. The same id counts once."""

    message_id: str
    sender: str
    content: Text
    now: int


@dataclass(frozen=True, slots=True)
class ReadMessages:
    """Show `reader` the oldest messages that wait in the inbox of `owner` (of them `only`, where given)."""

    owner: str
    reader: str
    now: int
    only: str | None = None


MessageCommand = SendMessage | BroadcastMessage | ReadMessages


def inbox_of(world: World, owner: str) -> Inbox:
    """The inbox of a slot, also one that left service, or of the coordinator.

    Raises:
        NotFound: there is no such slot.
    """
    if owner == COORDINATOR:
        return world.open_pool().inbox
    at = world.slots.get(owner)
    if at is None:
        raise NotFound(kind="slot", id=owner, hint=_WHERE_SLOTS_ARE)
    return at.card.inbox


def receivers_of(world: World, message_id: str) -> dict[str, Message]:
    """Whose inbox still knows the message of that id, and what each knows of it."""
    owners = (COORDINATOR, *world.slots)
    found = {owner: inbox_of(world, owner).find(message_id) for owner in owners}
    return {owner: message for owner, message in found.items() if message is not None}


def decide(command: MessageCommand, world: World) -> tuple[Fact, ...]:
    """The facts that `command` brings about in `world`.

    Raises:
        NotFound: no such sender, receiver or owner. InboxFull: a receiver takes no more, and none gets it.
        InvalidArgument: the message is empty or too long. WrongState: a broadcast has no receiver.
        IdempotencyConflict: the id is that of another message.
    """
    to: tuple[str, ...]
    match command:
        case SendMessage():
            to = (command.to,)
        case BroadcastMessage():
            to = tuple(name for name in in_service(world) if name != command.sender)
        case ReadMessages(owner, reader, now, only):
            events = inbox.read(inbox_of(world, owner), reader, now, only)
            return tuple(Fact(_stream(owner), event) for event in events)
        case _:
            assert_never(command)
    if _is_repeat(command, world):
        return ()
    inbox_of(world, command.sender)
    if not to:
        raise WrongState(subject="the pool", state="without other slots", problem="nobody would get this")
    kind = command.kind if isinstance(command, SendMessage) else "message"
    message = Message(command.message_id, command.sender, command.content, command.now, kind)
    return tuple(_accepted(world, owner, message) for owner in to)


def in_service(world: World) -> tuple[str, ...]:
    """The slots that may still run a task some day, in number order."""
    return tuple(
        name for name, at in world.slots.items() if not (isinstance(at, slot.Stopped) and at.retired)
    )


def _is_repeat(command: SendMessage | BroadcastMessage, world: World) -> bool:
    known = receivers_of(world, command.message_id)
    if not known:
        return False
    same = all((m.sender, m.content) == (command.sender, command.content) for m in known.values())
    if not same or (isinstance(command, SendMessage) and command.to not in known):
        raise IdempotencyConflict(id=command.message_id)
    return True


def _accepted(world: World, owner: str, message: Message) -> Fact:
    if owner != COORDINATOR and owner not in in_service(world):
        raise NotFound(kind="slot", id=owner, hint=_WHERE_SLOTS_ARE)
    return Fact(_stream(owner), inbox.accept(inbox_of(world, owner), owner, message))


def _stream(owner: str) -> str:
    return POOL if owner == COORDINATOR else owner
