"""A pool in this process: its service and slots are the product's, called without a wire between."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from claude_pool.adapters.callers import Caller
from claude_pool.adapters.calling import VERSION, Link
from claude_pool.adapters.check import check_log
from claude_pool.adapters.client import Client
from claude_pool.adapters.costs import costs_view
from claude_pool.adapters.mcp.arguments import read_arguments
from claude_pool.adapters.mcp.fields import DEFAULT_HIGHEST_MODE
from claude_pool.adapters.mcp.lines import LINE_BYTES
from claude_pool.adapters.mcp.mounting import mount
from claude_pool.adapters.mcp.tool import Call
from claude_pool.adapters.mcp.tools import BY_NAME
from claude_pool.adapters.origins import Origin
from claude_pool.adapters.places import Places
from claude_pool.adapters.skills.library import Folders, Library
from claude_pool.adapters.store.opening import Store, memory_store, open_store
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.views import View, status_view
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain import pool, slot, standing, task
from claude_pool.domain.costs import By, report
from claude_pool.domain.errors import PoolError
from claude_pool.domain.housing import Stage
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.records import Actor, Recorded
from claude_pool.domain.world import World

from tests.support.pool_clock import StandingClock
from tests.support.pool_loop import PATIENCE, LoopThread
from tests.support.pool_plan import Plan

COORDINATOR = Origin(Actor.COORDINATOR)
_ON_ITS_WAY = (slot.Cold, slot.Preparing, slot.Starting, slot.Clearing, slot.Stopping)
_NOTHING = task.InterruptAttempt("task-none", 0, "interrupted", 0)


@dataclass(frozen=True, slots=True)
class SlotProgram:
    """What slots run: an executable, and the environment it is started in."""

    path: Path
    environment: Mapping[str, str]


def unexplained(places: Places) -> list[str]:
    """The events of a log that name no earlier one as their cause, though no caller brought them about."""
    with open_reader(Path(places.log), default_codec()) as log:
        first = next(log.read_all(0, 1)).meta.command_id
        return [
            f"event {at.position}, {at.event.NAME}, has cause {at.meta.cause} and call {at.meta.correlation}"
            for at in log.read_all()
            if not at.meta.correlation or not _is_explained(at, first)
        ]


def _is_explained(at: Recorded, first: str) -> bool:
    """Whether the cause is an earlier event, or where there is none, a caller or the log's first command."""
    if at.meta.cause is not None:
        return 0 < at.meta.cause < at.position
    return at.meta.actor in (Actor.COORDINATOR, Actor.SHELL) or at.meta.command_id == first


