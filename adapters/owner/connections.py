"""An owner and its connections: who comes, what they are told, and the reasons for which the owner ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from claude_pool.domain import pool
from claude_pool.domain.coordination import Abandon
from claude_pool.domain.errors import PoolError, StoreUnreadable
from claude_pool.domain.reasons import waiting_until
from claude_pool.domain.records import Actor

from ..callers import Caller, Serve
from ..calling import PROTOCOL, VERSION
from ..config.credentials import account, credentials, digests
from ..config.model import Effective
from ..config.settings import differences
from ..origins import Origin
from ..places import publish
from ..wiring import Running
from .greeting import GREETING_SECONDS, Greeting
from .starts import Starts

LINE_BYTES = 32 * 1024 * 1024
"""The longest line that a connection may send."""


CALLERS_AT_ONCE = 1024
"""So many callers may wait to be let in, as when many start at once."""

CALM_SECONDS = 300.0
"""An owner in safe mode makes room for a normal start after so long."""

LAST_WORDS_SECONDS = 0.5

WENT_AWAY = "its coordinator went away (on_disconnect = stop)"
"""Why work was cancelled, as the log tells it."""


class Owner:
    """One run of a pool: its connections, and the reasons for which it ends."""

    def __init__(
        self, effective: Effective, running: Running, environ: dict[str, str], starts: Starts
    ) -> None:
        """`running` is at work already, or in safe mode; connections come with `listen` and `attach`.

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
        self.failure: PoolError | None = None
        self._starts = starts
        self._safe = running.service.refusal
        running.service.on_facts(lambda _: self._consider_idle())
        if self._safe is not None:
            running.application.leave_safe_mode = self._leave_safe_mode
            asyncio.get_running_loop().call_later(CALM_SECONDS, self._leave_safe_mode)

    async def listen(self) -> None:
        """Answer on the pool's socket.

        Raises:
            StoreUnreadable: it cannot be made.
        """
        path = self._effective.places.socket
        before = os.umask(0o177)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # We hold the lock, so nobody listens there any more.
            self._server = await asyncio.start_unix_server(
                self._on_connection, path, limit=LINE_BYTES, backlog=CALLERS_AT_ONCE
            )
        except OSError as error:
            hint = "Look at what is in its place, and remove it."
            raise StoreUnreadable(path=path, problem=error.strerror or str(error), hint=hint) from error
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
            self.failure = failure.result()
            return self.failure
        failure.cancel()
        return self._running.service.out_of_room

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
        if self._safe is not None:
            self._running.runtime.stopped.set()
            return
        self._running.service.submit(pool.StopOwner(now), Origin(Actor.SHELL))

    def _leave_safe_mode(self) -> None:
        """Have the next owner start normally, and make room for it once this call is answered."""
        self._starts.went_well()
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self.stop, True)

    async def attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toolsets: str) -> None:
        """Serve one connection that needs no greeting, until its input ends."""
        going = self._effective.options.on_disconnect
        greeting = Greeting(Actor.COORDINATOR, toolsets, {}, {}, on_disconnect=going)
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
        greeting = Greeting.parse(line)
        if greeting is None:
            _say(writer, _misunderstood(line))
            return
        if self._safe is not None:
            if greeting.stop is not None:
                self.stop(True)
            elif greeting.credentials is not None:  # `claude-pool resume`
                self._starts.went_well()
                await self._make_room(writer)
        elif greeting.stop is not None:
            await self._running.service.handle(pool.StopOwner(greeting.stop == "now"), Origin(Actor.SHELL))
        elif greeting.credentials is not None:
            self._take_credentials(greeting.credentials)
        options = cast("dict[str, object]", self._effective.options.model_dump(mode="json"))
        conflict = differences(options, self._environment, greeting.explicit, greeting.environment)
        if greeting.stop is None and greeting.version not in ("", VERSION):
            conflict = [f"version (the owner has {VERSION}, this caller {greeting.version})", *conflict]
        alone = len(self._connections) == 1 and not self._has_work()
        leaving = self._running.world.open_pool().stopping is not None and greeting.stop is None
        if alone and (conflict or (leaving and self._safe is None)):
            await self._make_room(writer)
        welcome: dict[str, Any] = {"claude_pool": PROTOCOL, "ok": True, "pid": os.getpid()}
        welcome |= {"version": VERSION, "conflict": conflict}
        if self._safe is not None:
            welcome["safe_mode"] = self._safe.message
        _say(writer, welcome)
        await writer.drain()
        await self._speak(reader, writer, greeting, conflict)

    async def _make_room(self, writer: asyncio.StreamWriter) -> None:
        """Tell a caller to start another owner, and end. Never returns: the connection ends with us."""
        _say(writer, {"claude_pool": PROTOCOL, "replace": True})
        await writer.drain()
        self.stop(False)
        await asyncio.Event().wait()

    def _take_credentials(self, given: Mapping[str, str]) -> None:
        """Use another account from now on: processes of the old one are replaced when they are needed."""
        for name in credentials(self._environ):
            del self._environ[name]
        self._environ.update(given)
        self._running.service.secrets.learn(given)
        self._environment = digests(self._environ)
        changed = pool.ChangeAccount(account(self._environ, self._running.world.open_pool().pool_id))
        self._running.service.submit(changed, Origin(Actor.SHELL))
        self._running.service.react()

    async def _speak(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        greeting: Greeting,
        conflict: list[str],
    ) -> None:
        serve = await asyncio.shield(self._mcp)
        accepted: set[str] | None = set() if greeting.on_disconnect == "stop" else None
        different, elsewhere = ", ".join(conflict) or None, self._elsewhere(greeting)
        try:
            await serve(
                reader, writer, Caller(greeting.actor, greeting.toolsets, different, elsewhere, accepted)
            )
        finally:
            if accepted:
                self._abandon(accepted)

    def _abandon(self, accepted: set[str]) -> None:
        """Cancel what is unfinished of the work that came over a connection which is gone."""
        running = self._running
        running.service.submit(
            lambda: Abandon(tuple(sorted(accepted)), WENT_AWAY, running.system.now()), Origin(Actor.POLICY)
        )

    def _elsewhere(self, greeting: Greeting) -> str | None:
        """Where the caller's tasks run, if it stands in another work tree than whoever started the owner."""
        usual = self._effective.places.work_tree
        return greeting.working_dir if greeting.working_dir not in (None, usual) else None

    async def _load_server(self) -> Serve:
        # Importing the protocol SDK takes a second; slots start meanwhile.
        module = await asyncio.to_thread(import_module, "..mcp.mounting", __package__)
        mounted: Serve = module.mount(self._running, VERSION)
        # What is loaded by now stays until the end; to walk over it again and again costs milliseconds.
        gc.collect()
        gc.freeze()
        return mounted

    def _has_work(self) -> bool:
        if self._safe is not None:
            return False
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


def _misunderstood(line: bytes) -> dict[str, Any]:
    """The answer to a first line that is no greeting, or one of another kind than ours."""
    try:
        said = json.loads(line)
        protocol, version = said["claude_pool"], said.get("version", "of another version")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"claude_pool": PROTOCOL, "code": "invalid_argument", "message": "This is no greeting."}
    message = (
        f"The pool's owner (pid {os.getpid()}) is claude-pool {VERSION} and greets by protocol {PROTOCOL}; "
        f"this caller is {str(version)[:40]} and greets by protocol {str(protocol)[:40]}. "
        "Use the same version."
    )
    return {"claude_pool": PROTOCOL, "version": VERSION, "code": "config_conflict", "message": message}


def _say(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
