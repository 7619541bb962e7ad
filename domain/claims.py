"""Which task starts in which slot now: the queue meets the free slots, in claim order, with money for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import merge

from . import pool, slot, staffing, standing, task
from .attempts import Claim, too_many
from .claiming import (
    ClaimPlan,
    Fit,
    claim_plan,
    eligible,
    first_call,
    pool_options,
    slowed,
    stranded,
    unhoused,
)
from .coordination import Command
from .errors import Paused, WrongState
from .funding import BUDGET, Funding, Quote, Unaffordable, funding, nobody_starts
from .ledger import next_day
from .soft_limits import SOFT_LIMIT
from .surroundings import Surroundings
from .world import Rank, World


def claim_for(world: World, slot_id: str, surroundings: Surroundings, now: int) -> Claim:
    """The claim of the first task in the queue that the ordinary rules let run in one slot now.

    Raises:
        WrongState: the slot is not free, or no pending task can run there. Paused: the pool is paused.
    """
    at, state = world.open_pool(), world.slots.get(slot_id, slot.ABSENT)
    if not isinstance(state, (slot.Idle, slot.Cold)):
        raise WrongState(subject=slot_id, state=type(state).__name__.lower(), problem="it is not free")
    if at.paused is not None:
        raise Paused(reason=at.paused.reason)
    if slowed(world):
        raise too_many(world)
    if (problem := standing.objection(world, state, now)) is not None:
        raise WrongState(subject=slot_id, state="free", problem=problem)
    for _, _, task_id in world.pending:
        job = world.tasks[task_id].job
        quote = first_call(world, job, [state.card], surroundings.price)
        if isinstance(funding(world, job, quote, now), Unaffordable):
            continue
        plans = _plans(world, job, {slot_id: state}, surroundings)
        if plans and plans[0].session:
            directory = plans[0].resolved.options.working_dir
            return Claim(task_id, slot_id, surroundings.at(directory), now, quote)
    raise WrongState(subject=slot_id, state="free", problem="no pending task can run there now")


def claims(world: World, at: pool.Open, surroundings: Surroundings, now: int) -> Iterator[Command]:
    """The first task that can start now, or that never will: claimed, cleared for, parked or failed."""
    if at.paused is not None or slowed(world):
        return
    free: dict[str, slot.Idle | slot.Cold] = {
        slot_id: state
        for slot_id, state in world.slots.items()
        if isinstance(state, (slot.Idle, slot.Cold)) and _takes_tasks(world, state, now)
    }
    if not free:
        return
    soon = [
        state
        for state in world.slots.values()
        if isinstance(state, (slot.Clearing, slot.Starting)) and not state.card.health.on_trial
    ]
    left = {slot_id for slot_id in world.slots if standing.out_of_service(world, slot_id)}
    targets = {None, *left, *free, *(state.card.role for state in free.values())}
    cards = [state.card for state in free.values()]
    known: dict[object, tuple[Quote, Funding | Unaffordable]] = {}
    for _, _, task_id in merge(world.pending, _short_of_money(world)):
        state = world.tasks[task_id]
        target = state.job.spec.slot
        if target not in targets:
            continue
        alike = _money_key(state.job)
        if alike not in known:
            quote = first_call(world, state.job, cards, surroundings.price)
            known[alike] = quote, funding(world, state.job, quote, now)
        quote, funds = known[alike]
        if target in left:
            message = f"{target} left service before the task could run there. Name another slot, or a role."
            yield task.FailTask(task_id, "not_found", message, now)
        elif stranded(world, state.job):
            message = "Its conversation lives in another slot's own work tree. Submit it for that slot."
            yield task.FailTask(task_id, "session_not_found", message, now)
        elif isinstance(funds, Unaffordable):
            yield from _without_money(state, funds, now)
        elif isinstance(state, task.Pending):
            yield from _claim_best(world, state.job, free, soon, surroundings, quote, now)
        elif _plans(world, state.job, free, surroundings):
            # one at a time, as it can be claimed: to let all go and park most again would flood the log
            yield task.UnparkTask(task_id)


def _takes_tasks(world: World, state: slot.Idle | slot.Cold, now: int) -> bool:
    at = world.open_pool()
    if isinstance(state, slot.Cold):
        ready = not unhoused(at, state.card)
    else:
        ready = not staffing.worn(state.process, at.settings)
    return ready and not state.card.draining and standing.objection(world, state, now) is None


def _money_key(job: task.Job) -> object:
    """Tasks with the same one get the same answer to what they reserve; most of a fan-out do."""
    spec = job.spec
    chain_id = None if spec.part is None else spec.part.chain_id
    sizes = (spec.prompt.size, *(text.size for filling in spec.fillings for text in filling.texts))
    asked = (job.resume, bool(job.rejections), job.cost, job.task_id if job.attempts else None)
    return (spec.options, spec.slot, spec.session, spec.tags, chain_id, sizes, asked)


def _without_money(state: task.Known, funds: Unaffordable, now: int) -> Iterator[Command]:
    """Park it while it may still get its money; give it up when that will never come."""
    task_id, until = state.job.task_id, next_day(now) if funds.level.of_a_day else None
    match funds.why:
        case "chain":
            message = "The chain's budget is spent. Give the chain a higher max_budget_usd."
            yield task.FailTask(task_id, "budget_exceeded", message, now)
        case "task":
            message = "Its earlier attempts spent its whole budget."
            yield task.FailTask(task_id, "task_budget_reached", message, now)
        case "spent":
            yield task.FailTask(task_id, "budget_exceeded", funds.level.exceeded(funds.needed).message, now)
        case _ if isinstance(state, task.Parked):
            if until is not None and state.until is None:
                yield task.UnparkTask(task_id)  # and park it again: only the next day may let it go on
        case "asked":
            yield task.ParkTask(task_id, SOFT_LIMIT, until)
        case _:
            yield task.ParkTask(task_id, BUDGET, until)


def _plans(
    world: World, job: task.Job, free: Mapping[str, slot.Idle | slot.Cold], surroundings: Surroundings
) -> list[ClaimPlan]:
    """How the task could run in each free slot that suits it."""
    base = pool_options(world.open_pool())
    return [
        plan
        for state in free.values()
        if eligible(job.spec, state.card)
        if (plan := claim_plan(world, job, state, surroundings.at(_directory(job, state, base.working_dir))))
    ]


def _claim_best(
    world: World,
    job: task.Job,
    free: dict[str, slot.Idle | slot.Cold],
    soon: list[slot.Clearing | slot.Starting],
    surroundings: Surroundings,
    quote: Quote,
    now: int,
) -> Iterator[Command]:
    """Claim the best free slot; have its conversation cleared first; or wait for one that is nearly ready."""
    plans = _plans(world, job, free, surroundings)
    if not plans:
        return
    best = min(plans, key=lambda plan: (free[plan.slot_id].card.health.on_trial, plan.fit.value))
    if best.fit is Fit.OTHER_KEY or best.fit is Fit.COLD:
        for nearly in soon:
            key = nearly.key if isinstance(nearly, slot.Starting) else nearly.process.key
            if key == best.key and eligible(job.spec, nearly.card) and not best.resume:
                soon.remove(nearly)
                return
    if best.fit is Fit.NEEDS_CLEAR:
        yield slot.StartClear(best.slot_id, now)
    else:
        digest = surroundings.at(best.resolved.options.working_dir)
        yield Claim(job.task_id, best.slot_id, digest, now, quote)


def _directory(job: task.Job, state: slot.Idle | slot.Cold, default: str | None) -> str | None:
    return job.spec.options.working_dir or state.card.options.working_dir or default


def _short_of_money(world: World) -> list[Rank]:
    """The tasks that are parked until others give their reservations back, or somebody lets them go on, in
    claim order."""
    if nobody_starts(world):
        return []  # a long queue is not looked at one by one while the same holds for all
    parked = ((task_id, world.tasks[task_id]) for task_id in world.parked)
    return sorted(
        world.ranks[task_id]
        for task_id, state in parked
        if isinstance(state, task.Parked) and state.reason in (BUDGET, SOFT_LIMIT)
    )
