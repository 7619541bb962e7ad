"""Which call events belong to, and the tree of what led to what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .chain_events import ChainSubmitted, StepStarted
from .records import Event, Recorded
from .slot_events import LaunchStarted, SlotAdded
from .story import sentence
from .task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptSucceeded,
    InterruptRequested,
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    SessionOpened,
    TaskSubmitted,
)

_OF_AN_ATTEMPT = (
    SessionOpened, InterruptRequested, AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed,
    QuestionAsked, QuestionAnswered, QuestionExpired,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of a tree: how deep it stands, and its event; the root is a call and has none.

    `cause` is the position of the event that led to it (None: a caller from outside).
    """

    depth: int
    position: int | None
    stream: str
    event: str
    actor: str
    at: int
    text: str
    cause: int | None = None


def concerns(stream: str, event: Event) -> str:
    """The stream whose story an event belongs to: its own, or that of the task whose attempt it names."""
    if stream.startswith(("task-", "chain-")):
        return stream
    attempt = getattr(event, "attempt", None)
    return attempt.rpartition(".")[0] if isinstance(attempt, str) and "." in attempt else stream


def tree(
    subject: str, events: Sequence[Recorded], steps: Mapping[str, Sequence[Recorded]]
) -> tuple[Branch, ...]:
    """The events of a task, chain or slot under the call that brought it: appends of an attempt below it,
    and the tasks of a chain's steps (`steps`, by id) below the step's start."""
    if not events:
        return ()
    first = events[0].meta
    caller = f"a call of the {first.actor.value}"
    root = Branch(
        0, None, subject, "call", first.actor.value, first.recorded_at, f"{caller}: {first.correlation}"
    )
    found = [root]
    for recorded in events:
        found.append(_branch(recorded, 0))
        if isinstance(recorded.event, StepStarted):
            found += [_branch(each, 2) for each in steps.get(recorded.event.task_id, ())]
    return tuple(found)


def _branch(recorded: Recorded, below: int) -> Branch:
    meta = recorded.meta
    return Branch(
        below + _depth(recorded),
        recorded.position,
        recorded.stream,
        recorded.event.NAME,
        meta.actor.value,
        meta.recorded_at,
        sentence(recorded.event),
        meta.cause,
    )


def _depth(recorded: Recorded) -> int:
    if isinstance(recorded.event, (TaskSubmitted, ChainSubmitted, LaunchStarted, SlotAdded)):
        return 1
    if recorded.stream.startswith("task-"):
        return 3 if isinstance(recorded.event, _OF_AN_ATTEMPT) else 2
    return 2 if recorded.stream.startswith(("chain-", "slot-")) else 3
