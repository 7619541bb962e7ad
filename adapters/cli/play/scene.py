"""What there is to see of the pool at one place of its log: plain values, safe to print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from claude_pool.domain import task
from claude_pool.domain.pool_status import PoolStatus, SlotStatus, pool_status, serving
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.records import Recorded
from claude_pool.domain.values import Text
from claude_pool.domain.world import World

from .. import output
from ..replay_view import said
from .lanes import Stretch, lanes

FAILURES = frozenset({
    "attempt.failed", "attempt.sealed", "task.failed", "step.failed", "chain.failed",
    "chain.workplace_refused", "slot.launch_failed", "slot.effect_abandoned", "slot.quarantined",
    "slot.workplace_failed", "slot.work_not_kept",
})  # fmt: skip
"""Names of the events that tell of a failure."""

_MOST_QUEUED = 200
_WIDEST = 120


@dataclass(frozen=True, slots=True)
class Slot:
    """One lane. `what` the slot is at, or why it is at nothing, `since` (ms) when; its past as stretches."""

    slot_id: str
    name: str
    state: str
    what: str
    since: int | None
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """A task that waits: for what, since when (ms), and how its prompt begins."""

    task_id: str
    reason: str
    since: int
    prompt: str


@dataclass(frozen=True, slots=True)
class Happened:
    """An event: position, when (ms), of which stream, its name, what it says, and whether it is a failure."""

    position: int
    at: int
    stream: str
    name: str
    said: str
    failure: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """The pool at `position` of `end`, where it is `now` (ms): counts and money, each slot that is not
    retired, the first of the queue (which has `queued` tasks in all), and events, the last one last."""

    position: int
    end: int
    now: int
    status: PoolStatus
    slots: tuple[Slot, ...]
    queue: tuple[Queued, ...]
    queued: int
    events: tuple[Happened, ...]

    @property
    def holds(self) -> str:
        """What keeps work from starting; empty where nothing does."""
        paused = self.status.paused
        told = [] if paused is None else [f"paused: {paused.reason}"]
        return ", ".join([*told, *(["draining"] if self.status.draining else [])])


def scene(
    world: World,
    window: Sequence[Recorded],
    shown: Sequence[Recorded],
    end: int,
    now: int,
    slots: range = range(1_000_000),
    events: int = 200,
) -> Scene:
    """What there is to see of `world`, with the last events `window` and those of them to show (so many at
    most). Only the lanes in `slots`, counted as they are listed, get their past."""
    listed = serving(world)
    begin = window[0].meta.recorded_at if window else now
    status = pool_status(world, "")
    chosen = [state.card.slot_id for state in listed[slots.start : slots.stop]]
    past = lanes(window, chosen, begin)
    return Scene(
        position=world.position,
        end=end,
        now=now,
        status=status,
        slots=tuple(
            _slot(world, each, past[each.slot_id].stretches(now, state) if each.slot_id in past else ())
            for each, state in zip(status.slots, listed, strict=True)
        ),
        queue=tuple(islice(_queue(world), _MOST_QUEUED)),
        queued=len(world.pending) + len(world.parked),
        events=tuple(happened(each) for each in list(shown)[-events:]),
    )


def happened(recorded: Recorded) -> Happened:
    """An event as it is shown."""
    name = recorded.event.NAME
    at = recorded.meta.recorded_at
    return Happened(recorded.position, at, recorded.stream, name, said(recorded), name in FAILURES)


def is_failure(recorded: Recorded) -> bool:
    """Whether an event tells of a failure."""
    return recorded.event.NAME in FAILURES


def _slot(world: World, status: SlotStatus, stretches: tuple[Stretch, ...]) -> Slot:
    running = world.tasks.get(status.task_id) if status.task_id is not None else None
    what, since = "", None
    if isinstance(running, task.Running):
        what = f"{status.task_id} {_begin(running.job.spec.prompt)}"
        since = running.live.started_at
    elif status.waits is not None:
        what = f"{status.waits.reason}{'' if status.problem is None else f': {status.problem}'}"
    elif status.task_id is not None:
        what = status.task_id
    name = output.line(status.name or status.role or "")
    return Slot(status.slot_id, name, status.state, output.line(what, _WIDEST), since, stretches)


def _queue(world: World) -> Iterable[Queued]:
    for task_id in (*(rank[2] for rank in world.pending[:_MOST_QUEUED]), *islice(world.parked, _MOST_QUEUED)):
        state = world.tasks[task_id]
        reason = output.line(waiting_for(world, state) or "")
        yield Queued(task_id, reason, state.job.submitted_at, _begin(state.job.spec.prompt))


def _begin(text: Text) -> str:
    return output.line((text.inline if text.inline is not None else text.head) or "", _WIDEST)
