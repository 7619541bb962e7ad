"""The facts of an inbox, in the stream of whom it belongs to: a slot's (`slot-0` …), or the pool's for the
coordinator. Names and versions never change once written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .values import Text


@dataclass(frozen=True)
class MessageAccepted:
    """A message from `sender` waits in the inbox. `kind` is `message`, or `question` where one waits for an
    answer.
    """

    NAME: ClassVar[str] = "message.accepted"
    VERSION: ClassVar[int] = 1
    message_id: str
    sender: str
    content: Text
    at: int
    kind: str = "message"


@dataclass(frozen=True)
class MessagesDelivered:
    """These messages stand in the prompt of `attempt`."""

    NAME: ClassVar[str] = "message.delivered"
    VERSION: ClassVar[int] = 1
    ids: tuple[str, ...]
    attempt: str


@dataclass(frozen=True)
class MessagesReturned:
    """No model was shown the prompt of `attempt`, so these messages wait again."""

    NAME: ClassVar[str] = "message.returned"
    VERSION: ClassVar[int] = 1
    ids: tuple[str, ...]
    attempt: str


@dataclass(frozen=True)
class MessagesRead:
    """`reader` was shown these messages because it asked; no prompt will hold them."""

    NAME: ClassVar[str] = "message.read"
    VERSION: ClassVar[int] = 1
    ids: tuple[str, ...]
    reader: str
    at: int


MessageEvent = MessageAccepted | MessagesDelivered | MessagesReturned | MessagesRead

EVENTS: tuple[type[MessageEvent], ...] = (
    MessageAccepted, MessagesDelivered, MessagesReturned, MessagesRead,
)  # fmt: skip
