"""One course of a recorded past: the real decisions and policies in memory, and a driver that answers from
the record, on a clock that jumps from one thing to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush
from typing import Any

from claude_pool.domain import chain, ledger, pool, slot, soft_limits, task
from claude_pool.domain import task_events as t
from claude_pool.domain.acceptance import Submit, SubmitChain
from claude_pool.domain.attempts import RecordEnd, RecordSpend
from claude_pool.domain.chain_events import (
    ClosingRequested,
    WorkKept,
    WorkplaceRefused,
    WorkplaceRequested,
)
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.draining import unfinished
from claude_pool.domain.errors import InvalidArgument, PoolError
from claude_pool.domain.funding import Price
from claude_pool.domain.housing import (
    RecordWorkKept,
    RecordWorkNotKept,
    RecordWorkplaceFailed,
    RecordWorkplaceMade,
)
from claude_pool.domain.isolation import Workplace
from claude_pool.domain.pool_events import SoftLimitAsked
from claude_pool.domain.prices import PriceList
from claude_pool.domain.questions import AnswerQuestion, AskQuestion, Question
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import (
    ClearStarted,
    EffectAbandoned,
    LaunchStarted,
    ProcessEnded,
    SlotClaimed,
    StopStarted,
)
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.values import Outcome, Text
from claude_pool.domain.workplace_events import WorkKeepStarted, WorkplaceMade, WorkplaceWanted
from claude_pool.domain.workplace_events import WorkKept as SlotWorkKept
from claude_pool.domain.world import World

from .answers import Answer, Answers, Untold, cut_short
from .changes import ARGUMENT, Changes
from .owner import Entry, Owner, has_stopped
from .record import Call, Ceased, Life, Record, Room, Stop, Waited
from .sums import Sums

LONGEST_MS = 400 * 86_400_000
"""So long after the record a course goes on at most."""
_MOST = 1_000_000
_NEVER = 1 << 62
_TOLD = 100
"""After so many tasks somebody hears how far it is."""


class Memory:
    """A log that keeps nothing: the view of a course outlives its owners."""

    def __init__(self, sums: Sums) -> None:
        """`sums` counts what is appended."""
        self.world = World()
        self._sums = sums
        self.position = 0
        self.versions: dict[str, int] = {}
        self._last = 0

    def opened(self) -> World:
        """The view of a new owner."""
        return self.world

    def last(self) -> int:
        """The time (ms) of the last append."""
        return self._last

    def append(self, facts: Sequence[Fact], _expected: Mapping[str, int], now: int, /) -> list[Entry]:
        """Take `facts`."""
        written: list[Entry] = []
        for fact in facts:
            version = self.versions[fact.stream] = self.versions.get(fact.stream, 0) + 1
            self.position += 1
            written.append((self.position, fact.stream, version, fact.event))
        self._last = now
        self._sums.take(now, facts)
        return written


class Time:
    """The clock of a course."""

    def __init__(self) -> None:
        """It stands at 0."""
        self.ms = 0

    def now(self) -> int:
        """See `System.now`."""
        return self.ms

    def begin_after(self, _recorded: int, /) -> int:
        """See `System.begin_after`: it never went back."""
        return 0


@dataclass(eq=False, slots=True)
class _Turn:
    """An attempt that runs: its answer, when it is due, and how long it has waited for people beyond what it
    did in the record."""

    task_id: str
    number: int
    slot_id: str
    claim: SlotClaimed
    began: int
    answer: Answer
    due: int
    cap: int | None
    ahead: int
    ending: bool = False
    asking: int = 0


class Course:
    """See the module. `run` goes through all of it; `sums` says what came of it then."""

    def __init__(
        self, record: Record, changes: Changes, prices: PriceList, price: Price | None,
        tell: Callable[[int], None] = lambda _done: None, log: Memory | None = None,
    ) -> None:  # fmt: skip
        """`price` quotes a call as an owner's does; `tell` hears from time to time how many tasks ended."""
        self._record = record
        self._changes = changes
        self._tell = tell
        self.sums = Sums()
        model = record.lives[0].start.settings.options.model if record.lives else None
        self._answers = Answers(record, prices, model)
        self._clear_like, self._stop_like = _typical(record.clears), _typical(record.stopped)
        self._models = {
            (task_id, a.number): a.model for task_id, each in record.attempts.items() for a in each
        }
        self._surroundings = Surroundings({}, price)
        self._time = Time()
        self._log = Memory(self.sums) if log is None else log
        self._owner: Owner | None = None
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._ringing: int | None = None
        self._settled = -1
        self._turns: dict[str, _Turn] = {}
        self._effects: dict[str, int] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._held: dict[str, list[Call]] = {}
        self._left: Mapping[str, Outcome] = {}
        self._leaving = False

    @property
    def substitutes(self) -> int:
        """So many attempts were answered that the record does not have."""
        return self._answers.substitutes

    def run(self) -> Sums:
        """Go through the record, and on until nothing happens any more.

        Raises:
            InvalidArgument: the changes cannot hold, or the record does not say what they would lead to.
        """
        self._plan()
        last, told, world = self._record.end + LONGEST_MS, 0, self._log.world
        try:
            while self._agenda and self._agenda[0][0] <= last:
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
        record = self._record
        for life in record.lives:
            self._at(life.at, partial(self._begin, life))
        for at in record.crashes:
            self._at(at, self._crash)
        for stop in record.stops:
            self._at(stop.at, partial(self._stop, stop))
        for call in record.calls:
            self._at(call.at, partial(self._call, call))
        for room in record.rooms:
            self._at(room.at, partial(self._have, room))
        for at, slot_id, ended in record.exits:
            self._at(at, partial(self._exit, slot_id, ended))

    # The clock.

    def _at(self, ms: int, happens: Callable[[], None]) -> None:
        self._order += 1
        heappush(self._agenda, (max(ms, self._time.ms), self._order, happens))

    def _next(self) -> None:
        """Whatever happens at the next moment, and then what the policies make of it."""
        now = self._agenda[0][0]
        self._time.ms = now
        while self._agenda and self._agenda[0][0] == now:
            heappop(self._agenda)[2]()
        owner = self._owner
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
                self._at(wake, partial(self._ring, wake))

    def _ring(self, wake: int) -> None:
        if self._ringing == wake:
            self._ringing = None

    # Owners.

    def _begin(self, life: Life) -> None:
        now = self._time.ms
        owner = self._owner
        if owner is None:
            owner = self._owner = Owner(self._log, self._time, self._surroundings, _MOST)
            owner.listen = self._heard
            owner.tell(Recover(self._left, now))
        self._leaving = False
        first = not isinstance(owner.world.pool, pool.Open)
        owner.tell(self._changes.start(replace(life.start, now=now)))
        for limits in self._changes.money() if first else ():
            owner.tell(limits)
        owner.policies_on = True

    def _crash(self) -> None:
        """The owner is gone, and everything with it; what its attempts did is seen by the next one."""
        if self._owner is not None:
            self._left = self._seen(self._owner.world)
            self._lose()

    def _seen(self, world: World) -> dict[str, Outcome]:
        return {
            f"{turn.task_id}.{turn.number}": self._answers.cut(
                turn.task_id, turn.answer, self._time.ms - turn.began,
                world.tasks[turn.task_id].job.spec.on_interrupt == "resume",
            )
            for turn in self._turns.values()
        }  # fmt: skip

    def _lose(self) -> None:
        self._owner = None
        self._ringing = None
        self._leaving = False
        self._turns.clear()
        self._effects.clear()

    def _stop(self, stop: Stop) -> None:
        if self._owner is None:
            return
        if stop.idle and unfinished(self._owner.world):
            self._leaving = True  # it left because nothing was to do
            return
        self._owner.ask(pool.StopOwner(stop.now))

    def _have(self, room: Room) -> None:
        self._surroundings = replace(self._surroundings, disk=room.disk, memory=room.memory)
        self._settled = -1
        if self._owner is not None:
            self._owner.surroundings = self._surroundings

    # Callers.

    def _call(self, call: Call) -> None:
        command: Any = call.command
        if self._owner is None or self._is_overruled(command):
            return
        if call.waits is not None:
            if not self._is_asked(call):
                self._held.setdefault(call.waits, []).append(call)
                return
            if isinstance(command, soft_limits.AnswerSoftLimit):
                asked = self._owner.world.open_pool().budget.asked[call.waits]
                command = replace(command, question_id=asked.question_id)
        if hasattr(command, "now"):
            command = replace(command, now=self._time.ms)
        try:
            self._owner.ask(command)
        except PoolError as error:
            if isinstance(command, Submit):
                self.sums.refused[command.task_id] = error.code
            elif isinstance(command, SubmitChain):
                self.sums.refused[command.chain_id] = error.code

    def _is_overruled(self, command: Command) -> bool:
        """Whether the scenario says otherwise for good."""
        changes = self._changes
        match command:
            case pool.ScaleSlots() | pool.SetTargetSlots():
                return changes.sets_slots
            case ledger.SetLimits(scope):
                return (scope == ledger.WHOLE and changes.limits_pool) or scope in changes.scopes
            case _:
                return False

    def _is_asked(self, call: Call) -> bool:
        """Whether somebody waits for this now; what can never be asked any more is said, and refused."""
        assert self._owner is not None and call.waits is not None
        world = self._owner.world
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
            self._at(self._time.ms, partial(self._call, call))

    # Effects.

    def _heard(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            stream, event = fact.stream, fact.event
            match event:
                case SlotClaimed():
                    self._attempt(stream, event, facts)
                case LaunchStarted(launch):
                    self._launch(stream, launch)
                case ClearStarted():
                    self._clear(stream)
                case StopStarted():
                    self._end_process(stream)
                case EffectAbandoned():
                    self._effects.pop(stream, None)
                    self._turns.pop(stream, None)
                case WorkplaceWanted():
                    self._house(stream)
                case WorkKeepStarted(remove):
                    self._keep(stream, remove)
                case WorkplaceRequested():
                    self._copy(stream)
                case ClosingRequested():
                    self._close(stream)
                case t.CancelRequested() | t.InterruptRequested():
                    self._interrupt(stream)
                case t.ReviewRequested() | t.TaskSealed() | t.QuestionAsked():
                    self._asked(stream)
                case t.QuestionAnswered(question_id) | t.QuestionExpired(question_id):
                    self._answered(stream, question_id)
                case SoftLimitAsked(_, scope):
                    self._asked(scope)
                case _:
                    pass

    def _later(self, slot_id: str, ms: int | None, ends: Callable[[], Command]) -> None:
        """The slot's effect ends in `ms` (None: never), unless something else has ended it by then."""
        self._order += 1
        mark = self._effects[slot_id] = self._order

        def end() -> None:
            if self._effects.get(slot_id) == mark and self._owner is not None:
                del self._effects[slot_id]
                self._owner.tell(ends())

        if ms is not None:
            self._at(self._time.ms + ms, end)

    def _count(self, kind: str, stream: str) -> int:
        """Which one it is of its kind there: 0, 1, 2 …"""
        number = self._counts.get((kind, stream), 0)
        self._counts[kind, stream] = number + 1
        return number

    def _launch(self, slot_id: str, number: int) -> None:
        known = self._record.launches.get(slot_id, {}).get(number)
        failed = None if known is None else known.failed

        def ends() -> Command:
            if failed is not None:
                return slot.RecordLaunchFailed(slot_id, number, failed.code, failed.problem, self._time.ms)
            return slot.RecordLaunched(slot_id, number, 1, "")

        self._later(slot_id, self._answers.launch_ms if known is None else known.ms, ends)

    def _clear(self, slot_id: str) -> None:
        known = self._record.clears.get(slot_id, [])
        number = self._count("clear", slot_id)
        found = known[number] if number < len(known) else self._clear_like

        def ends() -> Command:
            if found.ended is not None:
                return self._gone(slot_id, found.ended)
            return slot.RecordCleared(slot_id, found.session or f"cleared-{slot_id}-{number}")

        self._later(slot_id, found.ms, ends)

    def _end_process(self, slot_id: str) -> None:
        known = self._record.stopped.get(slot_id, [])
        number = self._count("stop", slot_id)
        found = known[number] if number < len(known) else self._stop_like
        over = found.ended or ProcessEnded(0, True, 0, 0, "", 0)
        self._later(slot_id, found.ms, lambda: replace(self._gone(slot_id, over), expected=True))

    def _gone(self, slot_id: str, ended: ProcessEnded) -> slot.RecordProcessEnded:
        return slot.RecordProcessEnded(
            slot_id, ended.expected, ended.exit_code, ended.killed, ended.problem, self._time.ms
        )

    def _exit(self, slot_id: str, ended: ProcessEnded) -> None:
        """An idle process ended by itself."""
        owner = self._owner
        if owner is not None and isinstance(owner.world.slots.get(slot_id), slot.Idle):
            owner.tell(self._gone(slot_id, ended))

    def _house(self, slot_id: str) -> None:
        known = self._record.housed.get(slot_id, [])
        number = self._count("house", slot_id)
        ms, event = known[min(number, len(known) - 1)] if known else (0, None)

        def ends() -> Command:
            if event is None:
                path = f"/worktrees/{slot_id}"
                made = Workplace(slot_id, "worktree", path, path, "", slot_id, "", None)
                return RecordWorkplaceMade(slot_id, made)
            if isinstance(event, WorkplaceMade):
                return RecordWorkplaceMade(slot_id, event.workplace)
            return RecordWorkplaceFailed(slot_id, event.code, event.problem, self._time.ms)

        self._later(slot_id, ms, ends)

    def _keep(self, slot_id: str, remove: bool) -> None:
        known = self._record.kept.get(slot_id, [])
        number = self._count("keep", slot_id)
        ms, event = known[min(number, len(known) - 1)] if known else (0, None)

        def ends() -> Command:
            if isinstance(event, SlotWorkKept):
                return RecordWorkKept(slot_id, replace(event, removed=remove))
            if event is not None:
                return RecordWorkNotKept(slot_id, event.problem)
            return RecordWorkNotKept(slot_id, "")

        self._later(slot_id, ms, ends)

    def _copy(self, chain_id: str) -> None:
        ms, made = self._record.copies.get(chain_id, (0, None))
        made = made or WorkplaceRefused("isolation_failed", "The record does not tell of its copy.")
        self._tell_later(ms, lambda: chain.RecordWorkplace(chain_id, made, self._time.ms))

    def _close(self, chain_id: str) -> None:
        ms, kept = self._record.closings.get(chain_id, (0, None))
        found = kept or WorkKept(chain_id, "kept", 0, Text())
        self._tell_later(ms, lambda: chain.RecordWorkKept(chain_id, found))

    def _tell_later(self, ms: int, ends: Callable[[], Command]) -> None:
        owner = self._owner

        def end() -> None:
            if self._owner is not None and self._owner is owner:
                self._owner.tell(ends())

        self._at(self._time.ms + ms, end)

    # Attempts.

    def _attempt(self, slot_id: str, claim: SlotClaimed, facts: Sequence[Fact]) -> None:
        started = next(f.event for f in facts if isinstance(f.event, t.AttemptStarted))
        task_id, now = claim.attempt.rpartition(".")[0], self._time.ms
        answer = self._answers.answer(task_id, claim.replaces, now)
        was = self._models.get((task_id, started.attempt), started.model)
        if was != started.model:
            outcome = self._answers.priced(answer.outcome, was, started.model, started.permission_mode)
            answer = _dearer(answer, outcome)
        turn = _Turn(
            task_id, started.attempt, slot_id, claim, now, answer, now + answer.ms, started.cap, started.ahead
        )
        self._turns[slot_id] = turn
        if answer.hung and answer.dies_first:
            return
        if claim.replaces and not answer.dies_first:
            self._during(turn, answer.launch_ms, partial(self._replaced, turn))
        if started.cap is not None or started.reserved:
            for offset, cost in answer.spent:
                self._during(turn, offset, partial(self._spend, turn, cost))
        for waited in answer.questions:
            self._during(turn, waited.offset, partial(self._ask, turn, waited))
        self._at(turn.due, partial(self._end, turn))

    def _during(self, turn: _Turn, offset: int, happens: Callable[[], None]) -> None:
        def now() -> None:
            if self._turns.get(turn.slot_id) is turn and self._owner is not None:
                happens()

        self._at(turn.began + offset, now)

    def _replaced(self, turn: _Turn) -> None:
        assert self._owner is not None
        self._owner.tell(slot.RecordLaunched(turn.slot_id, turn.claim.launch, 1, ""))

    def _spend(self, turn: _Turn, cost: int) -> None:
        owner = self._owner
        assert owner is not None
        held = owner.world.open_pool().budget.held.get(turn.claim.attempt)
        plenty = held is not None and turn.cap is None and cost + turn.ahead < held.amount
        if not (turn.ending or plenty):  # as a driver, which says nothing before that
            owner.tell(RecordSpend(turn.task_id, turn.number, cost, self._time.ms))

    def _ask(self, turn: _Turn, waited: Waited) -> None:
        owner, now = self._owner, self._time.ms
        assert owner is not None
        if turn.ending:
            return
        q, question_ms = waited.question, self._changes.question_ms()
        patience = q.deadline - q.at if question_ms is None else question_ms
        asks = Question(q.question_id, q.tool, q.input, q.text, now + patience, now)
        turn.asking += 1
        turn.due -= waited.ms
        owner.tell(AskQuestion(turn.task_id, turn.number, asks))

    def _answered(self, task_id: str, question_id: str) -> None:
        turn = self._turn_of(task_id)
        if turn is None or not turn.asking:
            return
        for waited in turn.answer.questions:
            if waited.question.question_id == question_id:
                turn.asking -= 1
                asked = turn.began + waited.offset
                turn.due += self._time.ms - asked
                self._at(turn.due, partial(self._end, turn))

    def _turn_of(self, task_id: str) -> _Turn | None:
        return next((turn for turn in self._turns.values() if turn.task_id == task_id), None)

    def _interrupt(self, task_id: str) -> None:
        """The attempt is asked to end: it does as in the record, where that is when it was asked there."""
        turn = self._turn_of(task_id)
        if turn is None or turn.ending:
            return
        turn.ending = True
        ran = self._time.ms - turn.began
        ended = turn.answer.ended_at(ran)
        if ended is not None:
            if ended.hung or ended.outcome is None or ended.asked is None:
                return  # until the core gives it up
            self._cut_off(turn, max(0, ended.ms - ended.asked[0]), ended.outcome, ended.alive)
            return
        lag = self._answers.lag_ms
        if turn.asking or turn.due > self._time.ms + lag:
            self._cut_off(turn, lag, cut_short(turn.answer, ran), True)

    def _cut_off(self, turn: _Turn, lag: int, outcome: Outcome, alive: bool) -> None:
        turn.answer = replace(turn.answer, outcome=outcome, alive=alive)
        turn.asking = 0
        turn.due = self._time.ms + lag
        self._at(turn.due, partial(self._end, turn))

    def _end(self, turn: _Turn) -> None:
        owner = self._owner
        if owner is None or self._turns.get(turn.slot_id) is not turn:
            return
        if turn.asking or turn.due > self._time.ms:
            return
        del self._turns[turn.slot_id]
        answer = turn.answer
        session = "" if answer.lost_session else turn.claim.session
        owner.tell(
            RecordEnd(
                turn.task_id, turn.number, turn.slot_id, answer.outcome, session, answer.alive,
                answer.rss_mb, self._time.ms,
            )
        )  # fmt: skip


def _dearer(answer: Answer, outcome: Outcome) -> Answer:
    """The answer on another model, where it costs something else on the way, too."""
    before = answer.outcome.cost
    if not before:
        return answer
    spent = tuple((ms, cost * outcome.cost // before) for ms, cost in answer.spent)
    return replace(answer, outcome=outcome, spent=spent)


def _typical(known: Mapping[str, Sequence[Ceased]]) -> Ceased:
    """One that takes the median of what the record has."""
    times = sorted(each.ms for found in known.values() for each in found if each.ms is not None)
    return Ceased(times[len(times) // 2] if times else 0)
