"""The owner: the one process that holds a pool's log and slots, and answers on its socket.

Started detached, with its settings as one JSON document on standard input. Ways in are connections to a
unix socket (each begins with a greeting, see `handover`) or, embedded, the standard streams. It ends
when told, when idle for long enough, or when its log refuses what must be recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from claude_pool.domain import pool
from claude_pool.domain.coordination import waiting_until
from claude_pool.domain.errors import InvalidArgument, LogBroken, LogNewer, PoolError
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Actor
from claude_pool.domain.values import Options

from .callers import Caller, Serve
from .claude.price_file import price_list
from .config.amounts import milliseconds
from .config.credentials import account, credentials, digests
from .config.model import Effective
from .config.servers import load_servers
from .config.settings import differences
from .locking import owner_lock
from .places import prepare, publish
from .service import Origin
from .skills.choosing import library_of
from .wiring import VERSION, Running, Workshop, open_store, running_pool

LINE_BYTES = 32 * 1024 * 1024
"""The longest line that a connection may send."""

GREETING_SECONDS = 10.0

SWITCH_SECONDS = 0.0005
"""How long the loop may keep the log's thread waiting, and the other way round: a durable write is short."""


@dataclass(frozen=True, slots=True)
class _Greeting:
    """What a connection said of itself; see `handover.greeting`."""

    actor: Actor
    toolsets: str
    explicit: Mapping[str, object]
    environment: Mapping[str, str]
    stop: str | None = None
    working_dir: str | None = None
    credentials: Mapping[str, str] | None = None

    @classmethod
    def parse(cls, line: bytes) -> _Greeting | None:
        """The greeting in `line`, or None where it is none."""
        try:
            said: Any = json.loads(line)
            if said["claude_pool"] != 1:
                return None
            return cls(
                Actor.SHELL if said.get("actor") == "shell" else Actor.COORDINATOR,
                str(said.get("toolsets") or "default"),
                cast("dict[str, object]", dict(said.get("explicit") or {})),
                cast("dict[str, str]", dict(said.get("environment") or {})),
                said.get("stop"),
                said.get("working_dir") or None,
                said.get("credentials"),
            )
        except (ValueError, KeyError, TypeError):
            return None


def pool_settings(effective: Effective) -> Settings:
    """The options of a configuration, as the log records them.

    Raises:
        InvalidArgument: the MCP configuration cannot be read.
    """
    chosen = effective.options
    options = Options(
        model=chosen.model,
        effort=chosen.effort,
        system_prompt=chosen.system_prompt,
        permission_mode=chosen.permission_mode,
        allowed_tools=tuple(chosen.allowed_tools),
        disallowed_tools=tuple(chosen.disallowed_tools),
        mcp_servers=load_servers(chosen.mcp_config),
    )
    return Settings(
        slots=chosen.slots,
        min_slots=chosen.min_slots,
        max_slots=chosen.max_slots,
        options=options,
        session=chosen.session,
        task_budget=chosen.task_budget,
        task_timeout_ms=chosen.task_timeout_ms,
        queue_timeout_ms=chosen.queue_timeout_ms,
        first_output_ms=milliseconds(chosen.first_output_timeout),
        silence_ms=milliseconds(chosen.silence_timeout),
        tool_silence_ms=milliseconds(chosen.tool_silence_timeout),
        working_dir=chosen.working_dir or effective.places.work_tree,
        question_ms=milliseconds(chosen.question_seconds),
        worktree=chosen.worktree,
    )


