"""The live view: everything that is alive in the pool, folded from the log, event by event.

Finished tasks leave it; they are counted here and folded from their own stream when someone asks.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, assert_never

from . import chain, pool, slot, task
from .chain_events import ChainEvent
from .closing import what_became
from .pool_events import SoftLimitAnswered, SoftLimitAsked
from .records import Event
from .task import sealed_question
from .task_events import QuestionAnswered, QuestionExpired, TaskEvent
from .values import Outcome

T = TypeVar("T")

POOL = "pool"
"""The name of the pool's own stream."""

SHOWN_SESSIONS = 1_000
"""Of so many conversations it is known what they saw and where they last ran; an older one is simply shown
the context again, and continued in a new process."""

Rank = tuple[int, int, str]
"""Place in the queue: higher priority first, then earlier submission."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a conversation ran last: in which slot's process, and in which directory."""

    slot_id: str
    directory: str


class Closed(NamedTuple):
    """What became of a question, with the position of the event that closed it."""

    what: str
    position: int


class World:
    """All live aggregates at one position of the log.

    `pending` is the queue in claim order, `unstarted` those of it (or parked) that never ran, in the order in
    which they were submitted. `sessions` maps a conversation to the task whose attempt runs in
    it, `shown` to the version of the shared context that it saw last, `homes` to where it ran last,
    `contexts` to how many tokens it held then.
    `questions` maps an open question to the task that asks it, `closed` one of the last to what became of it.
    `versions` knows the streams of what is alive; a stream that is not in it is at 0 or finished.
    """

    def __init__(self) -> None:
        """An empty log's view."""
        self.position = 0
        self.pool: pool.Pool = pool.UNOPENED
        self.slots: dict[str, slot.Present] = {}
        self.tasks: dict[str, task.Known] = {}
        self.chains: dict[str, chain.Preparing | chain.Running | chain.Closing] = {}
        self.versions: dict[str, int] = {}
        self.pending: list[Rank] = []
        self.ranks: dict[str, Rank] = {}
        self.unstarted: dict[str, None] = {}
        self.parked: dict[str, None] = {}
        self.running: dict[str, None] = {}
        self.sessions: dict[str, str] = {}
        self.questions: dict[str, str] = {}
        self.closed: OrderedDict[str, Closed] = OrderedDict()
        self.completed = self.failed = self.cancelled = 0
        self.sealed: dict[str, None] = {}
        self.in_review = 0
        self.shown: OrderedDict[str, int] = OrderedDict()
        self.homes: OrderedDict[str, Home] = OrderedDict()
        self.contexts: OrderedDict[str, int] = OrderedDict()

    def apply(self, position: int, stream: str, version: int, event: Event) -> None:
        """Fold one event. Events must come in the order of their positions."""
        self.position = position
        self.versions[stream] = version
        kind = stream[:5]
        if kind == "task-":
            self._apply_task(position, stream, event)  # type: ignore[arg-type]  # a task's stream holds task events
        elif kind == "slot-":
            after = slot.evolve(self.slots.get(stream, slot.ABSENT), event)  # type: ignore[arg-type]
            if not isinstance(after, slot.Absent):
                self.slots[stream] = after
        elif kind == "chain":
            self._apply_chain(stream, event)  # type: ignore[arg-type]
        elif stream == POOL:
            self.pool = pool.evolve(self.pool, event)  # type: ignore[arg-type]
            if isinstance(event, (SoftLimitAsked, SoftLimitAnswered)):
                self._close_question(event.question_id, event)

    def _apply_task(self, position: int, stream: str, event: TaskEvent) -> None:
        before = self.tasks.get(stream)
        after = task.evolve(task.ABSENT if before is None else before, event)
        if after is before or isinstance(after, task.Absent):
            return
        if type(after) is not type(before):
            self._leave(stream, before)
            self._enter(position, stream, before, after)
        if isinstance(before, task.Running):
            self._note_questions(stream, before, after, event)
            if isinstance(after, task.Settling):
                self._close_session(before.live, after.job.attempts[-1].outcome)
        elif isinstance(before, task.Sealed):
            self._close_question(sealed_question(before.job), event)
        if isinstance(after, task.Running):
            if after.live.session:
                self._open_session(stream, after.live)
        elif isinstance(after, (task.Completed, task.Failed, task.Cancelled)):
            self._finish(stream, after)
            return
        self.tasks[stream] = after

    def _apply_chain(self, stream: str, event: ChainEvent) -> None:
        after = chain.evolve(self.chains.get(stream, chain.ABSENT), event)
        if isinstance(after, (chain.Preparing, chain.Running, chain.Closing)):
            self.chains[stream] = after
        elif self.chains.pop(stream, None) is not None:
            del self.versions[stream]

    def _note_questions(self, stream: str, before: task.Running, after: task.Known, event: TaskEvent) -> None:
        asked = before.live.questions
        asks = after.live.questions if isinstance(after, task.Running) else ()
        if asks is not asked:
            for question in asked:
                self.questions.pop(question.question_id, None)
                if not isinstance(after, task.Running):
                    self._close_question(question.question_id, None)
            self.questions.update((question.question_id, stream) for question in asks)
        if isinstance(event, (QuestionAnswered, QuestionExpired)):
            self._close_question(event.question_id, event)

    def _close_question(self, question_id: str, event: Event | None) -> None:
        _remember(self.closed, question_id, Closed(what_became(event), self.position))

    def _open_session(self, stream: str, live: task.LiveAttempt) -> None:
        self.sessions[live.session] = stream
        _remember(self.homes, live.session, Home(live.slot_id, live.directory))
        if live.context is not None:
            _remember(self.shown, live.session, live.context)

    def _close_session(self, live: task.LiveAttempt, outcome: Outcome) -> None:
        if live.context is not None and not outcome.turns:
            self.shown.pop(live.session, None)  # the prompt that showed the context may never have arrived
        if outcome.context:
            _remember(self.contexts, live.session, outcome.context)

    def _leave(self, stream: str, before: task.Known | None) -> None:
        match before:
            case task.Pending():
                rank = self.ranks[stream]
                del self.pending[bisect_left(self.pending, rank)]
            case task.Running(_, live):
                del self.running[stream]
                self.sessions.pop(live.session, None)
            case task.Parked():
                del self.parked[stream]
            case task.Sealed():
                del self.sealed[stream]
            case task.PendingReview():
                self.in_review -= 1
            case _:
                pass

    def _enter(self, position: int, stream: str, before: task.Known | None, after: task.Known) -> None:
        match after:
            case task.Running():
                self.running[stream] = None
                self.unstarted.pop(stream, None)
            case task.Settling() | task.Completed():
                pass
            case task.Pending(job):
                rank = self.ranks.setdefault(stream, (-job.spec.priority, position, stream))
                insort(self.pending, rank)
                if before is None:
                    self.unstarted[stream] = None
            case task.Parked():
                self.parked[stream] = None
            case task.Sealed():
                self.sealed[stream] = None
            case task.PendingReview():
                self.in_review += 1
            case _:
                pass

    def _finish(self, stream: str, after: task.Terminal) -> None:
        self.tasks.pop(stream, None)
        self.ranks.pop(stream, None)
        self.unstarted.pop(stream, None)
        del self.versions[stream]
        match after:
            case task.Completed():
                self.completed += 1
            case task.Failed():
                self.failed += 1
            case task.Cancelled():
                self.cancelled += 1
            case _:
                assert_never(after)

    def copy(self) -> World:
        """The view as it is now; what is folded into this one does not change it."""
        twin = World()
        for name, value in vars(self).items():
            setattr(twin, name, value.copy() if isinstance(value, (dict, list)) else value)
        return twin

    def joined(self, tasks: World) -> World:
        """The view of a whole log, of which `tasks` folded the streams of tasks and this one all others.

        Beside these streams the two have one thing in common, the closed questions.
        """
        whole = tasks.copy()
        whole.position = max(self.position, tasks.position)
        whole.pool, whole.slots, whole.chains = self.pool, self.slots.copy(), self.chains.copy()
        whole.versions |= self.versions
        closed = sorted([*self.closed.items(), *tasks.closed.items()], key=lambda each: each[1].position)
        whole.closed = OrderedDict(closed[-SHOWN_SESSIONS:])
        return whole

    @property
    def isolating(self) -> bool:
        """Whether the copy of a repository is being made or closed for some chain."""
        return any(isinstance(state, (chain.Preparing, chain.Closing)) for state in self.chains.values())

    def open_pool(self) -> pool.Open:
        """The pool; an empty one where nothing was recorded yet."""
        return self.pool if isinstance(self.pool, pool.Open) else pool.Open("")


def _remember(known: OrderedDict[str, T], session: str, value: T) -> None:
    if session in known:
        known.move_to_end(session)
    known[session] = value
    if len(known) > SHOWN_SESSIONS:
        known.popitem(last=False)
