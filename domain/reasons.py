"""Why something waits, as one word for programs: the one place where these words are made, and what somebody
can do about each."""

from __future__ import annotations

from collections.abc import Mapping

from . import provider, slot, standing, task
from .claiming import default_session, eligible, slowed, wanted_session
from .funding import BUDGET, short_of
from .room import DISK_SPACE, MEMORY
from .soft_limits import SOFT_LIMIT
from .world import World

QUARANTINE = "quarantine"
DEGRADED = "degraded"
"""Why a task waits: all of the slots that it could take, or most of the pool's, are out of service."""

NEXT_STEPS: Mapping[str, str] = {
    "provider_limit": "it goes on by itself",
    "provider_slow": "it goes on by itself",
    "backoff": "it goes on by itself",
    "not_logged_in": "mend the login, then `claude-pool resume`",
    "provider_billing": "mend the account, then `claude-pool resume`",
    "disk_space": "free some on the disk of the state directory; it goes on by itself",
    "memory": "end what else takes memory on this machine; it goes on by itself",
    "quarantine": "its slots are tried again by then, or at once by `claude-pool resume`",
    "degraded": "most slots are out of service: see `claude-pool slots`",
    "soft_limit": "answer what `claude-pool questions` shows",
    "budget": "others hold its money, or today's is spent: see `claude-pool why budget`",
    "question": "answer what `claude-pool questions` shows",
    "sealed": "decide by `claude-pool answer`: see `claude-pool questions`",
    "review": "judge it by `claude-pool approve` or `reject`",
}
"""What somebody can do about the reasons for which tasks wait."""


def waiting_for(world: World, state: task.Known) -> str | None:
    """Why a task does not run: `slot`, `session_busy`, `paused`, `stopping`, `quarantine` (all slots that may
    run it are out of service), `degraded` (most are), what keeps the provider from serving anybody, or what
    it is parked for."""
    match state:
        case task.Parked(job, reason, _):
            return short_of(world, job.spec) if reason in (BUDGET, SOFT_LIMIT) else reason
        case task.Sealed():
            return "sealed"
        case task.PendingReview():
            return "review"
        case task.Running(_, live) if live.questions:
            return "question"
        case task.Pending(job):
            at = world.open_pool()
            if at.paused is not None:
                held = at.paused.reason in (*provider.HOLDS, DISK_SPACE)
                return at.paused.reason if held else f"paused: {at.paused.reason}"
            if at.stopping is not None:
                return "stopping"
            if slowed(world):
                return provider.SLOW
            if _waits_for_a_session(world, job):
                return "session_busy"
            if _has_lost_its_slots(world, job):
                return QUARANTINE
            if at.launches_held and _could_be_launched_for(world, job):
                return MEMORY
            if job.spec.slot is None:
                return "slot" if standing.degraded(world) is None else DEGRADED
            return f"slot {job.spec.slot}"
        case _:
            return None


def waiting_until(world: World, state: task.Known) -> int | None:
    """When (ms) what a task waits for is over at the latest, where that is known."""
    pause = world.open_pool().paused
    match state:
        case task.Parked(_, reason, until):
            return until if pause is None or reason not in provider.HOLDS else pause.until
        case task.Pending() if pause is not None:
            return pause.until
        case task.Pending() if waiting_for(world, state) == QUARANTINE:
            return standing.next_trial(world)
        case _:
            return None


def _has_lost_its_slots(world: World, job: task.Job) -> bool:
    """Whether all slots in service that may run the task are out of work."""
    able = [at for at in standing.in_service(world) if eligible(job.spec, at.card)]
    return bool(able) and all(standing.is_unfit(at) for at in able)


def _could_be_launched_for(world: World, job: task.Job) -> bool:
    """Whether a slot without a process may run the task."""
    return any(isinstance(at, slot.Cold) and eligible(job.spec, at.card) for at in world.slots.values())


def _waits_for_a_session(world: World, job: task.Job) -> bool:
    """Whether the conversation that the task names is busy, or that of each free slot which it could take."""
    if task.session_policy(job, default_session(world.open_pool())).session in world.sessions:
        return True
    free = (at for at in world.slots.values() if isinstance(at, (slot.Idle, slot.Cold)))
    wanted = [wanted_session(world.open_pool(), job, at.card) for at in free if eligible(job.spec, at.card)]
    return bool(wanted) and all(session in world.sessions for session in wanted)
