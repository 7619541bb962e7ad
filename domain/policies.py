"""What must happen next, as pure functions of the live view. Level-triggered: a command is wanted as long
as the state that asks for it lasts, and its facts silence it.

`next_command` yields one command; whoever applies it asks again, until there is none. From any state,
at a fixed time, that ends (a property test holds it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from . import chain, headroom, pool, provider, slot, soft_limits, standing, stuck, task
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
from .coordination import Claim, Command, too_many
from .draining import unfinished
from .errors import Paused, WrongState
from .funding import BUDGET, Funding, Price, Quote, Unaffordable, funding, nobody_starts
from .housing import KeepWork, Stage, WantWorkplace
from .ledger import next_day
from .options import derived_session, launch_key, resolve
from .pool_events import Settings
from .questions import ExpireQuestion, Question
from .room import DISK_SPACE, LOOKS_AGAIN_MS, Disk, Memory
from .settling import settlements
from .soft_limits import SOFT_LIMIT
from .values import Options
from .world import Rank, World


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter knows that the log does not: what it adds to the launch of a process, as a digest by
    working directory, what an API call costs (None: any share of the budget will do), and how much room the
    disk and the memory have (None: there is no floor)."""

    by_directory: Mapping[str, str]
    price: Price | None = None
    disk: Disk | None = None
    memory: Memory | None = None

    def at(self, directory: str | None) -> str:
        """The digest for one directory; empty where nothing is known of it."""
        return self.by_directory.get(directory or "", "")


def next_command(world: World, surroundings: Surroundings, now: int) -> Command | None:
    """The first command that the state asks for, or None."""
    return next(_wanted(world, surroundings, now), None)


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


def next_wake(world: World) -> int | None:
    """The earliest time (ms) at which the passing of time alone asks for a command; None: never."""
    at = world.open_pool()
    if at.owner is None:
        return None
    times: list[int] = []
    for task_id in world.running:
        deadline = _deadline(world.tasks[task_id])
        if deadline is not None:
            times.append(deadline)
    for task_id in world.parked:
        state = world.tasks[task_id]
        if isinstance(state, task.Parked) and state.until is not None:
            times.append(state.until)
    times += [question.deadline for _, question in _asked(world)]
    times += [end for end, _ in stuck.bounds(world)]
    if at.paused is not None and at.paused.until is not None:
        times.append(at.paused.until)
    times += [until for _, until in islice(_queue_ends(world, at), 1)]
    times += standing.rest_ends(world)
    if (trial := standing.next_trial(world)) is not None:
        times.append(trial)
    times += [end for state in world.chains.values() if (end := chain.deadline(state)) is not None]
    return min(times, default=None)


def looks_again_after(world: World) -> int | None:
    """How long (ms) the surroundings may go unseen though nothing happens; None: until something does."""
    at = world.open_pool()
    full = at.paused is not None and at.paused.reason == DISK_SPACE
    return LOOKS_AGAIN_MS if full or at.launches_held else None


def _wanted(world: World, surroundings: Surroundings, now: int) -> Iterator[Command]:
    at = world.pool
    if isinstance(at, pool.Unopened) or at.owner is None:
        return
    yield from _expiries(world, at, now)
    yield from _for_room(at, surroundings.disk)
    yield from _for_memory(world, at, surroundings.memory, now)
    yield from _endings(world, at, now)
    yield from settlements(world, now)
    yield from _unparkings(world, now)
    if at.stopping is None:
        for scope in soft_limits.reached(at.budget, now):
            yield soft_limits.AskSoftLimit(scope, now)
        yield from _workplaces(world, at)
        yield from _capacity(world, at, now)
        if (tried := standing.due_for_trial(world, now)) is not None:
            yield slot.TrySlot(tried)
    yield from _housing(world, at)
    if at.stopping is None:
        yield from _claims(world, at, surroundings, now)
    yield from _upkeep(world, at, surroundings, now)


