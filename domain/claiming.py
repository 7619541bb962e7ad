"""Who runs what: whether a pending task can run in a slot now, and with which conversation.

Pure functions of the folded state. `claim_plan` is used twice, by the policy that chooses and by the
decision that commits, so that nothing is decided twice in two ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from . import slot, task
from .funding import ANY_PRICE, Price, Quote
from .housing import Stage
from .options import Resolved, derived_session, launch_key, resolve
from .pool import Open
from .values import Options, SessionMode, SessionPolicy, TaskSpec, attempt_id, is_slot_id, parse_session
from .world import World

CAREFUL_BYTES_PER_TOKEN = 3
"""A careful ratio for prompts: English has about 4 bytes a token, code and other languages fewer."""


class Fit(Enum):
    """How well a free slot suits a task, best first."""

    READY = 0
    NEEDS_CLEAR = 1
    COLD = 2
    OTHER_KEY = 3


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """How an attempt would run in a slot. `replaces`: in a new process, which continues or forks `resume`."""

    slot_id: str
    resolved: Resolved
    key: str
    session: str
    mode: SessionMode
    resume: str | None
    replaces: bool
    fit: Fit


def default_session(pool: Open) -> SessionPolicy:
    """The conversation policy of tasks that name none."""
    return parse_session(pool.settings.session) or SessionPolicy()


def pool_options(pool: Open) -> Options:
    """The pool's layer of options, with its working directory and time limit."""
    settings, options = pool.settings, pool.settings.options
    return replace(
        options,
        working_dir=settings.working_dir if options.working_dir is None else options.working_dir,
        timeout_ms=settings.task_timeout_ms if options.timeout_ms is None else options.timeout_ms,
    )


def unhoused(pool: Open, card: slot.Card) -> bool:
    """Whether the slot does not work where it should, so that nothing may start in it yet."""
    at = card.housing
    return at.stage is not Stage.MADE if pool.settings.worktree else at.workplace is not None


def workplaces(world: World) -> dict[str, str]:
    """The directories of the work trees that slots in service have of their own, with their slots."""
    serving = (
        (n, at.card.housing.workplace) for n, at in world.slots.items() if not isinstance(at, slot.Stopped)
    )
    return {home.directory: slot_id for slot_id, home in serving if home is not None}


def slowed(world: World) -> bool:
    """Whether as many attempts run as the provider bears at present."""
    most = world.open_pool().provider.concurrency
    return most is not None and len(world.running) >= most


def lives_elsewhere(world: World, session: str | None, directory: str | None) -> bool:
    """Whether a conversation belongs to another slot's own work tree than `directory`."""
    home = world.homes.get(session or "")
    return home is not None and home.directory != directory and home.directory in workplaces(world)


def stranded(world: World, job: task.Job) -> bool:
    """Whether the task's conversation lives in a work tree that no slot which may run the task works in."""
    pool = world.open_pool()
    policy = task.session_policy(job, default_session(pool))
    if policy.session is None:
        return False
    able = [
        at for at in world.slots.values() if not isinstance(at, slot.Stopped) and eligible(job.spec, at.card)
    ]
    base = pool_options(pool)
    return bool(able) and all(
        lives_elsewhere(
            world, policy.session, resolve(job.spec.options, at.card.options, base).options.working_dir
        )
        for at in able
    )


def eligible(spec: TaskSpec, card: slot.Card) -> bool:
    """Whether the task may run in this slot: any, or the one or the role that it names."""
    if spec.slot is None:
        return True
    return spec.slot == (card.slot_id if is_slot_id(spec.slot) else card.role)


def wanted_session(pool: Open, job: task.Job, card: slot.Card) -> str | None:
    """The conversation that the task would continue or fork in this slot; None: it begins a new one."""
    policy = task.session_policy(job, default_session(pool))
    return card.conversation if policy.mode is SessionMode.SLOT else policy.session


def first_call(world: World, job: task.Job, cards: Iterable[slot.Card], price: Price | None) -> Quote:
    """What the first API call of `job`'s next attempt costs, in the dearest of the slots that it may take.

    What goes in is the prompt and what its conversation is known to hold; the tools and the instructions that
    the CLI adds are not known before it has answered once.
    """
    if price is None:
        return ANY_PRICE
    pool, spec = world.open_pool(), job.spec
    texts = (spec.prompt, *(text for filling in spec.fillings for text in filling.texts))
    prompt = sum(text.size for text in texts) // CAREFUL_BYTES_PER_TOKEN
    quotes: list[Quote] = []
    for card in cards:
        if eligible(spec, card):
            options = resolve(spec.options, card.options, pool_options(pool)).options
            held = world.contexts.get(wanted_session(pool, job, card) or "", 0)
            quotes.append(price(options.model, prompt + held, options.permission_mode))
    if not quotes:
        return ANY_PRICE
    worst = [quote.worst for quote in quotes if quote.worst is not None]
    return Quote(max(quote.least for quote in quotes), max(worst, default=None))


def _spared(world: World, job: task.Job) -> frozenset[str]:
    """The conversations that a step of a forked chain does not go on with."""
    part = job.spec.part
    at = None if part is None else world.chains.get(part.chain_id)
    return frozenset() if at is None else at.work.spared


def claim_plan(world: World, job: task.Job, at: slot.Idle | slot.Cold, surroundings: str) -> ClaimPlan | None:
    """How `job`'s next attempt would run in slot `at`, or None where its conversation is busy or lives
    elsewhere."""
    pool = world.open_pool()
    policy = task.session_policy(job, default_session(pool))
    if policy.session in world.sessions:
        return None  # before any digest: a long queue may wait for one conversation
    resolved = resolve(job.spec.options, at.card.options, pool_options(pool))
    if lives_elsewhere(world, policy.session, resolved.options.working_dir):
        return None
    key = launch_key(resolved.options, at.card.identity, surroundings)
    wanted = wanted_session(pool, job, at.card)
    home = world.homes.get(wanted or "")
    if policy.mode is SessionMode.SLOT and (home is None or home.directory != resolved.options.working_dir):
        wanted = None  # a conversation never leaves its directory; the slot has none in this one
    if policy.mode is SessionMode.SLOT and wanted in _spared(world, job):
        wanted = None
    if wanted is not None and wanted in world.sessions:
        return None
    mode = policy.mode if wanted is not None else SessionMode.FRESH
    held = at.process if isinstance(at, slot.Idle) and at.process.key == key else None
    new = derived_session(pool.owner or "", attempt_id(job.task_id, job.next_attempt))
    if held is not None and mode is SessionMode.FRESH and held.spare not in world.sessions:
        fit = Fit.READY if held.spare is not None else Fit.NEEDS_CLEAR
        return ClaimPlan(at.card.slot_id, resolved, key, held.spare or "", mode, None, False, fit)
    same = held is not None and held.spare is None and held.holds == wanted
    # a process knows nothing of the turns that its conversation has run in other slots since
    same = same and home is not None and home.slot_id == at.card.slot_id
    if same and wanted is not None and mode is not SessionMode.FORK:
        return ClaimPlan(at.card.slot_id, resolved, key, wanted, mode, wanted, False, Fit.READY)
    fit = Fit.COLD if isinstance(at, slot.Cold) else Fit.OTHER_KEY
    continued = mode in (SessionMode.SLOT, SessionMode.RESUME) and wanted is not None
    session = wanted if continued and wanted is not None else new
    return ClaimPlan(at.card.slot_id, resolved, key, session, mode, wanted, True, fit)
