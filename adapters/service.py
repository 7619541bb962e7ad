"""One place where commands become facts: decide, append, evolve, then let policies react.

Every command goes through one queue and one task of the owner, so that a caller that goes away takes
nothing with it; the caller only waits. All work on the log happens on one thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from claude_pool.domain import pool
from claude_pool.domain.chain_events import ChainSubmitted
from claude_pool.domain.coordination import Command, decide
from claude_pool.domain.errors import (
    LogBroken,
    PoolError,
    StoreError,
    StoreFailed,
    StoreFull,
    StoreUnreadable,
    VersionConflict,
)
from claude_pool.domain.policies import looks_again_after, next_command, next_wake
from claude_pool.domain.ports import EventLog
from claude_pool.domain.records import Actor, Fact, Meta, Recorded
from claude_pool.domain.task_events import TaskSubmitted
from claude_pool.domain.world import World

from .attention import Bell
from .just_finished import JustFinished
from .kept_view import KeptView
from .loading import load
from .origins import POLICY, Origin, Threads
from .outlook import Outlook
from .redaction import Secrets
from .system import System

T = TypeVar("T")

_log = logging.getLogger(__name__)

ACCEPTED = (TaskSubmitted, ChainSubmitted)
"""The facts with which the pool takes work on."""

LONGEST_TIMER_MS = 15_000
"""The timer looks again at least this often: the loop's own clock stands still while the machine sleeps."""

_LASTING = (StoreUnreadable, StoreFailed, LogBroken)
"""Refusals of a store that will not take the next append either."""


@dataclass(slots=True)
class _Job:
    make: Callable[[], Command | None]
    origin: Origin
    done: asyncio.Future[tuple[Recorded, ...]]