def _deadline(state: task.Known) -> int | None:
    """When a task's attempt is to be interrupted for time; None: never, or it is asked to end already."""
    if not isinstance(state, task.Running) or state.live.cancel or state.live.interrupt is not None:
        return None
    return state.live.deadline


def _asked(world: World) -> Iterator[tuple[str, Question]]:
    """The open questions of attempts that are not being ended anyway."""
    for task_id in dict.fromkeys(world.questions.values()):
        state = world.tasks[task_id]
        if isinstance(state, task.Running) and not state.live.ending:
            yield from ((task_id, question) for question in state.live.questions)


def _queue_ends(world: World, at: pool.Open) -> Iterator[tuple[str, int]]:
    """The tasks that have never run, whatever they wait for, with the time at which each is given up: the
    earliest first, as time in the log does not go back."""
    if at.settings.queue_timeout_ms is not None:
        for task_id in world.unstarted:
            yield task_id, world.tasks[task_id].job.submitted_at + at.settings.queue_timeout_ms


def _expiries(world: World, at: pool.Open, now: int) -> Iterator[Command]:
    for task_id in world.running:
        state = world.tasks[task_id]
        deadline = _deadline(state)
        if isinstance(state, task.Running) and deadline is not None and deadline <= now:
            yield task.InterruptAttempt(task_id, state.live.number, "timed_out_task", now)
    for end, slot_id in stuck.bounds(world):
        if end <= now:
            yield slot.AbandonEffect(slot_id, now)
    for task_id, question in _asked(world):
        if question.deadline <= now:
            yield ExpireQuestion(task_id, question.question_id, now)
    for task_id, until in _queue_ends(world, at):
        if until > now:
            break
        yield task.FailTask(task_id, "timed_out_queue", _too_late(world.tasks[task_id]), now)
    if at.paused is not None and provider.over(at.paused, at.provider, now):
        yield pool.ResumePool()
    for chain_id, going in world.chains.items():
        deadline = chain.deadline(going)
        if deadline is not None and deadline <= now:
            yield chain.ExpireChain(chain_id, now)
    yield from _overdue(world, now)


def _for_room(at: pool.Open, disk: Disk | None) -> Iterator[Command]:
    """Start nothing while the disk is nearly full. A pause of others is neither overwritten nor lifted."""
    if at.paused is None:
        if disk is not None and disk.short:
            yield pool.PausePool(DISK_SPACE)
    elif at.paused.reason == DISK_SPACE and (disk is None or disk.roomy):
        yield pool.ResumePool()


def _for_memory(world: World, at: pool.Open, memory: Memory | None, now: int) -> Iterator[Command]:
    """Launch nothing while there is too little memory for it."""
    in_service = at.stopping is None and not _drained(world, at)
    lack = headroom.lack(world, memory, now) if in_service else None
    if lack is not None and not at.launches_held:
        yield lack
    elif lack is None and at.launches_held:
        yield pool.AllowLaunches()


def _too_late(state: task.Known) -> str:
    if isinstance(state, task.Parked):
        return f"It was parked ({state.reason}) for too long to begin in time. Raise the queue timeout."
    return "No slot was free for it in time. Add slots, or raise the queue timeout."


def _overdue(world: World, now: int) -> Iterator[Command]:
    """Of a chain whose time is over nobody is asked for a verdict or a decision any more."""
    for going in world.chains.values():
        ending = going.work.ending
        if ending is not None and ending.reason == "timed_out_chain":
            for _, at in going.work.started:
                if isinstance(world.tasks[at.task_id], (task.Sealed, task.PendingReview)):
                    yield task.CancelTask(at.task_id, now)


