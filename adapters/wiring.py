"""The composition root: the one place that pairs ports with adapters."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from claude_pool.domain import pool
from claude_pool.domain.errors import PoolError
from claude_pool.domain.isolation import Workplaces
from claude_pool.domain.options import overlaid
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.ports import SlotDriver, SlotFailure
from claude_pool.domain.prices import PriceList
from claude_pool.domain.values import Options
from claude_pool.domain.world import World

from .application import Application
from .calling import VERSION
from .claude import locate
from .claude.driver import ClaudeDriver
from .claude.locate import Cli
from .claude.missing import NoCliDriver
from .claude.price_file import price_list
from .claude.project_text import project_text
from .config.amounts import DOLLARS, QUESTION_SECONDS, given, microdollars, milliseconds
from .config.credentials import account
from .disk import DiskWatch
from .effects import Effects
from .git.workplaces import GitWorkplaces
from .locking import owner_lock
from .memory import MemoryWatch
from .messages import Messages
from .outlook import Outlook
from .places import Places, find, prepare, socket_folder
from .progress import Progress
from .reading import At, LogReader
from .recovering import RECOVERY, close_open_work, note_rollback, sweep_texts, sweep_workplaces
from .redaction import Secrets
from .repositories import Repositories
from .runtime import Runtime
from .service import Service
from .skills.choosing import default_folders
from .skills.library import Library
from .slot_desk import SlotDesk
from .store.opening import Store, memory_store, open_store
from .surroundings import ProjectTexts
from .system import RealSystem, System, new_uuid
from .workshop import Workshop

END_SECONDS = 20.0
"""So long an owner waits for its slots to end in order; then their keepers end them."""


@dataclass(frozen=True)
class Running:
    """A pool at work: what its callers use, and what its owner looks after."""

    application: Application
    service: Service
    runtime: Runtime
    store: Store
    system: System

    @property
    def world(self) -> World:
        """The live view."""
        return self.service.world


@contextlib.asynccontextmanager
async def running_pool(
    store: Store,
    workshop: Workshop,
    settings: Settings,
    limit: int | None,
    limit_given: bool,
    system: System | None = None,
    driver: SlotDriver | None = None,
    library: Library | None = None,
    soft: int | None = None,
) -> AsyncGenerator[Running]:
    """A pool at work on `store`: recovers what a dead owner left, then starts its slots.

    `limit` is the budget in microdollars, `soft` where it asks (None: as the log has it); `library` has the
    skills (default: the built-in ones). On the way out everything running is ended; a store that refuses
    meanwhile shows in `Service.failure`.
    """
    system = system or RealSystem()
    secrets = workshop.secrets or Secrets(workshop.environ, workshop.pass_env)
    service = Service(store.log, system, secrets)
    service.kept_view.save = store.save_snapshot
    service.make_room = store.make_room
    _load(service, store)
    known = service.world.pool
    pool_id = known.pool_id if isinstance(known, pool.Open) else new_uuid()
    cli: Cli | None = None
    if driver is None:
        driver, cli = workshop.driver(pool_id, store.transcripts, settings.silence_ms, secrets)
    if isinstance(driver, ClaudeDriver):
        # Keepers end the slots of a dead owner; this is for what lost keepers left.
        await driver.sweep_leftovers()
    texts = _look_around(service, store, workshop, cli)
    workplaces = GitWorkplaces(str(store.worktrees), workshop.environ)
    running = await _assembled(
        service, driver, store, texts.text, workplaces, system, library or Library(), workshop.prices
    )
    service.start()
    try:
        opened = isinstance(known, pool.Open)
        if opened:
            await note_rollback(service, store, system)
        await close_open_work(service, store, system, workshop.prices)
        await sweep_texts(service, store)
        owner = pool.StartOwner(
            pool_id, new_uuid(), os.getpid(), VERSION, settings, limit, limit_given, system.now(),
            account(workshop.environ, pool_id), soft,
        )  # fmt: skip
        await service.handle(owner, RECOVERY)
        if not opened:
            await note_rollback(service, store, system)
        await sweep_workplaces(service, workplaces)
        running.runtime.start()
        # The first caller finds all slots, and no question about what goes on by itself.
        await service.reacted()
        identify = asyncio.create_task(_identify(service, cli)) if cli is not None else None
        yield running
        if identify is not None:
            identify.cancel()
    finally:
        await _end(service, running.runtime)


@contextlib.asynccontextmanager
async def resting_pool(
    store: Store, refusal: PoolError, library: Library, prices: PriceList
) -> AsyncGenerator[Running]:
    """A pool that is only read: nothing is recovered, no slot starts, every command gets `refusal`."""
    system = RealSystem()
    service = Service(store.log, system)
    _load(service, store)
    service.refusal = refusal
    driver = NoCliDriver(SlotFailure("slot_failed", refusal.message), lambda: None)
    workplaces = GitWorkplaces(str(store.worktrees), {})
    running = await _assembled(service, driver, store, _untold, workplaces, system, library, prices)
    service.start()
    try:
        yield running
    finally:
        await service.close()


def _look_around(service: Service, store: Store, workshop: Workshop, cli: Cli | None) -> ProjectTexts:
    """Let the policies see projects, prices, and the room on the disk and in memory."""
    texts = ProjectTexts(_untold if workshop.trust_project else project_text, lambda: workshop.account(cli))
    disk = DiskWatch(str(store.transcripts), workshop.min_free_disk_mb)
    memory = MemoryWatch(workshop.min_free_memory_mb)
    service.outlook = Outlook(texts.digests, workshop.quote, disk.look, memory.look)
    return texts


def _load(service: Service, store: Store) -> None:
    service.kept_view.load, service.kept_view.damage = store.load_snapshot, store.damage_of_snapshot
    service.load()


async def _assembled(
    service: Service,
    driver: SlotDriver,
    store: Store,
    project_text: Callable[[str], str | None],
    workplaces: Workplaces,
    system: System,
    library: Library,
    prices: PriceList,
) -> Running:
    """Everything that works on `service`; nothing of it has begun."""
    await asyncio.to_thread(library.refresh)
    messages, progress = Messages(service, store.texts, system), Progress(system)
    driver.on_slot_tool(SlotDesk(service, messages, progress).serve)
    effects = Effects(service)
    git = Repositories(service, effects, workplaces, store.texts, system)
    runtime = Runtime(
        service, driver, effects, store.texts, system, project_text, messages, progress, git.note
    )
    application = Application(
        service, store.texts, store.index, system, VERSION, messages, library, progress, workplaces, prices
    )  # fmt: skip
    return Running(application, service, runtime, store, system)


async def _end(service: Service, runtime: Runtime) -> None:
    """End what runs, on record where the store still takes it, and release everything."""
    with contextlib.suppress(PoolError):
        if not runtime.stopped.is_set():
            await service.handle(pool.StopOwner(now=True), RECOVERY)
        ends = (asyncio.ensure_future(runtime.stopped.wait()), asyncio.ensure_future(service.failure()))
        await asyncio.wait(ends, timeout=END_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
    service.policies_on = False
    await runtime.close()
    if not service.failed:
        with contextlib.suppress(PoolError):
            await service.handle(pool.RecordOwnerStopped(), RECOVERY)
    await service.close()


def _untold(_directory: str) -> str | None:
    """The CLI of a trusted project reads the project's text itself."""
    return None


