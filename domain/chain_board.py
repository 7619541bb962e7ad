"""The chain board: a chain as its callers see it, in any state, with each step as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from . import chain
from .chain_events import Fork
from .task_board import Problem, TaskCard, task_card
from .values import Text
from .world import World


@dataclass(frozen=True, slots=True)
class StepCard:
    """A step's view. `task` is the live task's; what an ended run left stands in the other fields."""

    name: str
    state: str
    task_id: str | None
    needs: tuple[str, ...]
    attempts: int
    cost: int
    output: Text | None
    error: Problem | None
    reason: str | None
    task: TaskCard | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class ChainCard:
    """A chain's view. `merged` is the branch that has its work, `branch` the one where it was done.

    `fork` says which chain it takes up again; the `source` of a step that it reuses is where that one ran.
    """

    chain_id: str
    state: str
    steps: tuple[StepCard, ...]
    final_output: Text | None
    final_task: str | None
    cost: int
    reason: str | None
    error: Problem | None
    tags: tuple[str, ...]
    submitted_at: int
    branch: str | None = None
    base: str | None = None
    head: str | None = None
    path: str | None = None
    files_changed: int | None = None
    diff: Text | None = None
    merged: str | None = None
    notes: tuple[str, ...] = ()
    fork: Fork | None = None


def chain_state(state: chain.Known) -> str:
    """The public word for a chain's state."""
    match state:
        case chain.Preparing() | chain.Running() | chain.Closing():
            return "running"
        case chain.Completed():
            return "completed"
        case chain.Failed():
            return "failed"
        case chain.Cancelled():
            return "cancelled"
        case _:
            assert_never(state)


def chain_card(state: chain.Known, now: int, world: World) -> ChainCard:
    """The view of a chain at `now` (ms); `world` knows its live tasks."""
    work = state.work
    steps = tuple(_step_card(state, step.name, step.needs, now, world) for step in work.plan.steps)
    final = next(
        (
            done
            for step in reversed(work.plan.steps)
            if isinstance(done := work.steps[step.name], chain.Done) and done.status == "completed"
        ),
        None,
    )
    live = sum(step.task.cost for step in steps if step.task is not None)
    place, kept = work.workplace, work.kept
    return ChainCard(
        chain_id=work.chain_id,
        state=chain_state(state),
        steps=steps,
        final_output=final.output if final is not None else None,
        final_task=final.task_id if final is not None else None,
        cost=work.cost + live,
        reason=_reason(state, steps),
        error=_problem(state),
        tags=work.plan.tags,
        submitted_at=work.submitted_at,
        branch=_branch(work),
        base=place.base if place is not None else None,
        head=(kept.head or None) if kept is not None else None,
        path=place.path if place is not None and (kept is None or not kept.head) else None,
        files_changed=kept.files_changed if kept is not None else None,
        diff=kept.diff if kept is not None and kept.diff.size else None,
        merged=kept.merged if kept is not None else None,
        notes=(*(place.notes if place is not None else ()), *(kept.notes if kept is not None else ())),
        fork=work.plan.fork,
    )


def _step_card(state: chain.Known, name: str, needs: tuple[str, ...], now: int, world: World) -> StepCard:
    steps = state.work.steps
    at = steps[name]
    match at:
        case chain.Waiting():
            missing = [need for need in needs if not isinstance(steps[need], chain.Done)]
            reason = f"needs {', '.join(missing)}" if missing else _held(state)
            return StepCard(name, "waiting", None, needs, 0, 0, None, None, reason)
        case chain.Started(_, task_id, cost, attempts):
            card = task_card(world.tasks[task_id], now, world)
            return StepCard(
                name, card.state, task_id, needs, attempts + card.attempts, cost + card.cost, card.output,
                card.error, card.reason, card,
            )  # fmt: skip
        case chain.Done(status, _, task_id, output, _, cost, attempts, code, message, source=source):
            error = Problem(code, message, False) if code is not None else None
            return StepCard(
                name, status, task_id, needs, attempts, cost, output, error, None, source=source or None
            )  # fmt: skip
        case chain.Skipped():
            return StepCard(name, "skipped", None, needs, 0, 0, None, None, None)
        case _:
            assert_never(at)


def _held(state: chain.Known) -> str | None:
    """Why a step whose needs are done does not start."""
    return _reason(state, ()) if isinstance(state, chain.Preparing) else "one step at a time in this copy"


def _branch(work: chain.Work) -> str | None:
    """The branch with the chain's work; None where there is none, as where nothing was changed."""
    place, kept = work.workplace, work.kept
    if place is None or kept is None:
        return place.branch if place is not None else None
    return None if kept.head == place.base else kept.branch


def _problem(state: chain.Known) -> Problem | None:
    return Problem(state.code, state.message, False) if isinstance(state, chain.Failed) else None


def _reason(state: chain.Known, steps: tuple[StepCard, ...]) -> str | None:
    """Why nothing of a live chain runs now."""
    match state:
        case chain.Preparing():
            return "its copy of the repository is being made"
        case chain.Closing():
            return "its work is being kept"
        case chain.Running():
            waits = [step for step in steps if step.task is not None]
            if not waits or any(step.state == "running" for step in waits):
                return None
            return f"step {waits[0].name}: {waits[0].reason or waits[0].state}"
        case _:
            return None
