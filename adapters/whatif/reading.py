"""Reads a log into a `Record`: every append says by its facts which command of whom it came of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from claude_pool.domain import chain_events as c
from claude_pool.domain import ledger, pool, slot, soft_limits, task
from claude_pool.domain import pool_events as p
from claude_pool.domain import slot_events as s
from claude_pool.domain import task_events as t
from claude_pool.domain import workplace_events as w
from claude_pool.domain.attempts import Claim
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.messaging import MessageCommand
from claude_pool.domain.questions import AnswerQuestion
from claude_pool.domain.recorded_calls import call_of, comes_from_outside
from claude_pool.domain.records import Actor, Event, Fact, Recorded
from claude_pool.domain.room import DISK_SPACE, Disk, Memory
from claude_pool.domain.values import Limit
from claude_pool.domain.world import POOL, World

from .record import Append, Attempted, Call, Ceased, Launched, Life, Record, Room, Stop, Waited, Window

_EARLIER_MS = 120_000
"""Nothing is known of the provider so long before an attempt that it refused."""


def appends(events: Iterable[Recorded]) -> Iterator[Append]:
    """The events of a log by the append that they came in."""
    facts: list[Fact] = []
    command, at, actor = "", 0, Actor.POLICY
    for recorded in events:
        meta = recorded.meta
        if meta.command_id != command:
            if facts:
                yield Append(at, actor, tuple(facts))
            facts, command, at, actor = [], meta.command_id, meta.recorded_at, meta.actor
        facts.append(Fact(recorded.stream, recorded.event))
    if facts:
        yield Append(at, actor, tuple(facts))


def read(log: Iterable[Append]) -> Record:
    """Everything that `log` says about the world around the core."""
    reading = _Reading()
    for append in log:
        reading.take(append)
    return reading.done()


class _Reading:
    """What is found on the way through one log. `_running` maps a task to its live attempt, `_since` a stream
    to when what it waits for was begun. `_world` knows of the pool alone."""

    def __init__(self) -> None:
        self.record = Record()
        self._at = self._before = 0
        self._actor = Actor.POLICY
        self._facts: tuple[Fact, ...] = ()
        self._running: dict[str, Attempted] = {}
        self._busy: dict[str, str] = {}
        self._since: dict[str, tuple[str, int, int]] = {}
        self._resumed: set[str] = set()
        self._asked: dict[str, tuple[int, t.QuestionAsked]] = {}
        self._todo: set[str] = set()
        self._owned = False
        self._world = World()
        self._disk: Disk | None = None
        self._memory: Memory | None = None

    def take(self, append: Append) -> None:
        self._at, self._actor, self._facts = append
        if comes_from_outside(self._actor, self._facts):
            self._from_outside()
        for fact in append.facts:
            if fact.stream.startswith("task-"):
                self._task(fact.stream, fact.event)
            elif fact.stream.startswith("slot-"):
                self._slot(fact.stream, fact.event)
            elif fact.stream.startswith("chain-"):
                self._chain(fact.stream, fact.event)
            elif fact.stream == POOL:
                self._pool(fact.event)
                self._world.apply(0, POOL, 0, fact.event)
        self._before = self._at

    def done(self) -> Record:
        record = self.record
        record.end, record.live = self._before, len(self._todo)
        for task_id, attempted in self._running.items():
            attempted.ms, attempted.cut = record.end - attempted.started_at, True
            record.attempts.setdefault(task_id, []).append(attempted)
        record.windows = _windows(record)
        return record

    def _has(self, *kinds: type[Event]) -> bool:
        return any(isinstance(fact.event, kinds) for fact in self._facts)

    def _call(self, command: Command, waits: str | None = None) -> None:
        self.record.calls.append(Call(self._at, command, waits))

    # Tasks.

    def _task(self, stream: str, event: Event) -> None:
        match event:
            case t.TaskSubmitted(spec=spec):
                self.record.specs[stream] = spec
                self._todo.add(stream)
            case t.AttemptStarted():
                self._started(stream, event)
            case t.CancelRequested():
                self._ask_to_end(stream, "cancel")
            case t.InterruptRequested(_, code):
                self._ask_to_end(stream, code)
            case t.AttemptSucceeded() | t.AttemptFailed() | t.AttemptCancelled() | t.AttemptSealed():
                self._ended(stream, event)
            case t.TaskReopened(how):
                self._todo.add(stream)
                if how == "resume":
                    self._resumed.add(stream)
            case t.TaskRejected():
                self._todo.add(stream)
            case t.ReviewRequested() | t.TaskSealed():
                self._todo.discard(stream)
            case t.QuestionAsked():
                running = self._running.get(stream)
                if running is not None:
                    self._asked[event.question_id] = self._at - running.started_at, event
            case t.QuestionAnswered(question_id):
                self._answered(stream, question_id)
            case t.QuestionExpired(question_id, why):
                if why == "deadline":
                    self._answered(stream, question_id)
            case t.TaskCompleted() | t.TaskFailed() | t.TaskCancelled():
                self._todo.discard(stream)
            case _:
                pass

    def _started(self, stream: str, event: t.AttemptStarted) -> None:
        replaces = any(isinstance(f.event, s.SlotClaimed) and f.event.replaces for f in self._facts)
        limited = event.cap is not None or event.reserved > 0
        self._running[stream] = Attempted(
            event.attempt, event.slot_id, self._at, event.model, stream in self._resumed, replaces,
            cap=event.cap, ahead=event.ahead, funds=[(0, event.reserved)] if limited else [],
        )  # fmt: skip
        self._resumed.discard(stream)

    def _ask_to_end(self, stream: str, code: str) -> None:
        running = self._running.get(stream)
        if running is not None and running.asked is None:
            offset = self._at - running.started_at
            running.asked = offset, code
            if code == "task_budget_reached" and running.funds:
                had = running.funds[-1][1] if running.cap is None else running.cap
                running.calls.append((offset, had))

    def _answered(self, stream: str, question_id: str) -> None:
        running, asked = self._running.get(stream), self._asked.pop(question_id, None)
        if running is not None and asked is not None:
            offset, question = asked
            running.questions.append(Waited(offset, question, self._at - running.started_at - offset))

    def _ended(
        self,
        stream: str,
        event: t.AttemptSucceeded | t.AttemptFailed | t.AttemptCancelled | t.AttemptSealed,
    ) -> None:
        attempted = self._running.pop(stream, None)
        if attempted is None:
            return
        outcome, slot_id = event.outcome, attempted.slot_id
        lost = self._is_recovery()
        attempted.cut = lost or (isinstance(event, t.AttemptSealed) and attempted.asked is None)
        attempted.ms = (self._lost_at() if lost else self._at) - attempted.started_at
        for fact in self._facts:
            match fact.event:
                case s.SlotReleased(_, _, _, rss, session):
                    attempted.rss_mb, attempted.lost_session = rss, not session
                case s.ProcessEnded() if fact.stream == slot_id:
                    attempted.alive = False
                case s.EffectAbandoned():
                    attempted.hung = True
                case p.ProviderLimited(kind, until):
                    attempted.limit = outcome.limit or Limit(kind, until)
                case _:
                    pass
        attempted.outcome = replace(outcome, limit=attempted.limit)
        self.record.attempts.setdefault(stream, []).append(attempted)

    # Slots.

    def _slot(self, stream: str, event: Event) -> None:
        match event:
            case s.SlotClaimed(attempt):
                self._busy[stream] = attempt.rpartition(".")[0]
            case s.SlotReleased():
                self._busy.pop(stream, None)
                self._since[stream] = ("released", self._at, 0)
            case s.ProcessReplaced():
                running = self._running.get(self._busy.get(stream, ""))
                if running is not None:
                    running.launch_ms = self._at - running.started_at
            case s.LaunchStarted(launch):
                self._since[stream] = ("launch", self._at, launch)
            case s.LaunchSucceeded():
                self._launched(stream, Launched(self._took(stream)))
            case s.LaunchFailed():
                hung = self._has(s.EffectAbandoned)
                self._launched(stream, Launched(None if hung else self._took(stream), event))
            case s.ClearStarted():
                self._since[stream] = ("clear", self._at, 0)
            case s.SessionPrepared(session):
                cleared = Ceased(self._took(stream), None, session)
                self.record.clears.setdefault(stream, []).append(cleared)
                self._since.pop(stream, None)
            case s.StopStarted():
                self._since[stream] = ("stop", self._at, 0)
            case s.ProcessEnded():
                self._process_ended(stream, event)
            case w.WorkplaceWanted() | w.WorkKeepStarted():
                self._since[stream] = ("house", self._at, 0)
            case w.WorkplaceMade() | w.WorkplaceFailed():
                self.record.housed.setdefault(stream, []).append((self._took(stream), event))
            case w.WorkKept() | w.WorkNotKept():
                self.record.kept.setdefault(stream, []).append((self._took(stream), event))
            case _:
                pass

    def _took(self, stream: str) -> int:
        return self._at - self._since[stream][1] if stream in self._since else 0

    def _launched(self, stream: str, launched: Launched) -> None:
        _, _, number = self._since.pop(stream, ("", 0, 0))
        self.record.launches.setdefault(stream, {})[number] = launched

    def _process_ended(self, stream: str, event: s.ProcessEnded) -> None:
        what, since, _ = self._since.pop(stream, ("", 0, 0))
        ms = None if self._has(s.EffectAbandoned) else self._at - since
        if what == "clear":
            self.record.clears.setdefault(stream, []).append(Ceased(ms, event))
        elif what == "stop":
            self.record.stopped.setdefault(stream, []).append(Ceased(ms, event))
        elif not self._has(s.SlotReleased):
            self.record.exits.append((self._at, stream, event))

    # Chains.

    def _chain(self, stream: str, event: Event) -> None:
        match event:
            case c.WorkplaceRequested() | c.ClosingRequested():
                self._since[stream] = ("chain", self._at, 0)
            case c.WorkplaceMade() | c.WorkplaceRefused():
                self.record.copies[stream] = self._took(stream), event
            case c.WorkKept():
                self.record.closings[stream] = self._took(stream), event
            case _:
                pass

    # The pool.

    def _pool(self, event: Event) -> None:
        match event:
            case p.FundsToppedUp(attempt, amount):
                self._topped_up(attempt.rpartition(".")[0], amount)
            case p.FundsCharged(slot_id, cost, why):
                self._call(ledger.ChargeFunds(slot_id, cost, why, self._at))
            case p.LaunchesHeld(available, _):
                self._room(self._disk, Memory(available, available + 1))
            case p.LaunchesAllowed():
                self._room(self._disk, None)
            case p.PoolPaused(reason) if reason == DISK_SPACE:
                self._room(Disk(0, 1), self._memory)
            case p.PoolResumed() if self._disk is not None and self._actor is Actor.POLICY:
                self._room(None, self._memory)
            case _:
                pass

    def _room(self, disk: Disk | None, memory: Memory | None) -> None:
        self._disk, self._memory = disk, memory
        self.record.rooms.append(Room(self._at, disk, memory))

    def _topped_up(self, task_id: str, amount: int) -> None:
        """The attempt had spent so much that it got `amount`: the rule of `funding.top_up`, backwards."""
        running = self._running.get(task_id)
        if running is None or not running.funds:
            return
        offset, had, first = self._at - running.started_at, running.funds[-1][1], running.funds[0][1]
        if not running.ahead:
            spent = had + max(0, amount - first)
        elif amount > first:
            spent = had + amount - running.ahead
        else:
            spent = had - running.ahead + 1
        running.calls.append((offset, max(0, spent)))
        running.funds.append((offset, had + amount))

    def _lose_owner(self) -> None:
        if self._owned:
            self.record.crashes.append(self._lost_at())
        self._owned = False

    def _lost_at(self) -> int:
        """When an owner died of which only the next one tells: nothing of it came later."""
        return self._before + 1

    def _is_recovery(self) -> bool:
        stopped = (f.event for f in self._facts if isinstance(f.event, s.SlotStopped))
        return any(event.reason == slot.OWNER_LOST for event in stopped)

    # What was asked for.

    def _from_outside(self) -> None:
        """Whoever asked for this append does so again."""
        command = call_of(self._facts, self._world, self._at)
        match command:
            case pool.StartOwner():
                self._lose_owner()
                self._owned = True
                self.record.lives.append(Life(self._at, command))
            case pool.StopOwner(now):
                self.record.stops.append(Stop(self._at, now, not self._todo))
            case pool.RecordOwnerStopped():
                self._owned = False
            case Recover():
                self._lose_owner()
            case task.ApproveTask() | task.RejectTask() | task.ReopenTask() | AnswerQuestion():
                self._call(command, command.task_id)
            case soft_limits.AnswerSoftLimit():
                scopes = (f.event.scope for f in self._facts if isinstance(f.event, p.SoftLimitAnswered))
                self._call(command, next(scopes))
            case None | Claim() | pool.IdentifyCli() | pool.AcceptRollback():
                pass  # the policies claim by themselves; the others change nothing here
            case _ if not isinstance(command, MessageCommand):
                self._call(command)
            case _:
                pass  # what slots are told does not change what they are recorded to do


def _windows(record: Record) -> list[Window]:
    """When the provider served nobody, as far as attempts tell: it began and ended half-way between one that
    was served and one that was not, or ended when the provider said so."""
    every = [a for attempts in record.attempts.values() for a in attempts if a.outcome is not None]
    began = sorted(a.started_at for a in every if a.limit is None)
    ended = sorted(a.started_at + a.ms for a in every if a.limit is None)
    groups: dict[int | None, list[Attempted]] = {}
    for refused in sorted((a for a in every if a.limit is not None), key=lambda a: a.started_at):
        place = bisect_right(began, refused.started_at + refused.ms)
        groups.setdefault(began[place] if place < len(began) else None, []).append(refused)
    return [_window(group, after, ended) for after, group in groups.items()]


def _window(group: list[Attempted], after: int | None, ended: list[int]) -> Window:
    first, last = group[0], max(group, key=lambda a: a.started_at + a.ms)
    limit, outcome = last.limit, last.outcome
    assert limit is not None and outcome is not None
    place = bisect_right(ended, first.started_at)
    before = max(ended[place - 1] if place else 0, first.started_at - _EARLIER_MS)
    until = None if after is None else (last.started_at + last.ms + after) // 2
    if limit.until is not None:
        until = limit.until if after is None else min(limit.until, after)
    return Window((before + first.started_at) // 2, until, limit, outcome)