async def _identify(service: Service, cli: Cli) -> None:
    """Record which program slots run. Reading all of it takes a second, so it happens on the side."""
    digest = await asyncio.to_thread(locate.digest, cli)
    with contextlib.suppress(PoolError):
        await service.handle(pool.IdentifyCli(cli.path, cli.version, digest), RECOVERY)


def open_reader(places: Places, at: At | None = None) -> LogReader:
    """The pool of `places` read from its log, whether or not an owner runs; as it stood `at` some time.

    Raises:
        StoreUnreadable, LogNewer, LogBroken: the log cannot be read.
        InvalidArgument: it does not reach there.
    """
    return LogReader(places, VERSION, at)


@contextlib.asynccontextmanager
async def open_pool(
    *,
    slots: int = 2,
    model: str | None = None,
    permission_mode: str | None = None,
    budget_usd: float | None = None,
    working_dir: str | None = None,
    state_dir: str | None = None,
    claude: str | None = None,
    environ: Mapping[str, str] | None = None,
    question_seconds: float = 60.0,
    prices: str | None = None,
    settings: Settings | None = None,
) -> AsyncGenerator[Application]:
    """A pool inside this program, without MCP and without an owner process.

    `state_dir` keeps the log there (and takes its lock); without it the log is in memory. `budget_usd`
    limits the spend. `claude` names the CLI; `environ` (default: this process's) is what slots may see.
    A permission question is denied after `question_seconds`, at once where that is 0. `prices` names a file
    of prices that hold before the shipped ones.
    `settings` say everything else, such as bounds of scaling and the options of all tasks; `slots`, the
    directory, the time for questions, and a model or mode that is given here, hold instead of theirs.

    Raises:
        StoreInUse: an owner holds `state_dir`. StoreError: its log cannot be used.
        InvalidArgument: `working_dir` is not a directory, a number is none or out of its range, or the file
            of prices cannot be used.
    """
    environment = dict(os.environ if environ is None else environ)
    price = price_list(prices)
    with contextlib.ExitStack() as stack:
        places = find(environment, working_dir, state_dir)
        if state_dir is None:
            socket_folder(places.slots_dir)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="claude-pool-")))
            store = memory_store(folder)
        else:
            prepare(places)
            stack.enter_context(owner_lock(places, callers=False))
            store = open_store(places)
        base = settings or Settings()
        chosen = replace(
            base,
            slots=slots,
            options=overlaid(base.options, Options(model=model, permission_mode=permission_mode)),
            working_dir=places.work_tree if working_dir is None else os.path.realpath(working_dir),
            question_ms=milliseconds(given(question_seconds, QUESTION_SECONDS, "question_seconds")),
        )
        limit = None if budget_usd is None else microdollars(given(budget_usd, DOLLARS, "budget_usd"))
        workshop = Workshop(claude, environment, Path(places.slots_dir) / str(os.getpid()), prices=price)
        library = Library(default_folders(places, environment))
        async with running_pool(
            store, workshop, chosen, limit, budget_usd is not None, library=library
        ) as running:
            yield running.application
