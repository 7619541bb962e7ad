"""An inbox: what others wrote to a slot or to the coordinator, and what became of each message.

A message waits until it is delivered with the prompt of an attempt, or read because someone asks for it.
One whose attempt no model was shown waits again. So each accepted message is in exactly one place.
Pure functions of a value that its owner's aggregate holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from .copies import replace
from .errors import InboxFull, InvalidArgument
from .message_events import (
    MessageAccepted,
    MessageEvent,
    MessagesDelivered,
    MessagesRead,
    MessagesReturned,
)
from .values import Text

INBOX_MESSAGES = 100
"""At most so many messages wait in an inbox, those of a prompt that is under way among them."""
INBOX_BYTES = 65_536
"""At most so many UTF-8 bytes wait in an inbox."""
MESSAGE_BYTES = 16_384
"""A longer message is refused."""
READ_BYTES = 32_768
"""One reading shows about so much, because clients cut long results; the rest waits for the next."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message in an inbox. `state`: waiting, delivered or read. `at` (ms): when it was accepted."""

    message_id: str
    sender: str
    content: Text
    at: int
    kind: str = "message"
    state: str = "waiting"


@dataclass(frozen=True)
class Inbox:
    """`waiting` in order of their coming; `carried` by the prompt of the attempt that runs; and the last
    ones of the `past`, which were delivered or read.
    """

    waiting: tuple[Message, ...] = ()
    carried: tuple[Message, ...] = ()
    past: tuple[Message, ...] = ()

    @property
    def known(self) -> tuple[Message, ...]:
        """All messages that the inbox still knows of, the oldest first."""
        return (*self.past, *self.carried, *self.waiting)

    def find(self, message_id: str) -> Message | None:
        """The message of that id, if it is still known."""
        return next((m for m in self.known if m.message_id == message_id), None)


EMPTY = Inbox()


def accept(inbox: Inbox, owner: str, message: Message) -> MessageAccepted:
    """The fact that `message` waits in the inbox of `owner`.

    Raises:
        InvalidArgument: it is empty or too long. InboxFull: there is no room for it.
    """
    size = message.content.size
    check_size(size)
    held = (*inbox.carried, *inbox.waiting)
    total = sum(m.content.size for m in held)
    if len(held) >= INBOX_MESSAGES or total + size > INBOX_BYTES:
        raise InboxFull(owner=owner, messages=len(held), bytes=total)
    return MessageAccepted(message.message_id, message.sender, message.content, message.at, message.kind)


def check_size(size: int) -> None:
    """Refuse a text of `size` UTF-8 bytes that no message can hold.

    Raises:
        InvalidArgument: it is empty or too long.
    """
    if not size:
        raise InvalidArgument(argument="content", problem="a message cannot be empty")
    if size > MESSAGE_BYTES:
        raise InvalidArgument(
            argument="content",
            problem=f"{size} bytes are more than the {MESSAGE_BYTES} of a message; put the text into a file "
            "and say where it lies",
        )


def deliver(inbox: Inbox, attempt: str) -> tuple[MessageEvent, ...]:
    """Everything that waits goes into the prompt of `attempt`."""
    ids = tuple(m.message_id for m in inbox.waiting)
    return (MessagesDelivered(ids, attempt),) if ids else ()


def give_back(inbox: Inbox, attempt: str) -> tuple[MessageEvent, ...]:
    """What the prompt of `attempt` held waits again, because no model was shown it."""
    ids = tuple(m.message_id for m in inbox.carried)
    return (MessagesReturned(ids, attempt),) if ids else ()


def read(inbox: Inbox, reader: str, now: int, only: str | None = None) -> tuple[MessageEvent, ...]:
    """What `readable` shows was read by `reader`; of it the message `only`, where one is named."""
    ids = tuple(m.message_id for m in readable(inbox) if only in (None, m.message_id))
    return (MessagesRead(ids, reader, now),) if ids else ()


def readable(inbox: Inbox) -> tuple[Message, ...]:
    """The oldest of the waiting messages, as many as one reading shows; at least one if any waits."""
    shown: list[Message] = []
    total = 0
    for message in inbox.waiting:
        total += message.content.size
        if shown and total > READ_BYTES:
            break
        shown.append(message)
    return tuple(shown)


def latest(inbox: Inbox) -> tuple[Message, ...]:
    """The messages that came last, whatever became of them, as many as one reading shows; oldest first."""
    shown: list[Message] = []
    total = 0
    for message in reversed(inbox.known):
        total += message.content.size
        if total > READ_BYTES:
            break
        shown.append(message)
    return tuple(reversed(shown))


def settled(inbox: Inbox) -> Inbox:
    """The inbox once the attempt is over that carried messages."""
    if not inbox.carried:
        return inbox
    return replace(inbox, carried=(), past=_bounded((*inbox.past, *inbox.carried)))


def evolve(inbox: Inbox, event: MessageEvent) -> Inbox:
    """The inbox after `event`; what names unknown messages changes nothing. Never raises."""
    match event:
        case MessageAccepted(message_id, sender, content, at, kind):
            return replace(inbox, waiting=(*inbox.waiting, Message(message_id, sender, content, at, kind)))
        case MessagesDelivered(ids):
            taken, rest = _split(inbox.waiting, ids)
            inbox = settled(inbox)
            return Inbox(rest, _in_state("delivered", taken), inbox.past)
        case MessagesReturned(ids):
            taken, rest = _split(inbox.carried, ids)
            return replace(inbox, waiting=(*_in_state("waiting", taken), *inbox.waiting), carried=rest)
        case MessagesRead(ids):
            taken, rest = _split(inbox.waiting, ids)
            past = _bounded((*inbox.past, *_in_state("read", taken)))
            return replace(inbox, waiting=rest, past=past)
        case _:
            assert_never(event)


def _split(
    messages: Iterable[Message], ids: tuple[str, ...]
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Those with `ids`, and the others."""
    wanted = frozenset(ids)
    named = tuple(m for m in messages if m.message_id in wanted)
    return named, tuple(m for m in messages if m.message_id not in wanted)


def _in_state(state: str, messages: Iterable[Message]) -> tuple[Message, ...]:
    return tuple(replace(m, state=state) for m in messages)


def _bounded(past: tuple[Message, ...]) -> tuple[Message, ...]:
    """The last ones, no more than an inbox may hold."""
    kept = past[-INBOX_MESSAGES:]
    total = sum(m.content.size for m in kept)
    while total > INBOX_BYTES:
        total -= kept[0].content.size
        kept = kept[1:]
    return kept
