"""A case played again: the real service, policies and runtime, callers who ask for the same in the same
order, and slots that say what they said.

As long as what happens is what was recorded, the recording leads: it says when policies look, when callers
ask, and when slots answer. From the first difference on the pool goes its own way, and callers and slots do
what they did as far as there is an occasion for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from claude_pool.domain import chain, slot, task
from claude_pool.domain import pool as pools
from claude_pool.domain.attempts import RecordEnd
from claude_pool.domain.chain_events import WorkKept as ChainWorkKept
from claude_pool.domain.chain_events import WorkplaceMade, WorkplaceRefused
from claude_pool.domain.claims import claim_for
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.errors import PoolError
from claude_pool.domain.funding import Quote
from claude_pool.domain.housing import (
    RecordWorkKept,
    RecordWorkNotKept,
    RecordWorkplaceFailed,
    RecordWorkplaceMade,
)
from claude_pool.domain.message_events import MessageAccepted, MessagesRead
from claude_pool.domain.policies import next_command, next_wake
from claude_pool.domain.pool_events import (
    FundsCharged,
    FundsToppedUp,
    LaunchesAllowed,
    LaunchesHeld,
    OwnerStarted,
    PoolPaused,
    PoolResumed,
    ProviderLimited,
)
from claude_pool.domain.ports import ProcessEnd
from claude_pool.domain.prices import PriceList
from claude_pool.domain.recorded_calls import call_of, comes_from_outside
from claude_pool.domain.records import Actor, Fact, Meta, Recorded
from claude_pool.domain.room import DISK_SPACE, Disk, Memory
from claude_pool.domain.slot_events import (
    LaunchFailed,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
    SlotClaimed,
    SlotReleased,
)
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptSucceeded,
    InterruptRequested,
    QuestionAsked,
    QuestionExpired,
)
from claude_pool.domain.values import Limit, Outcome, TaskSpec, attempt_id
from claude_pool.domain.workplace_events import WorkKept, WorkNotKept, WorkplaceFailed
from claude_pool.domain.workplace_events import WorkplaceMade as SlotWorkplaceMade
from claude_pool.domain.world import World

from ..claude.price_file import price_list
from ..git.workplaces import GitWorkplaces
from ..isolating import ChainIsolation
from ..messages import Messages
from ..origins import Origin
from ..progress import Progress
from ..runtime import Runtime
from ..service import Service
from ..slot_desk import SlotDesk
from ..store.blobs import MemoryBlobs
from ..store.chain import decoded
from ..store.memory import MemoryEventLog
from ..store.registry import default_codec
from .case import Case
from .cassette import Cassette, Ended
from .surroundings import RecordedSurroundings

_ROUNDS = 4
_PATIENCE_SECONDS = 5.0
_LATER_SECONDS = 0.2
_LATE_MS = 60_000
_END = (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed)


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


class RecordedTime:
    """A `System` whose clock shows the recorded times, and whose names are the recorded ones."""

    def __init__(self) -> None:
        """The clock has not been set."""
        self.time = 0
        self.command = ""
        self._messages: list[str] = []
        self._made = 0

    def expect(self, message_ids: Iterable[str]) -> None:
        """These ids of slots' messages come next."""
        self._messages += message_ids

    def now(self) -> int:
        """See `System.now`."""
        return self.time

    def begin_after(self, recorded: int) -> int:
        """See `System.begin_after`."""
        self.time = max(self.time, recorded)
        return 0

    def catch_up(self) -> None:
        """See `System.catch_up`."""

    def of_wall(self, moment: int) -> int:
        """See `System.of_wall`."""
        return moment

    def new_id(self, kind: str) -> str:
        """See `System.new_id`."""
        if kind == "msg" and self._messages:
            return self._messages.pop(0)
        if kind == "cmd" and self.command:
            name, self.command = self.command, ""
            return name
        self._made += 1
        digits = [self._made >> shift & 31 for shift in range(75, -1, -5)]
        return f"{kind}-" + "".join("abcdefghijklmnopqrstuvwxyz234567"[digit] for digit in digits)


class _NoIsolation(ChainIsolation):
    """What git did for chains is told by the recording."""

    async def prepare(self, chain_id: str, cause: int) -> None:
        """Nothing is made."""

    async def close(self, chain_id: str, cause: int) -> None:
        """Nothing is kept."""

    async def remove(self, chain_id: str) -> None:
        """There is nothing to take away."""


