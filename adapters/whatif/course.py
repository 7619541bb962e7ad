"""One course of a recorded past: the real decisions and policies in memory, and a driver that answers from
the record, on a clock that jumps from one thing to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from claude_pool.domain import ledger, pool, soft_limits, task
from claude_pool.domain import task_events as t
from claude_pool.domain.acceptance import Submit, SubmitChain
from claude_pool.domain.chain_events import (
    ClosingRequested,
    WorkplaceRequested,
)
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.draining import unfinished
from claude_pool.domain.errors import InvalidArgument, PoolError
from claude_pool.domain.funding import Price
from claude_pool.domain.pool_events import SoftLimitAsked
from claude_pool.domain.prices import PriceList
from claude_pool.domain.questions import AnswerQuestion
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import (
    ClearStarted,
    EffectAbandoned,
    LaunchStarted,
    SlotClaimed,
    StopStarted,
)
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.values import Outcome
from claude_pool.domain.workplace_events import WorkKeepStarted, WorkplaceWanted

from .answers import Answers, Untold
from .attempts import Attempts
from .changes import ARGUMENT, Changes
from .effects import Effects
from .memory import Memory
from .owner import Owner, has_stopped
from .record import Call, Life, Record, Room, Stop
from .scene import Scene
from .sums import Sums

LONGEST_MS = 400 * 86_400_000
"""So long after the record a course goes on at most."""
_MOST = 1_000_000
_NEVER = 1 << 62
_TOLD = 100
"""After so many tasks somebody hears how far it is."""


class Course:
    """See the module. `run` goes through all of it; `sums` says what came of it then."""

    def __init__(
        self, record: Record, changes: Changes, prices: PriceList, price: Price | None,
        tell: Callable[[int], None] = lambda _done: None, log: Memory | None = None,
    ) -> None:  # fmt: skip
        """`price` quotes a call as an owner's does; `tell` hears from time to time how many tasks ended."""
        self._tell = tell
        self.sums = Sums()
        model = record.lives[0].start.settings.options.model if record.lives else None
        self._scene = Scene(record, changes, Answers(record, prices, model))
        self._effects = Effects(self._scene)
        self._attempts = Attempts(self._scene)
        self._surroundings = Surroundings({}, price)
        self._log = Memory(self.sums) if log is None else log
        self._ringing: int | None = None
        self._settled = -1
        self._held: dict[str, list[Call]] = {}
        self._left: Mapping[str, Outcome] = {}
        self._leaving = False

    @property
    def substitutes(self) -> int:
        """So many attempts were answered that the record does not have."""
        return self._scene.answers.substitutes

    def run(self) -> Sums:
        """Go through the record, and on until nothing happens any more.

        Raises:
            InvalidArgument: the changes cannot hold, or the record does not say what they would lead to.
        """
        self._plan()
        last, told, world = self._scene.record.end + LONGEST_MS, 0, self._log.world
        try:
            while (due := self._scene.next) is not None and due <= last:
                self._next()
                done = world.completed + world.failed + world.cancelled
                if done - told >= _TOLD:
                    told = done
                    self._tell(done)
        except Untold:
            problem = "no attempt in this log came to its own end, so nothing tells what others would take"
            raise InvalidArgument(argument=ARGUMENT, problem=problem) from None
        return self.sums

    def _plan(self) -> None:
        record = self._scene.record
        for life in record.lives:
            self._scene.at(life.at, partial(self._begin, life))
        for at in record.crashes:
            self._scene.at(at, self._crash)
        for stop in record.stops:
            self._scene.at(stop.at, partial(self._stop, stop))
        for call in record.calls:
            self._scene.at(call.at, partial(self._call, call))
        for room in record.rooms:
            self._scene.at(room.at, partial(self._have, room))
        for at, slot_id, ended in record.exits:
            self._scene.at(at, partial(self._effects.exit, slot_id, ended))

    # The clock.

    def _next(self) -> None:
        """Whatever happens at the next moment, and then what the policies make of it."""
        self._scene.go_on()
        now = self._scene.time.ms
        owner = self._scene.owner
        if owner is None or (self._settled == self._log.position and self._ringing is not None):
            return  # neither the time nor the log has given the policies a reason since they came to rest
        wake = owner.react()
        if self._leaving and not unfinished(owner.world):
            self._leaving = False
            owner.ask(pool.StopOwner(True))
            wake = owner.react()
        if has_stopped(owner.world):
            owner.policies_on = False
            owner.tell(pool.RecordOwnerStopped())
            self._lose()
        else:
            self._settled = self._log.position
            self._arm(_NEVER if wake is None else max(wake, now + 1))

    def _arm(self, wake: int) -> None:
        if self._ringing != wake:
            self._ringing = wake
            if wake < _NEVER:
                self._scene.at(wake, partial(self._ring, wake))

    def _ring(self, wake: int) -> None:
        if self._ringing == wake:
            self._ringing = None

    # Owners.

    def _begin(self, life: Life) -> None:
        now = self._scene.time.ms
        owner = self._scene.owner
        if owner is None:
            owner = self._scene.owner = Owner(self._log, self._scene.time, self._surroundings, _MOST)
            owner.listen = self._heard
            owner.tell(Recover(self._left, now))
        self._leaving = False
        first = not isinstance(owner.world.pool, pool.Open)
        owner.tell(self._scene.changes.start(replace(life.start, now=now)))
        for limits in self._scene.changes.money() if first else ():
            owner.tell(limits)
        owner.policies_on = True

    def _crash(self) -> None:
        """The owner is gone, and everything with it; what its attempts did is seen by the next one."""
        if self._scene.owner is not None:
            self._left = self._attempts.seen(self._scene.owner.world)
            self._lose()

    def _lose(self) -> None:
        self._scene.owner = None
        self._ringing = None
        self._leaving = False
        self._attempts.lose()
        self._effects.lose()

    def _stop(self, stop: Stop) -> None:
        if self._scene.owner is None:
            return
        if stop.idle and unfinished(self._scene.owner.world):
            self._leaving = True  # it left because nothing was to do
            return
        self._scene.owner.ask(pool.StopOwner(stop.now))

    def _have(self, room: Room) -> None:
        self._surroundings = replace(self._surroundings, disk=room.disk, memory=room.memory)
        self._settled = -1
        if self._scene.owner is not None:
            self._scene.owner.surroundings = self._surroundings

    # Callers.

    def _call(self, call: Call) -> None:
        command: Any = call.command
        if self._scene.owner is None or self._is_overruled(command):
            return
        if call.waits is not None:
            if not self._is_asked(call):
                self._held.setdefault(call.waits, []).append(call)
                return
            if isinstance(command, soft_limits.AnswerSoftLimit):
                asked = self._scene.owner.world.open_pool().budget.asked[call.waits]
                command = replace(command, question_id=asked.question_id)
        if hasattr(command, "now"):
            command = replace(command, now=self._scene.time.ms)
        try:
            self._scene.owner.ask(command)
        except PoolError as error:
            if isinstance(command, Submit):
                self.sums.refused[command.task_id] = error.code
            elif isinstance(command, SubmitChain):
                self.sums.refused[command.chain_id] = error.code

    def _is_overruled(self, command: Command) -> bool:
        """Whether the scenario says otherwise for good."""
        changes = self._scene.changes
        match command:
            case pool.ScaleSlots() | pool.SetTargetSlots():
                return changes.sets_slots
            case ledger.SetLimits(scope):
                return (scope == ledger.WHOLE and changes.limits_pool) or scope in changes.scopes
            case _:
                return False

    def _is_asked(self, call: Call) -> bool:
        """Whether somebody waits for this now; what can never be asked any more is said, and refused."""
        assert self._scene.owner is not None and call.waits is not None
        world = self._scene.owner.world
        if isinstance(call.command, soft_limits.AnswerSoftLimit):
            return call.waits in world.open_pool().budget.asked
        state = world.tasks.get(call.waits)
        match call.command:
            case task.ApproveTask() | task.RejectTask():
                return state is None or isinstance(state, task.PendingReview)
            case AnswerQuestion(_, question_id):
                return state is None or question_id in world.questions
            case _:
                return state is None or isinstance(state, task.Sealed)

    def _asked(self, waits: str) -> None:
        """Somebody who has said something already is asked now."""
        held = self._held.pop(waits, [])
        for call in held:
            self._scene.at(self._scene.time.ms, partial(self._call, call))

    # Effects.

    def _heard(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            stream, event = fact.stream, fact.event
            match event:
                case SlotClaimed():
                    self._attempts.begin(stream, event, facts)
                case LaunchStarted(launch):
                    self._effects.launch(stream, launch)
                case ClearStarted():
                    self._effects.clear(stream)
                case StopStarted():
                    self._effects.end_process(stream)
                case EffectAbandoned():
                    self._effects.give_up(stream)
                    self._attempts.give_up(stream)
                case WorkplaceWanted():
                    self._effects.house(stream)
                case WorkKeepStarted(remove):
                    self._effects.keep(stream, remove)
                case WorkplaceRequested():
                    self._effects.copy(stream)
                case ClosingRequested():
                    self._effects.close(stream)
                case t.CancelRequested() | t.InterruptRequested():
                    self._attempts.interrupt(stream)
                case t.ReviewRequested() | t.TaskSealed() | t.QuestionAsked():
                    self._asked(stream)
                case t.QuestionAnswered(question_id) | t.QuestionExpired(question_id):
                    self._attempts.answered(stream, question_id)
                case SoftLimitAsked(_, scope):
                    self._asked(scope)
                case _:
                    pass
