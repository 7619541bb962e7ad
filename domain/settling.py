"""What a task's `on_interrupt` makes of an attempt that was cut off: it goes on, or runs again, or asks.

Each is done by itself so often and no oftener, so that work which brings its owner down does not do so for
ever; after that, and where the task says so, the task stays sealed and somebody decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import task
from .values import TaskSpec
from .world import World

RESUMES = 1
"""So often a task goes on by itself in the conversation that was cut off."""

RERUNS = 3
"""So often a task runs again by itself as it was ordered."""


def settlements(world: World, now: int) -> Iterator[task.ReopenTask]:
    """Give those sealed tasks another attempt whose order says so; nothing starts while the pool ends."""
    at = world.open_pool()
    if at.stopping is not None or at.draining == "cancel":
        return
    for task_id in world.sealed:
        job = world.tasks[task_id].job
        if _may_run(world, job):
            yield task.ReopenTask(task_id, job.spec.on_interrupt == "resume", now, automatic=True)


def _may_run(world: World, job: task.Job) -> bool:
    if job.attempts[-1].interrupt not in (None, "interrupted") or _is_unwanted(world, job.spec):
        return False  # it was asked to end, before its owner did
    match job.spec.on_interrupt:
        case "resume":
            return job.reopened < RESUMES and task.resumable(job)
        case "rerun":
            return job.reopened < RERUNS
        case _:
            return False


def _is_unwanted(world: World, spec: TaskSpec) -> bool:
    """Whether it is a step of a chain in which nothing starts any more."""
    going = world.chains.get(spec.part.chain_id) if spec.part is not None else None
    return going is not None and going.work.ending is not None