def _endings(world: World, at: pool.Open, now: int) -> Iterator[Command]:
    """Stopping at once interrupts what runs; draining by cancelling cancels what is accepted."""
    if at.stopping == "now":
        for task_id in world.running:
            state = world.tasks[task_id]
            if isinstance(state, task.Running) and state.live.interrupt is None and not state.live.cancel:
                yield task.InterruptAttempt(task_id, state.live.number, "interrupted", now)
    if at.draining == "cancel":
        for chain_id, going in world.chains.items():
            ending = going.work.ending
            if not isinstance(going, chain.Closing) and (ending is None or ending.reason != "cancelled"):
                yield chain.CancelChain(chain_id, now)
        for task_id, state in world.tasks.items():
            if isinstance(state, (task.Pending, task.Parked, task.PendingReview)) or (
                isinstance(state, task.Running) and not state.live.cancel
            ):
                yield task.CancelTask(task_id, now)


def _workplaces(world: World, at: pool.Open) -> Iterator[Command]:
    """Have this owner make and keep the copies of repositories that chains wait for."""
    owner = at.owner or ""
    for chain_id, state in world.chains.items():
        match state:
            case chain.Preparing(_, asked) if asked != owner:
                yield chain.RequestWorkplace(chain_id, owner)
            case chain.Closing(_, asked) if asked != owner:
                yield chain.RequestClosing(chain_id, owner)
            case _:
                pass


def _unparkings(world: World, now: int) -> Iterator[Command]:
    """End the parks whose time has come, and those of the provider once nothing holds the pool."""
    free = world.open_pool().paused is None
    for task_id in world.parked:
        state = world.tasks[task_id]
        if isinstance(state, task.Parked) and _is_over(state, free, now):
            yield task.UnparkTask(task_id)


def _is_over(park: task.Parked, free: bool, now: int) -> bool:
    """Whether a park has had its time; one of the provider without a time ends once the pool is `free`."""
    return free and park.reason in provider.HOLDS if park.until is None else park.until <= now


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


def _capacity(world: World, at: pool.Open, now: int) -> Iterator[Command]:
    """Bring the number of slots in service to the target: revive in number order, add, or drain the last."""
    if at.draining is not None and not world.pending:
        return  # accepted work may come back after the slots have ended: a rejected result, a sealed task
    present = [s for s in world.slots.values() if not isinstance(s, slot.Stopped)]
    serving = _serving(world)
    if len(serving) < at.target:
        if len(present) >= max(at.target, at.settings.max_slots):
            return  # those on their way out still hold a process each
        for slot_id, state in world.slots.items():
            if isinstance(state, slot.Stopped) and not state.retired:
                yield slot.ReviveSlot(slot_id)
        yield slot.AddSlot(f"slot-{len(world.slots)}")
    elif len(serving) > at.target:
        yield slot.DrainSlot(max(serving, key=_dispensable).card.slot_id, now)


def _housing(world: World, at: pool.Open) -> Iterator[Command]:
    """Have slots work where they should before anything starts there; keep the work of those at rest."""
    in_service = at.stopping is None and not _drained(world, at)
    for slot_id, state in world.slots.items():
        home = state.card.housing
        match state:
            case slot.Cold(card) if in_service and not card.draining and home.stage is not Stage.KEEPING:
                if at.settings.worktree and unhoused(at, card):
                    yield WantWorkplace(slot_id)
                elif unhoused(at, card):
                    yield KeepWork(slot_id, remove=True)
            case slot.Failed() | slot.Stopped():
                retired = isinstance(state, slot.Stopped) and state.retired
                give_up = retired or not at.settings.worktree
                if not (in_service and isinstance(state, slot.Failed)) and home.to_keep(give_up):
                    yield KeepWork(slot_id, remove=give_up)
            case _:
                pass


def _leaving(state: slot.Present) -> bool:
    return state.card.draining or (isinstance(state, slot.Stopping) and state.reason == "retire")