class ServicePool:
    """Implements `Level`. The pool runs in the loop's thread; everything here is called from the test's."""

    def __init__(self, loop: LoopThread, folder: Path, program: SlotProgram, plan: Plan) -> None:
        """Starts the pool and waits until its slots are ready. `folder` must have a short path."""
        self._loop = loop
        self._folder = folder
        self._workshop = Workshop(
            str(program.path),
            program.environment,
            folder / "r",
            min_free_disk_mb=plan.disk_floor,
            min_free_memory_mb=plan.memory_floor,
        )
        self._plan = plan
        self._clock = StandingClock()
        self._owners = 0
        self._changed = threading.Condition()
        self._changes = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._start()

    def _start(self) -> None:
        self._owners += 1
        self._clock = StandingClock(self._clock.wall)  # a new process reads the clocks of its machine anew
        state = self._state()
        for part in ("transcripts", "blobs"):
            (state / part).mkdir(parents=True, exist_ok=True)
        store = open_store(self.places()) if self._plan.durable else memory_store(state / "transcripts")
        ready: Future[Running] = Future()
        self._stop = asyncio.Event()
        self._host = self._loop.begin(self._be_host(store, ready))
        self.running = ready.result(PATIENCE)
        try:
            self.settle()
        except BaseException:
            self.end()
            raise

    async def _be_host(self, store: Store, ready: Future[Running]) -> None:
        plan = self._plan
        try:
            given = plan.budget is not None
            async with running_pool(
                store,
                self._workshop,
                plan.settings,
                plan.budget,
                given,
                self._clock,
                library=self._library(),
            ) as running:
                running.service.on_facts(lambda _: self._note())
                ready.set_result(running)
                await self._stop.wait()
                for serving in tuple(self._serving):
                    serving.cancel()
        except BaseException as problem:
            if not ready.done():
                ready.set_exception(problem)
                return
            raise

    def _library(self) -> Library:
        """The skills of the directory that tasks run in, which is the scenario's project."""
        work = self._plan.settings.working_dir or ""
        own = f"{work}/.claude-pool"
        folders = Folders(project_skills=f"{own}/skills", project_workflows=f"{own}/workflows", root=work)
        return Library(folders, commands=self._workshop.environ if self._plan.skill_commands else None)

    def _note(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def call(self, tool: str, arguments: Mapping[str, object]) -> View:
        """See `Level.call`."""
        return self._loop.run(self._call(tool, arguments))

    async def _call(self, tool: str, arguments: Mapping[str, object]) -> View:
        entry = BY_NAME[tool]
        given = read_arguments(entry.arguments, arguments, DEFAULT_HIGHEST_MODE)
        return await entry.run(Call(self.running.application, COORDINATOR, DEFAULT_HIGHEST_MODE), given)

    def call_and_leave(
        self, tool: str, arguments: Mapping[str, object], once: Callable[[], bool], what: str
    ) -> None:
        """See `Level.call_and_leave`."""
        calling = self._loop.begin(self._call(tool, arguments))
        self.until(once, what)
        calling.cancel()

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """See `Level.until`."""
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = self._changes
            if happened():
                return
            self._await_change(seen, deadline, what)

    def _await_change(self, seen: int, deadline: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._changes > seen, deadline - time.monotonic()):
                raise AssertionError(f"it did not happen that {what}")

    def settle(self) -> None:
        """See `Level.settle`."""
        self.until(self._settled, "the pool came to rest")

    def _settled(self) -> bool:
        return self._loop.run(self._is_settled())

    async def _is_settled(self) -> bool:
        service = self.running.service
        for _ in range(2):  # the first answers before policies have looked at what came before it
            await service.handle(_NOTHING, COORDINATOR)
        return not any(
            (isinstance(at, _ON_ITS_WAY) and not self._rests(at)) or at.card.housing.stage is Stage.KEEPING
            for at in service.world.slots.values()
        )

    def _rests(self, at: slot.Present) -> bool:
        """Whether nothing happens to the slot before time passes."""
        held = self.running.service.world.open_pool().launches_held
        return isinstance(at, slot.Cold) and (held or standing.rests(at, self._clock.now()))

    def transcript(self, task_id: str) -> str:
        """See `Level.transcript`."""
        folder = self.running.store.transcripts
        found = sorted(folder.glob(f"{task_id}.*.jsonl"), key=lambda path: int(path.suffixes[-2][1:]))
        return found[-1].read_text("utf-8", "replace") if found else ""

    def advance(self, milliseconds: int) -> None:
        """See `Level.advance`."""
        self._clock.advance(milliseconds)
        self._loop.loop.call_soon_threadsafe(self.running.service.react)
        self.settle()

    def set_clock(self, milliseconds: int) -> None:
        """See `Level.set_clock`."""
        self._clock.set_wall(milliseconds)
        self._loop.loop.call_soon_threadsafe(self.running.service.react)
        self.settle()

    def replayed_status(self) -> View:
        """See `Level.replayed_status`."""
        return self._loop.run(self._replay())

    async def _replay(self) -> View:
        world = World()
        for event in self.running.store.log.read_all():
            world.apply(event.position, event.stream, event.version, event.event)
        return status_view(pool_status(world, VERSION))

    def costs(self, by: str) -> View:
        """See `Level.costs`."""
        return self._loop.run(self._costs(By(by)))

    async def _costs(self, by: By) -> View:
        def read() -> View:
            index = self.running.store.index.costs
            return costs_view(report(by, index.attempts(), index.charges()), index.allowance())

        return await self.running.service.on_log(read)

    def check_log(self) -> list[str]:
        """See `Level.check_log`. Every fact tells what led to it, too."""
        return [*check_log(self.places()), *unexplained(self.places())]

    def places(self) -> Places:
        """See `Level.places`."""
        return Places(str(self._state()), "", str(self._folder), str(self._folder))

    def _state(self) -> Path:
        return self._folder / f"state-{self._owners}"

    def restart(self, how: str) -> None:
        """See `Level.restart`. A crash is a copy of what was on the disk at that moment."""
        before = self._state()
        after = self._folder / f"state-{self._owners + 1}"
        if how == "crash":
            self._loop.run(self._copy(before, after))
            self.end()
        else:
            self._loop.run(self.running.service.handle(pool.StopOwner(how == "now"), COORDINATOR))
            self._loop.run(self.running.runtime.stopped.wait())
            self.end()
            shutil.copytree(before, after)
        self._start()

    async def _copy(self, before: Path, after: Path) -> None:
        await self.running.service.on_log(lambda: shutil.copytree(before, after))

    def connect(self, toolsets: str) -> Client:
        """See `Level.connect`."""
        ours, theirs = socket.socketpair()
        self._loop.run(self._serve(theirs, toolsets))
        client = Client(Link(ours, {}, b""))
        client.initialize(PATIENCE)
        return client

    async def _serve(self, connection: socket.socket, toolsets: str) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=LINE_BYTES)
        serve = mount(self.running, VERSION)
        serving = asyncio.create_task(serve(reader, writer, Caller(Actor.COORDINATOR, toolsets, None, None)))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    def end(self) -> None:
        """End the pool; its processes are gone when this returns."""
        self._loop.loop.call_soon_threadsafe(self._stop.set)
        try:
            self._host.result(PATIENCE)
        except PoolError as problem:
            raise AssertionError(f"the pool did not end in order: {problem.message}") from problem

    def close(self) -> None:
        """See `Level.close`."""
        self.end()