class Owner:
    """One run of a pool: its connections, and the reasons for which it ends."""

    def __init__(self, effective: Effective, running: Running, environ: dict[str, str]) -> None:
        """`running` is at work already; connections come with `listen` and `attach`.

        `environ` is what slots are started from; a caller's new credentials are written into it.
        """
        self._effective = effective
        self._environ = environ
        self._environment = effective.environment
        self._running = running
        self._connections: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._mcp: asyncio.Task[Serve] = asyncio.create_task(self._load_server())
        self._idle: asyncio.TimerHandle | None = None
        running.service.on_facts(lambda _: self._consider_idle())

    async def listen(self) -> None:
        """Answer on the pool's socket."""
        path = self._effective.places.socket
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # We hold the lock, so nobody listens there any more.
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._on_connection, path, limit=LINE_BYTES)
        finally:
            os.umask(before)
        publish(self._effective.places)

    async def until_done(self) -> PoolError | None:
        """Wait for the end; the store's refusal, or our fault, where that is the reason."""
        self._consider_idle()
        failure = asyncio.create_task(self._running.service.failure())
        stopped = asyncio.create_task(self._running.runtime.stopped.wait())
        await asyncio.wait((failure, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if failure.done():
            return failure.result()
        failure.cancel()
        return None

    async def close(self) -> None:
        """Take no more connections, record the end, and let go of those there are."""
        if self._idle is not None:
            self._idle.cancel()
        self._mcp.cancel()
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._effective.places.socket)

    async def drop_connections(self) -> None:
        """End every connection: callers learn that the owner is gone."""
        for handler in tuple(self._handlers):
            handler.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=2)
        for writer in tuple(self._connections):
            writer.close()

    def stop(self, now: bool) -> None:
        """End the owner: at once, or when what runs has ended."""
        self._running.service.submit(pool.StopOwner(now), Origin(Actor.SHELL))

    async def attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toolsets: str) -> None:
        """Serve one connection that needs no greeting, until its input ends."""
        greeting = _Greeting(Actor.COORDINATOR, toolsets, {}, {})
        self._connections.add(writer)
        try:
            await self._speak(reader, writer, greeting, [])
        finally:
            self._connections.discard(writer)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        self._connections.add(writer)
        try:
            await self._greet(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.LimitOverrunError, ValueError):
            pass  # The caller went away, or we do; accepted work goes on.
        finally:
            self._handlers.discard(handler)
            self._connections.discard(writer)
            writer.close()
            self._consider_idle()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), GREETING_SECONDS)
        except TimeoutError:
            return
        greeting = _Greeting.parse(line)
        if greeting is None:
            _say(writer, {"claude_pool": 1, "code": "invalid_argument", "message": "This is no greeting."})
            return
        if greeting.stop is not None:
            await self._running.service.handle(pool.StopOwner(greeting.stop == "now"), Origin(Actor.SHELL))
        if greeting.credentials is not None:
            self._take_credentials(greeting.credentials)
        options = cast("dict[str, object]", self._effective.options.model_dump(mode="json"))
        conflict = differences(options, self._environment, greeting.explicit, greeting.environment)
        alone = len(self._connections) == 1 and not self._has_work()
        leaving = self._running.world.open_pool().stopping is not None and greeting.stop is None
        if alone and (conflict or leaving):
            _say(writer, {"claude_pool": 1, "replace": True})
            await writer.drain()
            self.stop(False)
            await asyncio.Event().wait()  # The connection closes when the owner is gone.
        welcome = {"claude_pool": 1, "ok": True, "pid": os.getpid(), "version": VERSION, "conflict": conflict}
        _say(writer, welcome)
        await writer.drain()
        await self._speak(reader, writer, greeting, conflict)

    def _take_credentials(self, given: Mapping[str, str]) -> None:
        """Use another account from now on: processes of the old one are replaced when they are needed."""
        for name in credentials(self._environ):
            del self._environ[name]
        self._environ.update(given)
        self._environment = digests(self._environ)
        changed = pool.ChangeAccount(account(self._environ, self._running.world.open_pool().pool_id))
        self._running.service.submit(changed, Origin(Actor.SHELL))
        self._running.service.react()

    async def _speak(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        greeting: _Greeting,
        conflict: list[str],
    ) -> None:
        serve = await asyncio.shield(self._mcp)
        caller = Caller(
            greeting.actor, greeting.toolsets, ", ".join(conflict) or None, self._elsewhere(greeting)
        )
        await serve(reader, writer, caller)

    def _elsewhere(self, greeting: _Greeting) -> str | None:
        """Where the caller's tasks run, if it stands in another work tree than whoever started the owner."""
        usual = self._effective.places.work_tree
        return greeting.working_dir if greeting.working_dir not in (None, usual) else None

    async def _load_server(self) -> Serve:
        # Importing the protocol SDK takes a second; slots start meanwhile.
        module = await asyncio.to_thread(import_module, ".mcp.mounting", __package__)
        mounted: Serve = module.mount(self._running, VERSION)
        # What is loaded by now stays until the end; to walk over it again and again costs milliseconds.
        gc.collect()
        gc.freeze()
        return mounted

    def _has_work(self) -> bool:
        world = self._running.world
        if world.pending or world.running or world.isolating:
            return True
        return any(waiting_until(world, world.tasks[task_id]) is not None for task_id in world.parked)

    def _consider_idle(self) -> None:
        """Arm or disarm the end of an owner that nobody is connected to and that has nothing to do."""
        busy = bool(self._connections) or self._has_work()
        if busy and self._idle is not None:
            self._idle.cancel()
            self._idle = None
        elif not busy and self._idle is None:
            delay = self._effective.options.idle_exit
            self._idle = asyncio.get_running_loop().call_later(delay, self._on_idle)

    def _on_idle(self) -> None:
        self._idle = None
        if not self._connections and not self._has_work():
            self.stop(False)