class Service:
    """The pool's commands over one log. Lives in the owner's event loop; others only read its `log`."""

    def __init__(self, log: EventLog, system: System, secrets: Secrets | None = None) -> None:
        """`log` is written by nobody else. `start` must be called before the first command.

        `secrets` get into no fact: what a caller gives with one is refused, from elsewhere it comes without.
        """
        self.secrets = Secrets() if secrets is None else secrets
        self.log = log
        self.system = system
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="event-log")
        self._queue: asyncio.Queue[_Job | None] = asyncio.Queue()
        self.bell = Bell()
        self._listeners: list[Callable[[tuple[Recorded, ...]], None]] = []
        self._threads = Threads()
        self._resting: list[asyncio.Future[None]] = []
        self.just_finished = JustFinished()
        self._timer: asyncio.TimerHandle | None = None
        self._worker: asyncio.Task[None] | None = None
        self.kept_view = KeptView()
        self.problems: tuple[str, ...] = ()
        """What was found wrong with the log at the start, and kept nobody from working."""
        self._failed: asyncio.Future[PoolError] | None = None
        self.outlook = Outlook()
        self.make_room: Callable[[], bool] = lambda: False
        """Gives up what is kept for a full disk; whether there was any."""
        self.out_of_room: StoreFull | None = None
        """Why the owner ends in order, on room that was kept for that."""
        self.policies_on = False
        self.refusal: PoolError | None = None  # why no command is taken at all
        self.world = World()

    def load(self) -> World:
        """Fold the log into a fresh view; see `loading.load`. Blocks; for the start only."""
        self.world, self._threads, self.problems = load(self.log, self.kept_view, self.system)
        return self.world

    def start(self) -> None:
        """Begin to take commands. Policies react only once `policies_on` is set."""
        self._failed = asyncio.get_running_loop().create_future()
        self._worker = asyncio.create_task(self._work(), name="commands")

    async def close(self) -> None:
        """Finish what is queued, then release the log."""
        if self._timer is not None:
            self._timer.cancel()
        if self._worker is not None:
            self._queue.put_nowait(None)
            await self._worker
        if self.failed:
            await self.kept_view.settled()
        else:
            await self.kept_view.keep_last(self.world, self._threads.correlations)
        await self.on_log(self.log.close)
        self._thread.shutdown()

    async def failure(self) -> PoolError:
        """Wait until the log refuses what must be recorded, or a policy fails; the owner then has to end."""
        assert self._failed is not None
        return await asyncio.shield(self._failed)

    def on_facts(self, listener: Callable[[tuple[Recorded, ...]], None]) -> None:
        """Tell `listener` of every append of this process, after the view has folded it."""
        self._listeners.append(listener)

    async def on_log(self, work: Callable[[], T]) -> T:
        """Run blocking `work` on the log's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def submit(
        self, command: Command | Callable[[], Command], origin: Origin
    ) -> asyncio.Future[tuple[Recorded, ...]]:
        """Queue a command (or what makes it when its turn comes); the future holds its recorded facts.

        The command is carried out whether or not anyone waits. The future raises `PoolError` where it
        is refused.
        """
        done: asyncio.Future[tuple[Recorded, ...]] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_retrieve)
        if self.refusal is not None:
            done.set_exception(self.refusal)
        else:
            self._queue.put_nowait(_Job(lambda: command() if callable(command) else command, origin, done))
        return done

    async def handle(self, command: Command | Callable[[], Command], origin: Origin) -> tuple[Recorded, ...]:
        """Like `submit`, and wait; a cancelled wait does not cancel the command."""
        return await asyncio.shield(self.submit(command, origin))

    def react(self) -> None:
        """Have the policies look at the present state and time."""
        self._queue.put_nowait(_Job(lambda: None, POLICY, asyncio.get_running_loop().create_future()))

    async def reacted(self) -> None:
        """Wait until the policies ask for nothing more at present, or are switched off."""
        rest: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._resting.append(rest)
        self.react()
        await rest

    def _rest(self) -> None:
        for waiter in self._resting:
            if not waiter.done():
                waiter.set_result(None)
        self._resting.clear()

    async def _work(self) -> None:
        while (job := await self._queue.get()) is not None:
            try:
                if self._timer is None and self.policies_on and not self.world.running:
                    self.system.catch_up()
                recorded = await self._carry_out(job.make(), job.origin)
                if not job.done.done():
                    job.done.set_result(recorded)
            except PoolError as error:
                if not job.done.done():
                    job.done.set_exception(error)
            except Exception as error:  # a fault in a decision must not end the owner
                if not job.done.done():
                    job.done.set_exception(error)
            try:
                await asyncio.sleep(0)  # who waits for these facts goes first
                await self._let_policies_react()
            except StoreFull:
                pass  # It ends, in order or at once.
            except StoreError as error:
                self.fail(error)
            except Exception:
                # A pool whose policies do not work would accept work and never do it: rather end it.
                _log.exception("the policies failed")
                self.fail(PoolError())

    @property
    def failed(self) -> bool:
        """Whether the owner has to end because of `failure`."""
        return self._failed is not None and self._failed.done()

    def fail(self, error: PoolError) -> None:
        """End the owner: what happened cannot be recorded, or what must happen cannot be decided."""
        self.policies_on = False
        self._rest()
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    def end_in_order(self, error: StoreFull) -> bool:
        """End what runs, on record, in the room that is kept for that; False where there is none."""
        if self.out_of_room is None:
            if not self.make_room():
                return False
            _log.warning("[%s] %s The pool's owner ends.", error.code, error.message)
            self.out_of_room = error
            self.submit(pool.StopOwner(now=True), Origin(Actor.RECOVERY))
        return True

    async def _carry_out(self, command: Command | None, origin: Origin) -> tuple[Recorded, ...]:
        if command is None:
            return ()
        if origin.outside:
            self.secrets.refuse("arguments", command)
        else:
            command = self.secrets.scrub(command)
        facts = decide(command, self.world)
        if not facts:
            return ()
        return await self._recorded(command, facts, origin)

    async def _recorded(
        self, command: Command, facts: tuple[Fact, ...], origin: Origin
    ) -> tuple[Recorded, ...]:
        """Append, on a full disk in the room that is kept for the end where it must be."""
        spent = self.out_of_room is not None
        try:
            return await self._append(facts, origin)
        except StoreFull as error:
            if origin.outside and not isinstance(command, pool.StopOwner):
                raise  # Nothing happened, and there may be room again when the next one comes.
            if spent or not self.end_in_order(error):
                self.fail(error)
                raise
            if origin.actor is Actor.POLICY:
                raise  # Nothing more begins.
        try:
            return await self._append(facts, origin)
        except StoreFull as error:
            self.fail(error)
            raise

    async def _append(self, facts: tuple[Fact, ...], origin: Origin) -> tuple[Recorded, ...]:
        expected = {fact.stream: self.world.versions.get(fact.stream, 0) for fact in facts}
        command_id = self.system.new_id("cmd")
        if origin.call is not None:
            origin.call.append(command_id)
        correlation = self._threads.correlation(facts, origin, command_id)
        cause = self._threads.cause(facts, origin, self.world.position)
        meta = Meta(self.system.now(), command_id, correlation, origin.actor, cause)
        try:
            recorded = await self.on_log(lambda: self.log.append(facts, expected, meta))
        except VersionConflict:
            raise
        except StoreError as error:
            known = isinstance(error, StoreFull)
            if isinstance(error, _LASTING) or (origin.must and not known):
                self.fail(error)
            raise
        if origin.accepted is not None:
            origin.accepted.update(f.stream for f in facts if isinstance(f.event, ACCEPTED))
        self._fold(recorded, correlation)
        return recorded

    def _fold(self, recorded: tuple[Recorded, ...], correlation: str) -> None:
        for r in recorded:
            self.just_finished.keep(self.world, r)
            self.world.apply(r.position, r.stream, r.version, r.event)
            self._threads.follow(self.world, r.stream, correlation, r.position)
        for listener in self._listeners:
            try:
                listener(recorded)
            except Exception:  # a fault of one listener must not keep the others, or who waits, from hearing
                _log.exception("a listener failed")
        self.bell.ring(recorded)
        self.kept_view.follow(recorded[-1], self.world, self._threads.correlations)

    async def _let_policies_react(self) -> None:
        if not self.policies_on:
            self._rest()
            return
        if self.out_of_room is not None and self.world.open_pool().stopping is None:
            self._rest()
            return  # Nothing more begins; the order to stop is in the queue.
        surroundings = self.outlook.now()
        while (command := next_command(self.world, surroundings, self.system.now())) is not None:
            cause = Origin(Actor.POLICY, None, self.world.position)
            if not await self._carry_out(command, cause):
                raise RuntimeError(f"a policy asks for what changes nothing: {command}")
            await asyncio.sleep(0)  # so do the effects of these facts
            if not self._queue.empty():
                return  # whoever waits comes in between: they react again after it
        self._rest()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake, look = next_wake(self.world), looks_again_after(self.world)
        if wake is not None or look is not None:
            waits = LONGEST_TIMER_MS if wake is None else max(wake - self.system.now(), 0)
            delay = min(waits, LONGEST_TIMER_MS if look is None else look, LONGEST_TIMER_MS) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self.react)


def _retrieve(done: asyncio.Future[tuple[Recorded, ...]]) -> None:
    """A refusal nobody waits for is on record already; do not let asyncio complain about it."""
    if not done.cancelled():
        done.exception()
