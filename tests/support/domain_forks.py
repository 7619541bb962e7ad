"""Chains that are taken up again, as the verb `fork` asks for them, from a log in memory."""

from __future__ import annotations

from dataclasses import replace

from claude_pool.domain import chain, task
from claude_pool.domain.acceptance import SubmitChain
from claude_pool.domain.chain_events import Fork
from claude_pool.domain.forking import Opened, cut, reused, session_again
from claude_pool.domain.task_events import SessionOpened

from .domain_story import Story


def ran(story: Story, at: chain.StepState) -> tuple[int, str, Opened | None]:
    """How many attempts a step's task had, its last conversation, and how it began its first."""
    if not isinstance(at, (chain.Done, chain.Started)):
        return 0, "", None
    opened = [each for each in story.events_of(at.task_id) if isinstance(each, SessionOpened)]
    state = story.state_of(at.task_id)
    assert not isinstance(state, task.Absent)
    first = Opened(opened[0].session, opened[0].mode, opened[0].parent) if opened else None
    return len(state.job.attempts), opened[-1].session if opened else "", first


def fork_of(story: Story, state: chain.Known, first: str, chain_id: str, now: int) -> SubmitChain:
    """The chain `chain_id`, which takes up the chain in `state` from the step `first` on.

    Raises:
        WrongState: what that step needs is not over.
    """
    work, parts = state.work, cut(state, first)
    history = {name: ran(story, at) for name, at in work.steps.items()}
    taken = tuple(reused(work, name, *history[name][:2]) for name in parts.reused)
    own = {history[name][1] for name in parts.again} - {each.session for each in taken}
    sessions = {name: session_again(work.step(name).spec.session, history[name][2], own) for name in history}
    steps = tuple(
        replace(step, spec=replace(step.spec, session=sessions[step.name]))
        if step.name in parts.again
        else step
        for step in work.plan.steps
    )
    plan = replace(work.plan, steps=steps, fork=Fork(work.chain_id, first))
    return SubmitChain(chain_id, plan, "fingerprint", now, reused=taken)
