"""An account of chains kept apart from the domain's own folds: what may never be true of any log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from claude_pool.domain import chain
from claude_pool.domain.chain_board import chain_card
from claude_pool.domain.chain_events import (
    ChainCancelled,
    ChainCompleted,
    ChainEvent,
    ChainFailed,
    ChainSubmitted,
    EndingBegun,
    Plan,
    Step,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkKept,
    WorkplaceMade,
    WorkplaceRefused,
)
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import (
    SessionOpened,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskSubmitted,
)
from claude_pool.domain.values import Part, Text
from claude_pool.domain.world import World

from .domain_ledger import Ledger

WORDS: dict[type[object], type[object]] = {
    TaskCompleted: StepCompleted,
    TaskFailed: StepFailed,
    TaskCancelled: StepCancelled,
}
"""What the end of a step's task is for the step."""


@dataclass(slots=True)
class Book:
    """One chain. `live` maps a step to its run's task, `over` to how its last run ended."""

    plan: Plan
    live: dict[str, str] = field(default_factory=dict[str, str])
    over: dict[str, StepCompleted | StepFailed | StepCancelled | StepReused] = field(
        default_factory=dict[str, StepCompleted | StepFailed | StepCancelled | StepReused]
    )
    skipped: set[str] = field(default_factory=set[str])
    tasks: list[str] = field(default_factory=list[str])
    copy: WorkplaceMade | None = None
    ending: str | None = None
    steps_ended: bool = False
    kept: bool = False
    end: ChainEvent | None = None

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.plan.steps if step.name == name)


