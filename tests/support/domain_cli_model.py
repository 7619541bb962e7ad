"""The slots' processes as they really are, so that the core's beliefs about them can be compared with them.

Facts just appended start effects, at most one a slot; whoever drives the model says how each one ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from claude_pool.domain import slot
from claude_pool.domain.attempts import RecordEnd
from claude_pool.domain.coordination import Command
from claude_pool.domain.housing import (
    RecordWorkKept,
    RecordWorkNotKept,
    RecordWorkplaceFailed,
    RecordWorkplaceMade,
)
from claude_pool.domain.isolation import Workplace
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import (
    ClearStarted,
    EffectAbandoned,
    LaunchStarted,
    SlotClaimed,
    StopStarted,
)
from claude_pool.domain.task_events import CancelRequested, InterruptRequested, SessionOpened
from claude_pool.domain.values import End, Outcome, SessionMode, Text
from claude_pool.domain.workplace_events import WorkKeepStarted, WorkKept, WorkplaceWanted

from .domain_story import outcome


@dataclass(slots=True)
class Cli:
    """A process: the conversation it holds, and how many of that conversation's turns it knows of."""

    launch: int
    holds: str
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Launching:
    """A process of the slot is being started, by itself or for the claim."""

    launch: int
    session: str
    claim: SlotClaimed | None = None
    opened: SessionOpened | None = None


@dataclass(frozen=True, slots=True)
class Turning:
    """A prompt is being worked on."""

    claim: SlotClaimed


@dataclass(frozen=True, slots=True)
class Clearing:
    """The process is beginning an empty conversation."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The process is being ended."""


@dataclass(frozen=True, slots=True)
class Housing:
    """The slot's work tree is being made, or looked for."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The work in the slot's work tree is being committed; with `remove`, its directory goes then."""

    remove: bool


Effect = Launching | Turning | Clearing | Stopping | Housing | Keeping


