"""The composition root: the one place that pairs ports with adapters."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from claude_pool.domain import pool, slot, task
from claude_pool.domain.coordination import Recover
from claude_pool.domain.errors import PoolError, StoreError
from claude_pool.domain.funding import Quote
from claude_pool.domain.isolation import Workplaces
from claude_pool.domain.options import overlaid
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.ports import EventLog, Head, SlotDriver, SlotFailure
from claude_pool.domain.prices import PriceList
from claude_pool.domain.records import Actor
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Transcript
from claude_pool.domain.world import World

from .application import Application
from .calling import VERSION
from .check import check_log
from .claude import locate
from .claude.driver import ClaudeDriver, DriverSettings
from .claude.locate import Cli
from .claude.meter import BYTES_PER_TOKEN, Asked
from .claude.missing import NoCliDriver
from .claude.price_file import price_list
from .claude.project_text import project_text
from .claude.settlement import settle_transcript
from .config.amounts import DOLLARS, QUESTION_SECONDS, given, microdollars, milliseconds
from .config.credentials import account
from .config.settings import pool_depth
from .disk import DiskWatch
from .git.workplaces import GitWorkplaces
from .locking import owner_lock
from .memory import MemoryWatch
from .messages import Messages
from .origins import Origin
from .places import Places, find, prepare, socket_folder
from .progress import Progress
from .reading import At, LogReader
from .redaction import Secrets
from .runtime import Runtime
from .service import Service
from .skills.choosing import default_folders
from .skills.library import Library
from .slot_desk import SlotDesk
from .store.ballast import Ballast
from .store.blobs import DAY_MS, BlobStore, MemoryBlobs, Texts
from .store.index import Index
from .store.memory import MemoryEventLog
from .store.registry import default_codec
from .store.snapshots import Snapshot, damage_of_snapshot, load_snapshot, save_snapshot
from .store.sqlite import SqliteEventLog
from .store.surface import network_file_system
from .surroundings import ProjectTexts
from .system import RealSystem, System, new_uuid, wall_ms

_log = logging.getLogger(__name__)

__all__ = ["check_log", "open_pool", "open_reader", "open_store", "running_pool"]

END_SECONDS = 20.0
"""So long an owner waits for its slots to end in order; then their keepers end them."""

RECOVERY = Origin(Actor.RECOVERY)


@dataclass(frozen=True)
class Store:
    """A log with its texts, its lists over history, and the folders of transcripts and of work trees.

    `rolled_back` is what was acknowledged before the log was cut or restored, where that was accepted;
    `make_room` gives up what is kept for a full disk. `load_snapshot` and `save_snapshot` keep the live view
    from one owner to the next, where anything does.
    """

    log: EventLog
    texts: Texts
    index: Index
    transcripts: Path
    worktrees: Path
    rolled_back: Head | None = None
    make_room: Callable[[], bool] = lambda: False
    load_snapshot: Callable[[], Snapshot | None] = lambda: None
    save_snapshot: Callable[[Snapshot], object] | None = None
    damage_of_snapshot: Callable[[], str | None] = lambda: None


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


@dataclass(frozen=True)
class Workshop:
    """How slots are made: which CLI and environment, what they may load of a project, what tokens cost.

    `secrets` are kept out of what the pool writes down; None: those of `environ`. No attempt starts while
    less than `min_free_disk_mb` is free beside the transcripts, no process while one more would leave less
    than `min_free_memory_mb` of memory.
    """

    claude: str | None
    environ: Mapping[str, str]
    runtime_dir: Path
    pass_env: tuple[str, ...] = ()
    trust_project: bool = False
    prices: PriceList = field(default_factory=price_list)
    secrets: Secrets | None = None
    max_depth: int = 1
    min_free_disk_mb: int = 0
    min_free_memory_mb: int = 0

    def quote(self, model: str | None, context: int, permission_mode: str | None) -> Quote:
        """What a call to a model costs, at least and at worst."""
        return Quote(
            self.prices.least_call(model, context, permission_mode),
            self.prices.next_call(model, context, permission_mode),
        )


def open_store(places: Places, accept_rollback: bool = False) -> Store:
    """The store of a state directory, for its one owner.

    Raises:
        StoreError: the log cannot be used; nothing was changed.
    """
    path = Path(places.log)
    log = SqliteEventLog.open(path, default_codec(), accept_rollback=accept_rollback)
    if kind := network_file_system(places.state_dir):
        _log.warning("the log lies on a network file system (%s), where its locks do not hold", kind)
    ballast = Ballast(path)
    try:
        ballast.take()
    except StoreError:
        log.close()
        raise
    return Store(
        log,
        BlobStore(places.blobs),
        log.index,
        Path(places.transcripts),
        Path(places.worktrees),
        log.rolled_back,
        ballast.give_up,
        lambda: load_snapshot(path, log),
        lambda snapshot: save_snapshot(path, snapshot),
        lambda: damage_of_snapshot(path, log),
    )


def memory_store(transcripts: Path) -> Store:
    """A store that ends with the process; only transcripts are files."""
    log = MemoryEventLog(default_codec())
    return Store(log, MemoryBlobs(), log.index, transcripts, transcripts / "worktrees")


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
    library = library or Library()
    await asyncio.to_thread(library.refresh)
    secrets = workshop.secrets or Secrets(workshop.environ, workshop.pass_env)
    service = Service(store.log, system, secrets)
    service.kept_view.load, service.kept_view.save = store.load_snapshot, store.save_snapshot
    service.kept_view.damage = store.damage_of_snapshot
    service.load()
    known = service.world.pool
    pool_id = known.pool_id if isinstance(known, pool.Open) else new_uuid()
    cli: Cli | None = None
    if driver is None:
        driver, cli = make_driver(workshop, pool_id, store.transcripts, settings.silence_ms, secrets)
    if isinstance(driver, ClaudeDriver):
        # Keepers end the slots of a dead owner; this is for what lost keepers left.
        await driver.sweep_leftovers()
    texts = ProjectTexts(_untold if workshop.trust_project else project_text, lambda: _account(workshop, cli))
    service.refresh_surroundings = texts.digests
    service.price = workshop.quote
    service.make_room = store.make_room
    service.look_at_disk = DiskWatch(str(store.transcripts), workshop.min_free_disk_mb).look
    service.look_at_memory = MemoryWatch(workshop.min_free_memory_mb).look
    messages, progress = Messages(service, store.texts, system), Progress(system)
    driver.on_slot_tool(SlotDesk(service, messages, progress).serve)
    workplaces = GitWorkplaces(str(store.worktrees), workshop.environ)
    runtime = Runtime(service, driver, store.texts, system, texts.text, messages, workplaces, progress)
    service.start()
    try:
        opened = isinstance(known, pool.Open)
        if opened:
            await _note_rollback(service, store, system)
        await _recover(service, store, system, workshop.prices)
        await service.on_log(
            lambda: store.texts.sweep(store.index.blobs(), older_than_ms=DAY_MS, now_ms=wall_ms())
        )
        owner = pool.StartOwner(
            pool_id, new_uuid(), os.getpid(), VERSION, settings, limit, limit_given, system.now(),
            account(workshop.environ, pool_id), soft,
        )  # fmt: skip
        await service.handle(owner, RECOVERY)
        if not opened:
            await _note_rollback(service, store, system)
        await _sweep(service, workplaces)
        runtime.start()
        await (
            service.reacted()
        )  # the first caller finds all slots, and no question about what goes on by itself
        identify = asyncio.create_task(_identify(service, cli)) if cli is not None else None
        application = Application(
            service, store.texts, store.index, system, VERSION, messages, library, progress, workplaces
        )
        yield Running(application, service, runtime, store, system)
        if identify is not None:
            identify.cancel()
    finally:
        await _end(service, runtime)


@contextlib.asynccontextmanager
async def resting_pool(store: Store, refusal: PoolError, library: Library) -> AsyncGenerator[Running]:
    """A pool that is only read: nothing is recovered, no slot starts, every command gets `refusal`."""
    system = RealSystem()
    await asyncio.to_thread(library.refresh)
    service = Service(store.log, system)
    service.kept_view.load, service.kept_view.damage = store.load_snapshot, store.damage_of_snapshot
    service.load()
    service.refusal = refusal
    service.start()
    messages, progress = Messages(service, store.texts, system), Progress(system)
    driver = NoCliDriver(SlotFailure("slot_failed", refusal.message), lambda: None)
    workplaces = GitWorkplaces(str(store.worktrees), {})
    runtime = Runtime(service, driver, store.texts, system, _untold, messages, workplaces, progress)
    application = Application(
        service, store.texts, store.index, system, VERSION, messages, library, progress, workplaces
    )  # fmt: skip
    try:
        yield Running(application, service, runtime, store, system)
    finally:
        await service.close()


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


async def _note_rollback(service: Service, store: Store, system: System) -> None:
    """Put on record that acknowledged events are lost, where that was accepted."""
    if store.rolled_back is not None:
        lost = pool.AcceptRollback(store.rolled_back.position, store.log.head().position, system.now())
        await service.handle(lost, RECOVERY)


async def _recover(service: Service, store: Store, system: System, prices: PriceList) -> None:
    """Close in one append what the last owner left open, each attempt at what its transcript shows."""
    seen: dict[str, Outcome] = {}
    for task_id in service.world.running:
        state = service.world.tasks[task_id]
        if isinstance(state, task.Running):
            attempt = task.live_attempt_id(state)
            seen[attempt] = _seen(store.transcripts / f"{attempt}.jsonl", prices, state.job.spec)
    await service.handle(Recover(seen, system.now()), RECOVERY)


def _seen(transcript: Path, prices: PriceList, spec: TaskSpec) -> Outcome:
    if not transcript.exists():
        return Outcome(End.INTERRUPTED)
    options = spec.options
    asked = Asked(options.model, options.permission_mode, spec.prompt.size // BYTES_PER_TOKEN)
    settled, meter = settle_transcript(transcript, prices, asked)
    content = transcript.read_bytes()
    evidence = Transcript(len(content), hashlib.sha256(content).hexdigest())
    return Outcome(
        End.INTERRUPTED,
        cost=settled.cost,
        estimated=True,
        tokens=settled.tokens,
        model=meter.model,
        transcript=evidence,
        context=meter.context,
        unpriced=settled.unpriced,
    )


async def _sweep(service: Service, workplaces: Workplaces) -> None:
    """Keep and take away the copies of repositories that no live chain or slot works in any more."""
    slots = [
        slot_id
        for slot_id, at in service.world.slots.items()
        if not (isinstance(at, slot.Stopped) and at.retired)
    ]
    for swept in await asyncio.to_thread(workplaces.sweep, {*service.world.chains, *slots}):
        if swept.removed:
            _log.info("the orphan %s was taken away; its work is on %s", swept.name, swept.branch)
        else:
            _log.warning("the orphan %s stays: %s", swept.name, swept.problem)


async def _identify(service: Service, cli: Cli) -> None:
    """Record which program slots run. Reading all of it takes a second, so it happens on the side."""
    digest = await asyncio.to_thread(locate.digest, cli)
    with contextlib.suppress(PoolError):
        await service.handle(pool.IdentifyCli(cli.path, cli.version, digest), RECOVERY)


def make_driver(
    workshop: Workshop, pool_id: str, transcripts: Path, silence_ms: int, secrets: Secrets
) -> tuple[SlotDriver, Cli | None]:
    """The driver of the CLI that is found, or one that says that none is."""
    try:
        cli = locate.locate(workshop.claude, workshop.environ)
    except SlotFailure as failure:
        return NoCliDriver(failure, lambda: locate.locate(workshop.claude, workshop.environ)), None
    settings = DriverSettings(
        cli=cli,
        pool=pool_id,
        environ=workshop.environ,
        runtime_dir=workshop.runtime_dir,
        transcripts_dir=transcripts,
        prices=workshop.prices,
        pass_env=workshop.pass_env,
        depth=pool_depth(workshop.environ) + 1,
        max_depth=workshop.max_depth,
        trust_project=workshop.trust_project,
        silence_ms=silence_ms,
        secrets=secrets,
    )
    return ClaudeDriver(settings), cli


def _account(workshop: Workshop, cli: Cli | None) -> str:
    """A digest of what decides whose account slots use and what they load."""
    names = sorted(n for n in workshop.environ if n.startswith(("ANTHROPIC_", "CLAUDE_CONFIG", "HOME")))
    values = [
        f"{name}={workshop.environ[name]}"
        for name in (*names, *workshop.pass_env)
        if name in workshop.environ
    ]
    text = "\0".join([*values, str(workshop.trust_project), cli.path if cli else ""])
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


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