def _say(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


@contextlib.asynccontextmanager
async def owning(effective: Effective, environ: dict[str, str]) -> AsyncGenerator[Owner]:
    """Be the owner of a pool: its lock, log and slots are held inside.

    Raises:
        StoreInUse: there is an owner. StoreError: the log cannot be used. InvalidArgument: the settings.
    """
    places, chosen = effective.places, effective.options
    settings = pool_settings(effective)
    prices = price_list(chosen.prices)
    prepare(places)
    with owner_lock(places):
        store = open_store(places, chosen.accept_rollback)
        workshop = Workshop(
            chosen.claude,
            environ,
            Path(places.slots_dir),
            tuple(chosen.pass_env),
            chosen.trust_project,
            prices,
        )
        given = "budget_usd" in effective.sources and effective.sources["budget_usd"] != "default"
        library = library_of(effective, environ)
        async with running_pool(
            store, workshop, settings, chosen.budget, given, library=library, soft=chosen.soft_budget
        ) as running:
            owner = Owner(effective, running, environ)
            try:
                yield owner
            finally:
                await owner.close()
        await owner.drop_connections()


async def _own(effective: Effective, environ: dict[str, str]) -> int:
    async with owning(effective, environ) as owner:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, owner.stop, True)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        await owner.listen()
        failure = await owner.until_done()
    if failure is not None:
        _report(failure)
        return exit_code(failure)
    return 0


async def _embed(effective: Effective, toolsets: str) -> int:
    """Be an owner whose life is its standard input, which is one of its connections."""
    loop = asyncio.get_running_loop()
    reader, writer = await _standard_streams()
    async with owning(effective, dict(os.environ)) as owner:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, owner.stop, True)
        await owner.listen()
        serving = asyncio.create_task(owner.attach(reader, writer, toolsets))
        ending = asyncio.create_task(owner.until_done())
        await asyncio.wait((serving, ending), return_when=asyncio.FIRST_COMPLETED)
        owner.stop(True)
        failure = await ending
        serving.cancel()
    if failure is not None:
        _report(failure)
        return exit_code(failure)
    return 0


async def _standard_streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Standard input and output as one connection: two pipes, or one socket."""
    if stat.S_ISSOCK(os.fstat(0).st_mode) and os.path.sameopenfile(0, 1):
        return await asyncio.open_connection(sock=socket.socket(fileno=os.dup(0)), limit=LINE_BYTES)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def embedded(document: Mapping[str, object], toolsets: str) -> int:
    """Own the pool of `document` and serve a coordinator on the standard streams; the exit code."""
    try:
        return asyncio.run(_embed(Effective.from_document(document), toolsets))
    except PoolError as error:
        _report(error)
        return exit_code(error)


def exit_code(error: PoolError) -> int:
    """The exit code that stands for an error at the start or end of an owner."""
    codes = {InvalidArgument: 2, LogBroken: 4, LogNewer: 6}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 3)


def _report(error: PoolError) -> None:
    sys.stderr.write(f"[{error.code}] {error.message}\n")
    sys.stderr.flush()


def main() -> int:
    """Own the pool that the settings on standard input describe; the exit code."""
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        document = json.loads(sys.stdin.read())
        effective = Effective.from_document(document)
        return asyncio.run(_own(effective, dict(os.environ)))
    except PoolError as error:
        _report(error)
        return exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