class _WithoutGit(Runtime):
    """The runtime, but what git did is told by the recording."""

    def without_git(self, isolation: _NoIsolation, heads: Mapping[str, str]) -> None:
        """Chains get no copies, either. `heads` are the commits that attempts left, as recorded."""
        self._isolation = isolation
        self._heads = heads

    async def _noted(self, attempt: str, spec: TaskSpec) -> str:  # noqa: ARG002
        return self._heads.get(attempt, "")

    async def _make_workplace(self, slot_id: str, cause: int) -> None:
        pass

    async def _keep_work(self, slot_id: str, remove: bool, cause: int) -> None:
        pass


@dataclass(slots=True)
class Played:
    """What became of a rerun: the events of both sides from the first one that was asked for."""

    recorded: list[Recorded]
    events: list[Recorded] = field(default_factory=list[Recorded])
    refused: list[str] = field(default_factory=list[str])


async def play(case: Case, folder: Path, say: Callable[[str], None]) -> Played:
    """Play a case again in memory; `folder` gets the transcripts that are written anew.

    Raises:
        LogBroken, LogNewer: its events cannot be read.
    """
    events = list(decoded(default_codec(), case.rows, "the case"))
    player = _Player(case, events, folder)
    await player.begin()
    try:
        ahead = [each for each in appends(events) if each.position >= case.asked.first]
        for number, append in enumerate(ahead):
            if number % 100 == 0:
                say(f"playing {append.position} of {len(events)}")
            await player.step(append)
        return player.played()
    finally:
        await player.close()


