"""The owner as a process: its lock, its log and its way in, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path

from claude_pool.domain.errors import InvalidArgument, LogBroken, LogNewer, PoolError, SafeMode
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.prices import PriceList

from ..claude.price_file import price_list
from ..config.model import Effective
from ..locking import owner_lock
from ..places import prepare
from ..redaction import CleanStream, Secrets
from ..skills.choosing import library_of
from ..store.opening import open_store
from ..wiring import Running, resting_pool, running_pool
from ..workshop import Workshop
from .connections import LINE_BYTES, Owner
from .settings import pool_settings
from .signals import Signals
from .starts import BAD_STARTS, LIVED_SECONDS, Starts, why_safe
from .watchdog import watching

SWITCH_SECONDS = 0.0005
"""How long the loop may keep the log's thread waiting, and the other way round: a durable write is short."""


@contextlib.asynccontextmanager
async def owning(effective: Effective, environ: dict[str, str]) -> AsyncGenerator[Owner]:
    """Be the owner of a pool: its lock, log and slots are held inside.

    After starts that came to nothing (see `starts`) it is in safe mode: the log is held, and only read.

    Raises:
        StoreInUse: there is an owner. StoreError: the log cannot be used. InvalidArgument: the settings.
    """
    places, chosen = effective.places, effective.options
    settings = pool_settings(effective)
    secrets = Secrets(environ, chosen.pass_env)
    secrets.refuse("settings", settings)
    prices = price_list(chosen.prices)
    prepare(places)
    # What is said there ends in the owner's log.
    with owner_lock(places), contextlib.redirect_stderr(CleanStream(sys.stderr, secrets)):
        starts = Starts(places, secrets.clean)
        bad = starts.bad()
        with contextlib.ExitStack() as stack:
            stack.enter_context(watching())
            if len(bad) < BAD_STARTS:
                stack.enter_context(_noted(starts))
                opened = _at_work(effective, environ, settings, prices, secrets)
            else:
                opened = _at_rest(effective, environ, SafeMode(problem=why_safe(bad)), prices)
            async with opened as running:
                owner = Owner(effective, running, environ, starts)
                try:
                    yield owner
                finally:
                    await owner.close()
                    if owner.failure is not None:
                        starts.failed(owner.failure.message)
            await owner.drop_connections()


def _at_work(
    effective: Effective,
    environ: dict[str, str],
    settings: Settings,
    prices: PriceList,
    secrets: Secrets,
) -> contextlib.AbstractAsyncContextManager[Running]:
    places, chosen = effective.places, effective.options
    store = open_store(places, chosen.accept_rollback)
    workshop = Workshop(
        chosen.claude,
        environ,
        Path(places.slots_dir),
        tuple(chosen.pass_env),
        chosen.trust_project,
        prices,
        secrets,
        chosen.max_depth,
        chosen.min_free_disk_mb,
        chosen.min_free_memory_mb,
    )
    given = "budget_usd" in effective.sources and effective.sources["budget_usd"] != "default"
    library = library_of(effective, environ)
    return running_pool(
        store, workshop, settings, chosen.budget, given, library=library, soft=chosen.soft_budget
    )


def _at_rest(
    effective: Effective, environ: dict[str, str], refusal: SafeMode, prices: PriceList
) -> contextlib.AbstractAsyncContextManager[Running]:
    _report(refusal)
    store = open_store(effective.places, effective.options.accept_rollback)
    return resting_pool(store, refusal, library_of(effective, environ), prices)


@contextlib.contextmanager
def _noted(starts: Starts) -> Generator[None]:
    """Have this start on record until it has lived for long enough, or ended in order."""
    starts.begin()
    lived = asyncio.get_running_loop().call_later(LIVED_SECONDS, starts.went_well)
    try:
        yield
    except Exception as error:
        starts.failed(error.message if isinstance(error, PoolError) else f"{type(error).__name__}: {error}")
        raise
    else:
        if not starts.has_failed:
            starts.went_well()
    finally:
        lived.cancel()


async def _own(effective: Effective, environ: dict[str, str]) -> int:
    async with owning(effective, environ) as owner:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
        signals = Signals(owner.stop, effective.options.drain_seconds)
        signals.listen(signal.SIGTERM, signal.SIGINT)
        await owner.listen()
        failure = await owner.until_done()
    signals.close()
    if failure is not None:
        _report(failure)
        return exit_code(failure)
    return 0


async def _embed(effective: Effective, toolsets: str) -> int:
    """Be an owner whose life is its standard input, which is one of its connections."""
    reader, writer = await _standard_streams()
    async with owning(effective, dict(os.environ)) as owner:
        signals = Signals(owner.stop, effective.options.drain_seconds)
        signals.listen(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        await owner.listen()
        serving = asyncio.create_task(owner.attach(reader, writer, toolsets))
        ending = asyncio.create_task(owner.until_done())
        await asyncio.wait((serving, ending), return_when=asyncio.FIRST_COMPLETED)
        owner.stop(True)
        failure = await ending
        serving.cancel()
    signals.close()
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
    with contextlib.suppress(OSError):  # It may be a file on the full disk that is the reason.
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
