"""The envelope of an event (v1): what the log keeps around each fact, all of it under the hash chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol


class Event(Protocol):
    """A past-tense fact: a frozen dataclass with a stored name and a version that never change.

    Its class has no slots: read from a log, one with slots takes a third longer to be made.
    """

    NAME: ClassVar[str]
    VERSION: ClassVar[int]


class Actor(StrEnum):
    """Who caused a command."""

    COORDINATOR = "coordinator"
    SHELL = "shell"
    POLICY = "policy"
    SLOT = "slot"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Meta:
    """What one append has in common: when, which command, and why.

    `cause` is the position of the event that led to the command (None: a caller from outside);
    `correlation` names the outermost call that it all belongs to.
    """

    recorded_at: int
    command_id: str
    correlation: str
    actor: Actor
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """An event and the stream it belongs to, decided but not yet recorded."""

    stream: str
    event: Event


def on(stream: str, events: Iterable[Event]) -> tuple[Fact, ...]:
    """The events of one stream as facts."""
    return tuple(Fact(stream, event) for event in events)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as the log holds it. `position` counts 1, 2, 3 … over the log, `version` over the stream."""

    position: int
    stream: str
    version: int
    event: Event
    meta: Meta
    hash: bytes
