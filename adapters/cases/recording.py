"""What a recording says: its appends, how attempts ended, and what records what slots and git did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from claude_pool.domain import chain, slot
from claude_pool.domain.attempts import RecordEnd
from claude_pool.domain.chain_events import WorkKept as ChainWorkKept
from claude_pool.domain.chain_events import WorkplaceMade, WorkplaceRefused
from claude_pool.domain.coordination import Command
from claude_pool.domain.housing import (
    RecordWorkKept,
    RecordWorkNotKept,
    RecordWorkplaceFailed,
    RecordWorkplaceMade,
)
from claude_pool.domain.pool_events import ProviderLimited
from claude_pool.domain.records import Fact, Meta, Recorded
from claude_pool.domain.slot_events import (
    LaunchFailed,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
    SlotReleased,
)
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptSucceeded,
)
from claude_pool.domain.values import Limit, Outcome, attempt_id
from claude_pool.domain.workplace_events import WorkKept, WorkNotKept, WorkplaceFailed
from claude_pool.domain.workplace_events import WorkplaceMade as SlotWorkplaceMade

END = (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed)


@dataclass(frozen=True, slots=True)
class Append:
    """What one command brought about."""

    position: int
    facts: tuple[Fact, ...]
    meta: Meta

    @property
    def at(self) -> int:
        """When the command was made, as far as its facts say so; else when they were recorded."""
        for fact in self.facts:
            moment = getattr(fact.event, "at", None)
            if isinstance(moment, int) and 0 < moment <= self.meta.recorded_at:
                return moment
        return self.meta.recorded_at


def appends(events: Iterable[Recorded]) -> Iterator[Append]:
    """The events of a log by the commands that brought them about."""
    for _, group in groupby(events, lambda recorded: recorded.meta.command_id):
        together = list(group)
        facts = tuple(Fact(r.stream, r.event) for r in together)
        yield Append(together[0].position, facts, together[0].meta)


def result_of(facts: Sequence[Fact], now: int) -> Command | None:
    """The command that records what a slot, or git, did; for what nobody plays."""
    stream, event = facts[0].stream, facts[0].event
    match event:
        case WorkplaceMade() | WorkplaceRefused():
            return chain.RecordWorkplace(stream, event, now)
        case ChainWorkKept():
            return chain.RecordWorkKept(stream, event)
        case SlotWorkplaceMade(workplace):
            return RecordWorkplaceMade(stream, workplace)
        case WorkplaceFailed(code, problem):
            return RecordWorkplaceFailed(stream, code, problem, now)
        case WorkKept():
            return RecordWorkKept(stream, event)
        case WorkNotKept(problem):
            return RecordWorkNotKept(stream, problem)
        case LaunchSucceeded(launch, pid, version) | ProcessReplaced(launch, pid, version):
            return slot.RecordLaunched(stream, launch, pid, version)
        case LaunchFailed(launch, code, problem):
            return slot.RecordLaunchFailed(stream, launch, code, problem, now)
        case SessionPrepared(session):
            return slot.RecordCleared(stream, session)
        case _ if isinstance(event, END):
            return _recorded_end(facts, now)
        case _:
            return None


def outcome_in(facts: Sequence[Fact]) -> Outcome:
    """The outcome of the attempt that ended, with the limit that it met: its own event may leave that out."""
    ended = facts[0].event
    assert isinstance(ended, END)
    for fact in facts:
        if isinstance(fact.event, ProviderLimited):
            return replace(ended.outcome, limit=Limit(fact.event.kind, fact.event.until))
    return ended.outcome


def _recorded_end(facts: Sequence[Fact], now: int) -> RecordEnd | None:
    ended = facts[0].event
    assert isinstance(ended, END)
    alive = not any(isinstance(fact.event, ProcessEnded) for fact in facts)
    for fact in facts:
        if isinstance(fact.event, SlotReleased) and fact.event.attempt == attempt_id(
            facts[0].stream, ended.attempt
        ):
            return RecordEnd(
                facts[0].stream, ended.attempt, fact.stream, outcome_in(facts), fact.event.session, alive,
                fact.event.rss_mb, now,
            )  # fmt: skip
    return None


def heads(events: Iterable[Recorded]) -> dict[str, str]:
    """The commits with what attempts left in copies of repositories, by attempt."""
    ends = (AttemptSucceeded, AttemptFailed, AttemptCancelled)
    return {
        attempt_id(r.stream, r.event.attempt): r.event.outcome.head
        for r in events
        if isinstance(r.event, ends) and r.event.outcome.head
    }