class _Player:
    def __init__(self, case: Case, events: Sequence[Recorded], folder: Path) -> None:
        self._case = case
        self._events = events
        self._log = MemoryEventLog(default_codec())
        self._system = RecordedTime()
        self._prices = price_list()
        self._memory: Memory | None = None
        self._disk: Disk | None = None
        self._surroundings = RecordedSurroundings()
        self._leads = True
        self._refused: list[str] = []
        texts = MemoryBlobs()
        for content in case.blobs.values():
            texts.put(content.decode())
        self._driver = Cassette(case.transcripts, folder, self._prices, self._system.now)
        self._service = Service(self._log, self._system)
        self._service.price = lambda model, context, mode: _quote(self._prices, model, context, mode)
        self._service.refresh_surroundings = lambda: self._surroundings.by_directory
        self._service.look_at_disk = lambda: self._disk
        self._service.look_at_memory = lambda: self._memory
        messages, progress = Messages(self._service, texts, self._system), Progress(self._system)
        self._driver.on_slot_tool(SlotDesk(self._service, messages, progress).serve)
        git = GitWorkplaces(str(folder / "worktrees"), {})
        self._runtime = _WithoutGit(
            self._service, self._driver, texts, self._system, lambda _: None, messages, git, progress
        )
        isolation = _NoIsolation(self._service, git, texts, self._system, _record_nothing)
        self._runtime.without_git(isolation, _heads(events))
        self._happened = asyncio.Event()
        self._service.on_facts(lambda _: self._happened.set())

    async def begin(self) -> None:
        """Bring the log to where the recording is to be played from."""
        before = [r for r in self._events if r.position < self._case.asked.first]
        versions: dict[str, int] = {}
        world = World()
        for append in appends(before):
            facts = tuple(self._surroundings.note(fact, world) for fact in append.facts)
            streams = dict.fromkeys(fact.stream for fact in facts)
            expected = {name: versions.get(name, 0) for name in streams}
            for recorded in self._log.append(facts, expected, append.meta):
                versions[recorded.stream] = recorded.version
                world.apply(recorded.position, recorded.stream, recorded.version, recorded.event)
        ahead = self._events[len(before) :]
        self._system.expect(
            dict.fromkeys(
                r.event.message_id
                for r in ahead
                if isinstance(r.event, MessageAccepted) and r.meta.actor is Actor.SLOT
            )
        )
        self._service.load()
        self._service.start()
        self._runtime.start()
        self._service.policies_on = False
        await self._quiet()

    def played(self) -> Played:
        """What became of it."""
        first = self._case.asked.first
        recorded = [r for r in self._events if r.position >= first]
        return Played(recorded, list(self._log.read_all(first - 1)), self._refused)

    async def close(self) -> None:
        """Let go of everything."""
        self._service.policies_on = False
        self._runtime.abandon()
        await self._driver.close()
        await self._service.close()

    # ---------------------------------------------------------------- one append

    async def step(self, append: Append) -> None:
        """Have what was recorded happen again."""
        self._system.time = max(self._system.time, append.at)
        self._system.command = append.meta.command_id if self._leads else ""
        self._note_room(append)
        for fact in append.facts:
            self._surroundings.note(fact, self._service.world)
        before = self._service.world.position
        outside = comes_from_outside(append.meta.actor, append.facts)
        if outside:
            await self._ask(append)
        elif append.meta.actor is Actor.POLICY:
            await self._let_policies_look()
        else:
            await self._answer(append)
        if self._leads and not self._as_recorded(append, before):
            self._leads = False
            self._driver.heed(None)
            self._service.policies_on = True
            self._service.react()
        if not self._leads:
            await self._quiet()

    def _as_recorded(self, append: Append, before: int) -> bool:
        """Whether the same kinds of events came, and no others."""
        happened = [(r.stream, r.event.NAME) for r in self._log.read_all(before)]
        return happened == [(fact.stream, fact.event.NAME) for fact in append.facts]

    def _note_room(self, append: Append) -> None:
        """The machine has as much room as what policies did about it says."""
        for fact in append.facts:
            match fact.event:
                case LaunchesHeld(available, needed):
                    self._memory = Memory(available, max(needed, available + 1))
                case LaunchesAllowed():
                    self._memory = None
                case PoolPaused(reason) if reason == DISK_SPACE:
                    self._disk = Disk(0, 1)
                case PoolResumed():
                    self._disk = None
                case _:
                    pass

    async def _let_policies_look(self) -> None:
        if not self._leads:
            self._service.react()
            return
        if await self._policy_step():
            return
        wake = next_wake(self._service.world)
        if wake is not None and wake - self._system.time <= _LATE_MS:
            self._system.time = max(self._system.time, wake)
            await self._policy_step()

    async def _policy_step(self) -> bool:
        world = self._service.world

        def wanted() -> Command:
            command = next_command(world, self._service.surroundings(), self._system.now())
            if command is None:
                raise _Nothing
            return command

        try:
            return bool(await self._service.handle(wanted, Origin(Actor.POLICY, None, world.position)))
        except _Nothing:
            return False
        except Exception as error:  # what a rerun is to find may be a fault
            self._refused.append(f"a policy's command came to nothing: {_said(error)}")
            return False

    async def _ask(self, append: Append) -> None:
        world = self._service.world
        command = call_of(append.facts, world, self._system.time)
        starts = any(isinstance(fact.event, OwnerStarted) for fact in append.facts)
        if starts or isinstance(command, Recover):
            self._service.policies_on = False
        if command is None:
            names = ", ".join(fact.event.NAME for fact in append.facts)
            self._refused.append(f"nobody knows how to ask again for event {append.position} ({names})")
            return
        meta = append.meta
        correlation = None if meta.correlation == meta.command_id else meta.correlation
        try:
            if isinstance(append.facts[0].event, SlotClaimed):
                surroundings = self._service.surroundings()
                command = claim_for(world, append.facts[0].stream, surroundings, self._system.time)
            await self._service.handle(command, Origin(meta.actor, correlation, meta.cause))
        except Exception as error:  # as above
            self._refused.append(f"event {append.position} was refused: {_said(error)}")
        if starts or isinstance(command, Recover):
            # what a dead owner had under way came to nothing
            self._runtime.abandon()
            self._driver.abandon()
            await self._quiet()
            self._service.policies_on = not self._leads and starts
        if isinstance(command, pools.RecordOwnerStopped):
            self._service.policies_on = False

    # ---------------------------------------------------------------- what slots did

    async def _answer(self, append: Append) -> None:
        """Have a slot do what it did, and wait for what is recorded of it."""
        self._happened.clear()
        if not await self._play(append):
            command = result_of(append.facts, self._system.time)
            if command is None or not self._leads:
                self._refused.append(f"event {append.position} has no occasion: {append.facts[0].event.NAME}")
                return
            try:
                await self._service.handle(command, Origin(Actor.SLOT, None, append.meta.cause))
            except Exception as error:  # as above
                self._refused.append(f"event {append.position} was refused: {_said(error)}")
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS if self._leads else _LATER_SECONDS):
                await self._happened.wait()
        except TimeoutError:
            self._refused.append(f"nothing came of event {append.position}: {append.facts[0].event.NAME}")
        await self._quiet()

    async def _play(self, append: Append) -> bool:
        """Tell the slots that wait what came; False where none waits for that."""
        stream, event = append.facts[0].stream, append.facts[0].event
        match event:
            case LaunchSucceeded() | ProcessReplaced() | LaunchFailed():
                return await self._tell("launch", stream, event)
            case SessionPrepared():
                return await self._tell("clear", stream, event)
            case ProcessEnded():
                for what in ("clear", "stop"):
                    if self._driver.waits(what, stream):
                        return self._driver.tell(what, stream, event)
                end = ProcessEnd(event.exit_code, event.killed, event.expected, event.problem)
                self._driver.exit(stream, end)
                return True
            case FundsCharged(slot_id, cost):
                self._driver.stray(slot_id, cost)
                return True
            case _ if isinstance(event, _END):
                return await self._end(append)
            case FundsToppedUp(attempt):
                return await self._feed(self._slot_of(attempt.rpartition(".")[0]))
            case InterruptRequested() | QuestionAsked() | QuestionExpired():
                return await self._feed(self._slot_of(stream))
            case MessageAccepted(sender=sender):
                return await self._feed(sender)
            case MessagesRead(reader=reader):
                return await self._feed(reader)
            case _:
                return False

    async def _tell(self, what: str, slot_id: str, came: object) -> bool:
        if not self._driver.waits(what, slot_id):
            await self._quiet()
        return self._driver.tell(what, slot_id, came)

    async def _end(self, append: Append) -> bool:
        attempt = append.facts[0].event
        released = [f for f in append.facts if isinstance(f.event, SlotReleased)]
        if not released or not isinstance(attempt, _END):
            return False
        slot_id, last = released[0].stream, released[0].event
        assert isinstance(last, SlotReleased)
        alive = not any(isinstance(fact.event, ProcessEnded) for fact in append.facts)
        if not self._driver.waits("end", slot_id):
            await self._quiet()
        if self._driver.waits("launch", slot_id):
            code, problem = attempt.outcome.code or "slot_failed", attempt.outcome.message or ""
            return self._driver.tell("launch", slot_id, LaunchFailed(0, code, problem, 0))
        came = Ended(outcome_in(append.facts), last.session, alive, last.rss_mb)
        return self._driver.tell("end", slot_id, came)

    def _slot_of(self, task_id: str) -> str:
        state = self._service.world.tasks.get(task_id)
        return state.live.slot_id if isinstance(state, task.Running) else ""

    async def _feed(self, slot_id: str) -> bool:
        """Let the slot speak until something comes of it."""
        await self._quiet()
        self._driver.heed(slot_id)
        try:
            before = self._service.world.position
            while self._service.world.position == before:
                spent = self._driver.spent
                line = self._driver.feed(slot_id)
                if line is None:
                    return False
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
                if b'"control_' in line or self._driver.spent != spent:
                    await self._quiet()
            return True
        finally:
            self._driver.heed("" if self._leads else None)

    async def _quiet(self) -> None:
        """Wait until nothing moves by itself: the loop has turned, and the log's thread has no work."""
        for _ in range(_ROUNDS):
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
            await self._service.on_log(lambda: None)