def _dispensable(state: slot.Present) -> tuple[int, int]:
    match state:
        case slot.Failed():
            ease = 3
        case slot.Cold() | slot.Idle():
            ease = 2
        case slot.Preparing() | slot.Starting() | slot.Clearing() | slot.Stopping():
            ease = 1
        case _:
            ease = 0
    return (ease, int(state.card.slot_id.removeprefix("slot-")))


def _claims(world: World, at: pool.Open, surroundings: Surroundings, now: int) -> Iterator[Command]:
    if at.paused is not None or slowed(world):
        return
    free: dict[str, slot.Idle | slot.Cold] = {
        slot_id: state
        for slot_id, state in world.slots.items()
        if isinstance(state, (slot.Idle, slot.Cold)) and not state.card.draining
        if not (
            unhoused(at, state.card) if isinstance(state, slot.Cold) else _worn(state.process, at.settings)
        )
        if standing.objection(world, state, now) is None
    }
    if not free:
        return
    soon = [
        state
        for state in world.slots.values()
        if isinstance(state, (slot.Clearing, slot.Starting)) and not state.card.health.on_trial
    ]
    left = _out_of_service(world, at)
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


def _out_of_service(world: World, at: pool.Open) -> set[str]:
    """The slots that come back to no task: retired, or stopped while others fill the pool in their place."""
    filled = len(_serving(world)) >= at.target
    return {
        slot_id
        for slot_id, state in world.slots.items()
        if isinstance(state, slot.Stopped) and (state.retired or filled)
    }


def _serving(world: World) -> list[slot.Present]:
    return [s for s in world.slots.values() if not isinstance(s, slot.Stopped) and not _leaving(s)]


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


def _upkeep(world: World, at: pool.Open, surroundings: Surroundings, now: int) -> Iterator[Command]:
    """Launch, recycle, clear ahead, and stop what is not needed any more."""
    drained = _drained(world, at)
    for slot_id, state in world.slots.items():
        match state:
            case slot.Cold(card) | slot.Failed(card) if card.draining:
                yield slot.StartStop(slot_id, "retire", now)
            case slot.Cold() if at.stopping is not None:
                yield slot.StartStop(slot_id, "shutdown", now)
            case slot.Cold() if drained:
                yield slot.StartStop(slot_id, "drain", now)
            case slot.Cold(card) if _to_launch(at, state, now):
                options = resolve(Options(), card.options, pool_options(at)).options
                key = launch_key(options, card.identity, surroundings.at(options.working_dir))
                session = derived_session(at.owner or "", slot_id, str(card.launches + 1))
                yield slot.StartLaunch(slot_id, key, session, now)
            case slot.Idle(card, process):
                yield from _idle(slot_id, card, process, at, drained, now)
            case _:
                pass


def _to_launch(at: pool.Open, state: slot.Cold, now: int) -> bool:
    """Whether a slot gets a process before there is a task for it; in a drain only after it has rested."""
    health = state.card.health
    if at.launches_held:
        return False
    wanted = at.draining is None or health.on_trial or health.rests_until is not None
    return wanted and not unhoused(at, state.card) and not standing.rests(state, now)


def _drained(world: World, at: pool.Open) -> bool:
    """Whether the pool takes nothing new, and has finished what it had taken."""
    return at.draining is not None and not unfinished(world)


def _idle(
    slot_id: str, card: slot.Card, process: slot.Process, at: pool.Open, drained: bool, now: int
) -> Iterator[Command]:
    if card.draining:
        yield slot.StartStop(slot_id, "retire", now)
    elif at.stopping is not None:
        yield slot.StartStop(slot_id, "shutdown", now)
    elif drained:
        yield slot.StartStop(slot_id, "drain", now)
    elif _worn(process, at.settings):
        yield slot.StartStop(slot_id, "recycle", now)
    elif process.spare is None and at.settings.session == "fresh":
        yield slot.StartClear(slot_id, now)


def _worn(process: slot.Process, settings: Settings) -> bool:
    return process.turns >= settings.recycle_turns or process.rss_mb >= settings.recycle_rss_mb
