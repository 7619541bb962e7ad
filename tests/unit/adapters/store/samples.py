"""Events for the tests of the log: a few by hand, and all of them generated."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from claude_pool.domain.ports import EventLog
from claude_pool.domain.records import Actor, Event, Fact, Meta, Recorded
from claude_pool.domain.task_events import AttemptStarted, SessionOpened, TaskParked, TaskSubmitted
from claude_pool.domain.values import TaskSpec, Text
from hypothesis import strategies as st

TASK = "task-aaaaaaaaaaaaaaaa"
OTHER = "task-bbbbbbbbbbbbbbbb"
SESSION = "0f0f0f0f-0000-4000-8000-000000000001"
AT = 1_700_000_000_000
"""When things happen here, in ms."""


def meta(at: int = AT, command_id: str = "cmd-1") -> Meta:
    """What one append has in common."""
    return Meta(at, command_id, command_id, Actor.SHELL)


def submitted(task_id: str = TASK, tags: tuple[str, ...] = (), prompt: str = "Say hi") -> TaskSubmitted:
    """A task's first event."""
    spec = TaskSpec(Text(inline=prompt, size=len(prompt.encode())), tags=tags)
    return TaskSubmitted(task_id, spec, "fingerprint", at=AT)


def started(attempt: int = 1, at: int = 1_700_000_001_000) -> AttemptStarted:
    """An attempt in slot-0."""
    return AttemptStarted(attempt, "slot-0", at)


def opened(session: str = SESSION) -> SessionOpened:
    """The conversation of the first attempt."""
    return SessionOpened(1, session, "fresh", "/project")


def parked(number: int) -> TaskParked:
    """An event that says its number."""
    return TaskParked(f"reason {number}")


def record(log: EventLog, stream: str, *events: Event, at: int = AT) -> None:
    """Append `events` of one stream."""
    version = len(log.read_stream(stream))
    log.append([Fact(stream, event) for event in events], {stream: version}, meta(at))


def fill(log: EventLog, count: int, stream: str = TASK) -> tuple[Recorded, ...]:
    """Append `count` events to a stream that does not exist yet, one at a time."""
    return tuple(
        recorded
        for number in range(1, count + 1)
        for recorded in log.append([Fact(stream, parked(number))], {stream: number - 1}, meta())
    )


def generated(event: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of a class, with every field, nested ones too, at any value that it may have."""
    return _of_class(event)


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    type(None): st.none(),
}


def _of_class(owner: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(owner)
    return st.builds(owner, **{field.name: _of_type(hints[field.name]) for field in fields(owner)})


def _of_type(annotation: Any) -> st.SearchStrategy[Any]:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return st.one_of(*(_of_type(argument) for argument in arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(_of_type(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(_of_type(argument) for argument in arguments))
    if isinstance(annotation, type):
        owner = cast("type[Any]", annotation)
        return st.sampled_from(owner) if issubclass(owner, Enum) else _of_class(owner)
    raise TypeError(f"no values for {annotation}")