def _said(error: Exception) -> str:
    code = error.code if isinstance(error, PoolError) else type(error).__name__
    return f"[{code}] {error}"


async def _record_nothing(_command: Command, _cause: int | None) -> None:
    return None


class _Nothing(PoolError):
    """The policies ask for nothing."""


def _quote(prices: PriceList, model: str | None, context: int, mode: str | None) -> Quote:
    return Quote(prices.least_call(model, context, mode), prices.next_call(model, context, mode))


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
        case _ if isinstance(event, _END):
            return _recorded_end(facts, now)
        case _:
            return None


def outcome_in(facts: Sequence[Fact]) -> Outcome:
    """The outcome of the attempt that ended, with the limit that it met: its own event may leave that out."""
    ended = facts[0].event
    assert isinstance(ended, _END)
    for fact in facts:
        if isinstance(fact.event, ProviderLimited):
            return replace(ended.outcome, limit=Limit(fact.event.kind, fact.event.until))
    return ended.outcome


def _recorded_end(facts: Sequence[Fact], now: int) -> RecordEnd | None:
    ended = facts[0].event
    assert isinstance(ended, _END)
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


def _heads(events: Iterable[Recorded]) -> dict[str, str]:
    """The commits with what attempts left in copies of repositories, by attempt."""
    ends = (AttemptSucceeded, AttemptFailed, AttemptCancelled)
    return {
        attempt_id(r.stream, r.event.attempt): r.event.outcome.head
        for r in events
        if isinstance(r.event, ends) and r.event.outcome.head
    }
