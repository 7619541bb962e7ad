"""Who runs what: whether a pending task can run in a slot now, with which conversation and which money.

Pure functions of the folded state. `claim_plan` is used twice, by the policy that chooses and by the
decision that commits, so that nothing is decided twice in two ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from . import slot, task
from .housing import Stage
from .options import Resolved, derived_session, launch_key, resolve
from .pool import Budget, Open
from .values import Options, SessionMode, SessionPolicy, TaskSpec, attempt_id, is_slot_id, parse_session
from .world import World


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


@dataclass(frozen=True, slots=True)
class Funding:
    """What an attempt reserves, and the cost at which it is interrupted (None: never for money)."""

    amount: int
    cap: int | None


@dataclass(frozen=True, slots=True)
class Unaffordable:
    """The attempt cannot be paid: for good (`spent` or `task`) or while others hold reservations."""

    why: str
    needed: int


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


def task_limit(pool: Open, spec: TaskSpec) -> int | None:
    """What all attempts of the task may cost together (microdollars): its own limit, else the pool's."""
    return pool.settings.task_budget if spec.options.max_budget is None else spec.options.max_budget


def funding(world: World, job: task.Job) -> Funding | Unaffordable:
    """What `job`'s next attempt reserves.

    An explicit limit (the task's `max_budget`, else the pool's `task_budget`) less what earlier attempts
    cost is reserved whole and interrupts. Otherwise the attempt takes an equal share of the free funds
    over the slots that are not busy, and is not interrupted. Without any limit nothing is reserved.
    """
    pool = world.open_pool()
    budget = pool.budget
    limit = task_limit(pool, job.spec)
    if limit is not None:
        left = limit - job.cost
        if left <= 0:
            return Unaffordable("task", left)
        return _affordable(budget, left, Funding(left, left))
    if budget.free is None:
        return Funding(0, None)
    share = budget.free // max(1, _not_busy(world))
    return _affordable(budget, 1, Funding(max(share, 1), None))


def _affordable(budget: Budget, needed: int, wanted: Funding) -> Funding | Unaffordable:
    if budget.unspent is not None and budget.unspent < needed:
        return Unaffordable("spent", needed)
    if budget.free is not None and budget.free < needed:
        return Unaffordable("reserved", needed)
    return wanted


def _not_busy(world: World) -> int:
    return sum(
        isinstance(at, (slot.Idle, slot.Clearing, slot.Preparing, slot.Starting, slot.Cold))
        for at in world.slots.values()
    )
