"""A case played again: the real service, policies and runtime, callers who ask for the same in the same
order, and slots that say what they said.

As long as what happens is what was recorded, the recording leads: it says when policies look, when callers
ask, and when slots answer. From the first difference on the pool goes its own way, and callers and slots do
what they did as far as there is an occasion for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool.domain import pool as pools
from claude_pool.domain.claims import claim_for
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.errors import PoolError
from claude_pool.domain.funding import Quote
from claude_pool.domain.message_events import MessageAccepted
from claude_pool.domain.policies import next_command, next_wake
from claude_pool.domain.pool_events import (
    LaunchesAllowed,
    LaunchesHeld,
    OwnerStarted,
    PoolPaused,
    PoolResumed,
)
from claude_pool.domain.prices import PriceList
from claude_pool.domain.recorded_calls import call_of, comes_from_outside
from claude_pool.domain.records import Actor, Recorded
from claude_pool.domain.room import DISK_SPACE, Disk, Memory
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.world import World

from ..claude.price_file import price_list
from ..effects import Effects
from ..messages import Messages
from ..origins import Origin
from ..outlook import Outlook
from ..progress import Progress
from ..runtime import Runtime
from ..service import Service
from ..slot_desk import SlotDesk
from ..store.blobs import MemoryBlobs
from ..store.chain import decoded
from ..store.memory import MemoryEventLog
from ..store.registry import default_codec
from .case import Case
from .cassette import Cassette
from .played_slots import PlayedSlots
from .recording import Append, appends, result_of
from .stand_ins import RecordedTime, recorded_heads
from .surroundings import RecordedSurroundings

_PATIENCE_SECONDS = 5.0
_LATER_SECONDS = 0.2
_LATE_MS = 60_000


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
        self._slots = PlayedSlots(self._service, self._driver)
        self._service.outlook = Outlook(
            lambda: self._surroundings.by_directory,
            lambda model, context, mode: _quote(self._prices, model, context, mode),
            lambda: self._disk,
            lambda: self._memory,
        )
        messages, progress = Messages(self._service, texts, self._system), Progress(self._system)
        self._driver.on_slot_tool(SlotDesk(self._service, messages, progress).serve)
        self._effects = Effects(self._service)
        self._runtime = Runtime(
            self._service, self._driver, self._effects, texts, self._system, lambda _: None, messages,
            progress, recorded_heads(events),
        )  # fmt: skip
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
        await self._slots.quiet()

    def played(self) -> Played:
        """What became of it."""
        first = self._case.asked.first
        recorded = [r for r in self._events if r.position >= first]
        return Played(recorded, list(self._log.read_all(first - 1)), self._refused)

    async def close(self) -> None:
        """Let go of everything."""
        self._service.policies_on = False
        self._effects.abandon()
        await self._driver.close()
        await self._service.close()

    # ---------------------------------------------------------------- one append

    async def step(self, append: Append) -> None:
        """Have what was recorded happen again, unless it came of itself after what was before it."""
        if self._leads and append.position <= self._service.world.position:
            return
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
            self._slots.let_go()
            self._service.policies_on = True
            self._service.react()
        if not self._leads:
            await self._slots.quiet()

    def _as_recorded(self, append: Append, before: int) -> bool:
        """Whether the same kinds of events came, and no others but those that follow in the recording.

        An attempt that was cancelled while its process started ends by itself as soon as that has.
        """
        happened = [(r.stream, r.event.NAME) for r in self._log.read_all(before)]
        ahead = self._events[before : before + len(happened)]
        return len(happened) >= len(append.facts) and happened == [(r.stream, r.event.NAME) for r in ahead]

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
            command = next_command(world, self._service.outlook.now(), self._system.now())
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
                surroundings = self._service.outlook.now()
                command = claim_for(world, append.facts[0].stream, surroundings, self._system.time)
            await self._service.handle(command, Origin(meta.actor, correlation, meta.cause))
        except Exception as error:  # as above
            self._refused.append(f"event {append.position} was refused: {_said(error)}")
        if starts or isinstance(command, Recover):
            # what a dead owner had under way came to nothing
            self._effects.abandon()
            self._driver.abandon()
            await self._slots.quiet()
            self._service.policies_on = not self._leads and starts
        if isinstance(command, pools.RecordOwnerStopped):
            self._service.policies_on = False

    # ---------------------------------------------------------------- what slots did

    async def _answer(self, append: Append) -> None:
        """Have a slot do what it did, and wait for what is recorded of it."""
        self._happened.clear()
        if not await self._slots.play(append):
            command = result_of(append.facts, self._system.time)
            if command is None or not self._leads:
                self._refused.append(f"{_named(append)}: the slot had nothing under way that could end so")
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
            self._refused.append(f"{_named(append)}: the slot did it, and nothing came of it")
        await self._slots.quiet()


def _named(append: Append) -> str:
    return f"event {append.position} ({append.facts[0].event.NAME})"


def _said(error: Exception) -> str:
    code = error.code if isinstance(error, PoolError) else type(error).__name__
    return f"[{code}] {error}"


class _Nothing(PoolError):
    """The policies ask for nothing."""


def _quote(prices: PriceList, model: str | None, context: int, mode: str | None) -> Quote:
    return Quote(prices.least_call(model, context, mode), prices.next_call(model, context, mode))
