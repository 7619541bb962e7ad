"""What must happen next, as pure functions of the live view. Level-triggered: a command is wanted as long
as the state that asks for it lasts, and its facts silence it.

`next_command` yields one command; whoever applies it asks again, until there is none. From any state,
at a fixed time, that ends (a property test holds it).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from . import chain, headroom, pool, provider, slot, soft_limits, standing, stuck, task
from .claims import claims
from .coordination import Command
from .questions import ExpireQuestion, Question
from .room import DISK_SPACE, LOOKS_AGAIN_MS, Disk, Memory
from .settling import settlements
from .staffing import capacity, drained, housing, upkeep
from .surroundings import Surroundings
from .world import World


def next_command(world: World, surroundings: Surroundings, now: int) -> Command | None:
    """The first command that the state asks for, or None."""
    return next(_wanted(world, surroundings, now), None)


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
        yield from capacity(world, at, now)
        if (tried := standing.due_for_trial(world, now)) is not None:
            yield slot.TrySlot(tried)
    yield from housing(world, at)
    if at.stopping is None:
        yield from claims(world, at, surroundings, now)
    yield from upkeep(world, at, surroundings, now)


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
    in_service = at.stopping is None and not drained(world, at)
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