class CliModel:
    """All processes, the effects under way, and the turns that each conversation has on disk."""

    def __init__(self) -> None:
        """Nothing runs."""
        self.processes: dict[str, Cli] = {}
        self.effects: dict[str, Effect] = {}
        self.disk: dict[str, int] = {}
        self.asked: set[str] = set()
        self.trees: dict[str, Workplace] = {}
        self.removed: dict[str, Workplace] = {}
        self.cleared = 0

    def observe(self, facts: Sequence[Fact]) -> None:
        """Start the effects of one append. A slot never has two at a time."""
        for fact in facts:
            match fact.event:
                case LaunchStarted(launch, _, session):
                    assert fact.stream not in self.processes
                    self._begin(fact.stream, Launching(launch, session))
                case SlotClaimed() as claim:
                    self._claimed(fact.stream, claim, facts)
                case ClearStarted():
                    self._begin(fact.stream, Clearing())
                case StopStarted():
                    self._begin(fact.stream, Stopping())
                case EffectAbandoned():
                    self._killed(fact.stream)
                case WorkplaceWanted():
                    assert fact.stream not in self.processes
                    self._begin(fact.stream, Housing())
                case WorkKeepStarted(remove):
                    assert fact.stream not in self.processes
                    self._begin(fact.stream, Keeping(remove))
                case CancelRequested() | InterruptRequested():
                    self.asked.add(fact.stream)
                case _:
                    pass

    def _begin(self, slot_id: str, effect: Effect) -> None:
        assert slot_id not in self.effects, f"{slot_id} is still at {self.effects[slot_id]}"
        if isinstance(effect, (Clearing, Stopping)):
            assert slot_id in self.processes
        self.effects[slot_id] = effect

    def _killed(self, slot_id: str) -> None:
        effect = self.effects.pop(slot_id)
        self.processes.pop(slot_id, None)
        if isinstance(effect, (Launching, Turning)) and effect.claim is not None:
            self.asked.discard(effect.claim.attempt.rpartition(".")[0])

    def _claimed(self, slot_id: str, claim: SlotClaimed, facts: Sequence[Fact]) -> None:
        opened = next(fact.event for fact in facts if isinstance(fact.event, SessionOpened))
        if claim.replaces:
            self._begin(slot_id, Launching(claim.launch, claim.session, claim, opened))
            return
        process = self.processes[slot_id]
        assert (process.launch, process.holds) == (claim.launch, claim.session)
        assert process.turns == self.disk.get(claim.session, 0), (
            "the process missed turns of this conversation"
        )
        self._begin(slot_id, Turning(claim))

    def crash(self) -> None:
        """The owner dies: its keepers end everything within a second."""
        self.processes.clear()
        self.effects.clear()
        self.asked.clear()

    def launched(self, slot_id: str, now: int) -> Command:
        """The process that is being started answers, or says that it does not know the conversation."""
        effect = self.effects.pop(slot_id)
        assert isinstance(effect, Launching)
        self.processes.pop(slot_id, None)
        known = 0
        if effect.claim is not None and effect.opened is not None:
            parent = effect.opened.parent
            if parent is not None and parent not in self.disk:
                missing = outcome(End.FAILED, "session_not_found", turns=0)
                return _ended(slot_id, effect.claim, missing, alive=False, now=now)
            known = 0 if parent is None else self.disk[parent]
            if effect.opened.mode == SessionMode.FORK.value:
                self.disk[effect.session] = known
            self.effects[slot_id] = Turning(effect.claim)
        self.processes[slot_id] = Cli(effect.launch, effect.session, known)
        return slot.RecordLaunched(slot_id, effect.launch, 1_000 + effect.launch, "2.1.330")

    def launch_failed(self, slot_id: str, now: int) -> Command:
        """The process that is being started does not come up."""
        effect = self.effects.pop(slot_id)
        assert isinstance(effect, Launching)
        self.processes.pop(slot_id, None)
        if effect.claim is None:
            return slot.RecordLaunchFailed(slot_id, effect.launch, "slot_failed", "It did not answer.", now)
        failed = outcome(End.FAILED, "slot_failed", retryable=True, turns=0)
        return _ended(slot_id, effect.claim, failed, alive=False, now=now)

    def turn_ended(self, slot_id: str, what: Outcome, *, alive: bool, rss_mb: int, now: int) -> Command:
        """The prompt's own result has come, or its process has gone."""
        effect = self.effects.pop(slot_id)
        assert isinstance(effect, Turning)
        process = self.processes[slot_id]
        process.turns += 1
        self.disk[process.holds] = process.turns
        self.asked.discard(effect.claim.attempt.rpartition(".")[0])
        if not alive:
            del self.processes[slot_id]
        return _ended(slot_id, effect.claim, what, alive=alive, rss_mb=rss_mb, now=now)

    def cleared_now(self, slot_id: str) -> Command:
        """The process holds a new, empty conversation."""
        assert isinstance(self.effects.pop(slot_id), Clearing)
        self.cleared += 1
        session = f"00000000-0000-4000-b000-{self.cleared:012d}"
        process = self.processes[slot_id]
        process.holds, process.turns = session, 0
        return slot.RecordCleared(slot_id, session)

    def housed(self, slot_id: str, now: int, works: bool = True) -> Command:
        """The slot's work tree is there, or cannot be made."""
        assert isinstance(self.effects.pop(slot_id), Housing)
        if not works:
            return RecordWorkplaceFailed(slot_id, "isolation_failed", "There is no commit.", now)
        path = f"/state/{slot_id}"
        made = Workplace(
            slot_id, "worktree", path, path, "/project/.git", f"claude-pool/{slot_id}", "b", "main"
        )
        return RecordWorkplaceMade(slot_id, self.trees.setdefault(slot_id, made))

    def kept(self, slot_id: str, works: bool = True) -> Command:
        """The slot's work is in commits, or cannot be committed."""
        effect = self.effects.pop(slot_id)
        tree = self.trees.get(slot_id) or self.removed[slot_id]  # an owner may die before it says so
        assert isinstance(effect, Keeping)
        if not works:
            return RecordWorkNotKept(slot_id, "There is a repository inside.")
        if effect.remove:
            self.removed[slot_id] = tree
            self.trees.pop(slot_id, None)
        return RecordWorkKept(slot_id, WorkKept(tree.branch, tree.base, "h", 1, Text(), effect.remove))

    def gone(self, slot_id: str, *, expected: bool, now: int) -> Command:
        """The slot's process is gone: it was stopped, or failed to clear, or died idle."""
        self.effects.pop(slot_id, None)
        del self.processes[slot_id]
        return slot.RecordProcessEnded(slot_id, expected, 0 if expected else -9, 0, "", now)


def _ended(
    slot_id: str, claim: SlotClaimed, what: Outcome, *, alive: bool, rss_mb: int = 0, now: int
) -> RecordEnd:
    task_id, _, number = claim.attempt.rpartition(".")
    return RecordEnd(task_id, int(number), slot_id, what, claim.session, alive, rss_mb, now)
