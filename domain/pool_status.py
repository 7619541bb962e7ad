"""PoolStatus: the pool now, for people and coordinators. A fold's snapshot, not a second truth."""

from __future__ import annotations

from dataclasses import dataclass

from . import slot, task
from .housing import Housing
from .room import MEMORY
from .soft_limits import open_questions
from .standing import Degraded, degraded
from .world import World


@dataclass(frozen=True, slots=True)
class WorktreeStatus:
    """A slot's own work tree. `path` is None once it was given up; its work is on `branch` from `base` on.

    `head` and `files_changed` are those of the last time its work was committed; `problem` says why it
    could not be, and `notes` what else a person should know.
    """

    path: str | None
    branch: str
    base: str
    head: str | None = None
    files_changed: int | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotWait:
    """Why a slot has no process: `backoff` after some that ended by themselves, `quarantine`, or `memory`, of
    which too little is left for one more; and until when (ms; None: not known)."""

    reason: str
    until: int | None


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """One slot. `state` is one of starting, idle, busy, draining, failed, stopped.

    `on_trial`: it was out of service, and the next failure puts it out again.
    """

    slot_id: str
    state: str
    name: str | None
    role: str | None
    description: str | None
    task_id: str | None
    session_id: str | None
    model: str | None
    restarts: int
    tasks_completed: int
    cost_microdollars: int
    problem: str | None = None
    worktree: WorktreeStatus | None = None
    waits: SlotWait | None = None
    on_trial: bool = False


@dataclass(frozen=True, slots=True)
class PauseStatus:
    """Why no attempt starts, and until when (ms; None: until someone resumes the pool)."""

    reason: str
    until: int | None


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """Counts of slots and tasks, money in microdollars, and every slot that is not retired.

    `waiting_messages` wait for the coordinator. `open_questions` are those of slots and of soft limits.
    `degraded`: most slots are out of service.
    """

    total_slots: int
    idle_slots: int
    busy_slots: int
    failed_slots: int
    pending_tasks: int
    running_tasks: int
    parked_tasks: int
    sealed_tasks: int
    pending_review_tasks: int
    completed_tasks: int
    failed_tasks: int
    cancelled_tasks: int
    spent_microdollars: int
    reserved_microdollars: int
    budget_microdollars: int | None
    draining: bool
    paused: PauseStatus | None
    position: int
    version: str
    slots: tuple[SlotStatus, ...]
    waiting_messages: int = 0
    open_questions: int = 0
    degraded: Degraded | None = None


def slot_state(state: slot.Present) -> str:
    """The public word for a slot's state. A process that is being prepared or renewed is `starting`, and a
    slot whose work is still to be kept is `draining`.
    """
    match state:
        case slot.Stopped() if state.card.housing.unkept:
            return "draining"
        case slot.Stopped():
            return "stopped"
        case slot.Failed():
            return "failed"
        case _ if state.card.draining or isinstance(state, slot.Stopping):
            return "draining"
        case slot.Idle():
            return "idle"
        case slot.Busy():
            return "busy"
        case _:
            return "starting"


def slot_status(world: World, state: slot.Present) -> SlotStatus:
    """One slot as callers see it."""
    card = state.card
    busy = state if isinstance(state, slot.Busy) else None
    task_id = busy.attempt.rpartition(".")[0] if busy is not None else None
    running = world.tasks.get(task_id) if task_id is not None else None
    model = card.options.model or world.open_pool().settings.options.model
    return SlotStatus(
        slot_id=card.slot_id,
        state=slot_state(state),
        name=card.name,
        role=card.role,
        description=card.description,
        task_id=task_id,
        session_id=busy.session if busy is not None else card.conversation,
        model=running.live.model if isinstance(running, task.Running) else model,
        restarts=card.restarts,
        tasks_completed=card.tasks_completed,
        cost_microdollars=card.cost,
        problem=state.problem if isinstance(state, slot.Failed) else None,
        worktree=_worktree(card.housing),
        waits=_wait(world, state),
        on_trial=card.health.on_trial,
    )


def _wait(world: World, state: slot.Present) -> SlotWait | None:
    match state:
        case slot.Failed(_, _, _, until):
            return SlotWait("quarantine", until)
        case slot.Cold(card) if card.health.rests_until is not None:
            return SlotWait("backoff", card.health.rests_until)
        case slot.Cold() if world.open_pool().launches_held:
            return SlotWait(MEMORY, None)
        case _:
            return None


def _worktree(at: Housing) -> WorktreeStatus | None:
    home, kept = at.workplace, at.kept
    last = kept or home
    if last is None:
        return None
    return WorktreeStatus(
        path=None if home is None else home.path,
        branch=last.branch,
        base=last.base,
        head=None if kept is None else kept.head,
        files_changed=None if kept is None else kept.files_changed,
        problem=at.problem,
        notes=(*(() if home is None else home.notes), *(() if kept is None else kept.notes)),
    )


def serving(world: World) -> list[slot.Present]:
    """The slots that are not retired, in number order."""
    return [s for s in world.slots.values() if not (isinstance(s, slot.Stopped) and s.retired)]


def pool_status(world: World, version: str) -> PoolStatus:
    """The status at `world`'s position; `version` is the program's."""
    pool = world.open_pool()
    slots = tuple(slot_status(world, state) for state in serving(world))
    return PoolStatus(
        total_slots=len(slots),
        idle_slots=sum(s.state == "idle" for s in slots),
        busy_slots=sum(s.task_id is not None for s in slots),
        failed_slots=sum(s.state == "failed" for s in slots),
        pending_tasks=len(world.pending),
        running_tasks=len(world.running),
        parked_tasks=len(world.parked),
        sealed_tasks=len(world.sealed),
        pending_review_tasks=world.in_review,
        completed_tasks=world.completed,
        failed_tasks=world.failed,
        cancelled_tasks=world.cancelled,
        spent_microdollars=pool.budget.spent,
        reserved_microdollars=pool.budget.reserved,
        budget_microdollars=pool.budget.limit,
        draining=pool.draining is not None,
        paused=None if pool.paused is None else PauseStatus(pool.paused.reason, pool.paused.until),
        position=world.position,
        version=version,
        slots=slots,
        waiting_messages=len(pool.inbox.waiting),
        # no clock is at hand: a day counts until something is posted to the next one
        open_questions=len(world.questions) + len(open_questions(pool.budget, 0)),
        degraded=degraded(world),
    )
