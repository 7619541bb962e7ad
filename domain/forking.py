"""Taking up a chain again from one of its steps: which steps stay as they were, and in which conversations
the others run.

What is over stays over, wherever that means the same for the step: its task, its output and its cost are
those of the chain that is taken up. Everything else runs anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import assert_never

from . import chain
from .chain_events import Plan, Step, StepReused
from .errors import InvalidArgument, WrongState
from .values import SessionMode, parse_session

_SHOWN = 100
"""So many characters of what is no step, and so many steps, are named."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a chain is parted: the steps that are reused, and those that run anew, each after its needs.

    In a copy of the repository steps ran one after another, and the first ones of them are reused.
    """

    reused: tuple[str, ...]
    again: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """In which conversation a task ran first, and how: see `SessionOpened`."""

    session: str
    mode: str
    parent: str | None


def cut(state: chain.Known, first: str) -> Cut:
    """Part a chain before the step `first`, which runs anew with all that needs it or did not complete.

    Raises:
        InvalidArgument: it has no such step. WrongState: a step that `first` needs is not over.
    """
    work = state.work
    order = tuple(step.name for step in _in_order(work.plan))
    if first not in order:
        raise InvalidArgument(argument="step", problem=_no_step(work.chain_id, first, order))
    needed = _needed(work, first)
    alone = work.plan.isolation != "none"
    kept: dict[str, None] = {}
    for name in order:
        step = work.step(name)
        stays = name != first and all(need in kept for need in step.needs)
        if stays and _is_over(work, step, alone or name in needed):
            kept[name] = None
        elif alone:
            break
    missing = next((name for name in order if name in needed and name not in kept), None)
    if missing is not None:
        at = _word(work.steps[missing])
        wait = " or wait for it" if isinstance(work.steps[missing], chain.Started) else ""
        raise WrongState(
            subject=work.chain_id,
            state=type(state).__name__.lower(),
            problem=f"step {first} needs {missing}, which is {at}. Fork it from {missing}{wait}.",
        )
    return Cut(tuple(kept), tuple(name for name in order if name not in kept))


def _no_step(chain_id: str, name: str, order: Collection[str]) -> str:
    near = get_close_matches(name, order, 1)
    perhaps = f"did you mean {near[0]}?" if near else f"it has {', '.join(list(order)[:_SHOWN])}"
    return f"{chain_id} has no step {name[:_SHOWN]!r}; {perhaps}"


def _in_order(plan: Plan) -> Iterator[Step]:
    """The steps as a copy of the repository runs them: always the first one whose needs are done."""
    left = {step.name: step for step in plan.steps}
    while left:
        yield left.pop(next(step.name for step in left.values() if not any(n in left for n in step.needs)))


def _needed(work: chain.Work, name: str) -> frozenset[str]:
    """The steps that a step needs, directly or not."""
    found: set[str] = set()
    left = list(work.step(name).needs)
    while left:
        need = left.pop()
        if need not in found:
            found.add(need)
            left += work.step(need).needs
    return frozenset(found)


def _is_over(work: chain.Work, step: Step, before: bool) -> bool:
    """Whether the step need not run again; `before`: a failure that the chain went on from is part of what
    the first step saw."""
    at = work.steps[step.name]
    if not isinstance(at, chain.Done):
        return False
    went_on = at.status == "failed" and step.on_failure == "continue" and at.code != "timed_out_chain"
    return at.status == "completed" or (before and went_on)


def _word(at: chain.StepState) -> str:
    match at:
        case chain.Done(status):
            return status
        case chain.Started():
            return "not over"
        case chain.Waiting():
            return "waiting"
        case chain.Skipped():
            return "skipped"
        case _:
            assert_never(at)


def reused(work: chain.Work, name: str, attempt: int, session: str) -> StepReused:
    """How a step that is over is taken over; its task ended with attempt number `attempt` in `session`."""
    at = work.steps[name]
    assert isinstance(at, chain.Done)
    return StepReused(
        name, at.source or work.chain_id, at.task_id, at.run, attempt, at.status, at.output, at.variables,
        session, at.code, at.message, at.head,
    )  # fmt: skip


def session_again(session: str | None, ran: Opened | None, own: Collection[str]) -> str | None:
    """The conversation policy of a step that runs anew: where it went on with a conversation before, it now
    begins with a copy of it.

    `ran` is how it ran before, `own` are the conversations of only those steps that run anew: the one that
    such a step makes now takes the place of its old one.
    """
    policy = parse_session(session or "")
    if policy is not None and policy.mode is SessionMode.RESUME:
        return f"{SessionMode.FORK.value}:{policy.session}"
    if ran is None or ran.mode != SessionMode.SLOT.value or ran.parent is None or ran.parent in own:
        return session
    return f"{SessionMode.FORK.value}:{ran.parent}"