class ChainLedger:
    """Every chain, counted from the facts alone. `observe` sees each append after `ledger` has."""

    def __init__(self, ledger: Ledger) -> None:
        """`ledger` knows what attempts cost."""
        self._ledger = ledger
        self._parts: dict[str, Part] = {}
        self._outputs: dict[str, Text] = {}
        self.books: dict[str, Book] = {}

    def observe(self, facts: Sequence[Fact]) -> None:
        """Count one append, and object to what no log may hold."""
        submitted = {f.stream: f.event for f in facts if isinstance(f.event, TaskSubmitted)}
        self._parts |= {name: at.spec.part for name, at in submitted.items() if at.spec.part is not None}
        started: dict[str, Part] = {}
        ended: dict[tuple[str, str, int], type[object]] = {}
        for fact in facts:
            if fact.stream.startswith("chain-"):
                self._count(fact, submitted)
            if isinstance(fact.event, SessionOpened) and (part := self._parts.get(fact.stream)) is not None:
                reused = (at for at in self.books[part.chain_id].over.values() if isinstance(at, StepReused))
                spared = {at.session for at in reused}
                assert fact.event.session not in spared, "a reused step's conversation goes on"
            if isinstance(fact.event, StepStarted):
                started[fact.event.task_id] = Part(fact.stream, fact.event.step, fact.event.run)
            if isinstance(fact.event, (StepCompleted, StepFailed, StepCancelled)):
                ended[fact.stream, fact.event.step, fact.event.run] = type(fact.event)
        parts = {name: at.spec.part for name, at in submitted.items() if at.spec.part is not None}
        assert parts == started, "a step and its task do not start together"
        ends = {
            (part.chain_id, part.step, part.run): WORDS[type(fact.event)]
            for fact in facts
            if type(fact.event) in WORDS and (part := self._parts.get(fact.stream)) is not None
        }
        assert ends == ended, "a step and its task do not end together"

    def _count(self, fact: Fact, submitted: dict[str, TaskSubmitted]) -> None:
        event = fact.event
        if isinstance(event, ChainSubmitted):
            assert fact.stream not in self.books
            self.books[fact.stream] = Book(event.plan)
            return
        book = self.books[fact.stream]
        assert book.end is None, "something happened to a chain after its end"
        match event:
            case StepReused():
                assert book.plan.fork is not None and not book.tasks and event.step not in book.over
                assert all(need in book.over for need in book.step(event.step).needs)
                assert self._outputs[event.task_id] == event.output
                book.over[event.step] = event
            case StepStarted():
                self._start(fact.stream, book, event, submitted)
            case StepCompleted() | StepFailed() | StepCancelled():
                task_id = book.live.pop(event.step)
                assert task_id == chain.step_task_id(fact.stream, event.step, event.run)
                assert event.cost == self._cost(task_id)
                book.over[event.step] = event
                if not isinstance(event, StepCancelled):
                    self._outputs[task_id] = event.output
            case StepSkipped(name):
                assert name not in book.live and name not in book.over and name not in book.skipped
                assert book.ending is not None
                book.skipped.add(name)
            case EndingBegun(reason):
                assert reason != book.ending
                assert not book.steps_ended
                book.ending = reason
            case WorkplaceMade():
                assert book.copy is None and book.plan.isolation != "none"
                book.copy = event
            case WorkplaceRefused():
                assert book.copy is None and not book.tasks
                book.ending = book.ending or "refused"
            case StepsEnded():
                assert not book.steps_ended and not book.live and book.copy is not None
                book.steps_ended = True
            case WorkKept():
                assert book.steps_ended and not book.kept
                book.kept = True
            case ChainCompleted() | ChainFailed() | ChainCancelled():
                self._end(book, event)
            case _:
                pass

    def _start(
        self, chain_id: str, book: Book, event: StepStarted, submitted: dict[str, TaskSubmitted]
    ) -> None:
        name, run, task_id = event.step, event.run, event.task_id
        step, before = book.step(name), book.over.pop(event.step, None)
        assert task_id == chain.step_task_id(chain_id, name, run)
        assert task_id not in book.tasks, "a step's run started twice"
        assert book.ending is None, "a step started while the chain was ending"
        assert name not in book.live and name not in book.skipped
        if run == 1:
            assert before is None
            assert all(need in book.over for need in step.needs)
        else:
            assert run == 2 and isinstance(before, StepFailed) and step.recovery_prompt is not None
        spec = submitted[task_id].spec
        if book.plan.isolation != "none":
            assert not book.live, "two steps at once in one copy"
            assert book.copy is not None and spec.options.working_dir == book.copy.directory
        book.live[name] = task_id
        book.tasks.append(task_id)

    def _end(self, book: Book, event: ChainCompleted | ChainFailed | ChainCancelled) -> None:
        names = {step.name for step in book.plan.steps}
        assert not book.live
        assert {*book.over, *book.skipped} == names
        assert not {*book.over} & book.skipped
        assert book.kept or book.copy is None, "a chain ended before its work was kept"
        assert isinstance(event, ChainCancelled) == (book.ending == "cancelled")
        if isinstance(event, ChainCompleted):
            assert book.ending in (None, "skip_rest")
        book.end = event

    def _cost(self, task_id: str) -> int:
        return sum(cost for name, cost in self._ledger.costs.items() if name.startswith(f"{task_id}."))

    def check(self, world: World, now: int) -> None:
        """The live view says what the facts say."""
        assert set(world.chains) == {name for name, book in self.books.items() if book.end is None}
        live = {task_id for book in self.books.values() for task_id in book.live.values()}
        assert {name for name, at in world.tasks.items() if at.job.spec.part is not None} == live
        for name, at in world.chains.items():
            book = self.books[name]
            assert {step: state.task_id for step, state in at.work.started} == book.live
            assert isinstance(at, chain.Preparing) == (book.plan.isolation != "none" and book.copy is None)
            assert isinstance(at, chain.Closing) == book.steps_ended
            assert book.live or not isinstance(at, chain.Running), "a chain waits for nothing"
            card = chain_card(at, now, world)
            assert card.cost == sum(self._cost(task_id) for task_id in book.tasks)
            for step in card.steps:
                quiet = step.state == "skipped" or step.name in book.over
                assert step.state == "running" or (step.reason is None) == quiet
