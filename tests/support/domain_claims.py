"""What holds whenever the policies have come to rest."""

from __future__ import annotations

from claude_pool.domain import slot, task
from claude_pool.domain.budgets import budget_status
from claude_pool.domain.claiming import claim_plan, eligible, first_call, slowed, unhoused
from claude_pool.domain.funding import Unaffordable, funding
from claude_pool.domain.policies import next_command, next_wake
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.standing import objection
from claude_pool.domain.task_board import task_card

from .domain_story import Story

FREE = (slot.Idle, slot.Cold)


def check_rest(story: Story, now: int) -> None:
    """No policy wants anything, and no task waits that a free slot could run at once."""
    assert story.wanted(now) is None
    world = story.world
    at = world.open_pool()
    if at.owner is None or at.paused is not None or at.stopping is not None or slowed(world):
        return
    free = [
        s
        for s in world.slots.values()
        if isinstance(s, FREE)
        and not s.card.draining
        and not (isinstance(s, slot.Cold) and unhoused(at, s.card))
        and objection(world, s, now) is None
    ]
    coming = sum(isinstance(s, (slot.Clearing, slot.Starting)) for s in world.slots.values())
    kept_waiting: list[str] = []
    for task_id, state in world.tasks.items():
        if not (isinstance(state, task.Pending) or (isinstance(state, task.Parked) and state.until is None)):
            continue
        quote = first_call(world, state.job, [s.card for s in free], story.surroundings.price)
        if isinstance(funding(world, state.job, quote, now), Unaffordable):
            continue
        fits = (claim_plan(world, state.job, s, "") for s in free if eligible(state.job.spec, s.card))
        if any(plan is not None for plan in fits):
            kept_waiting.append(task_id)
    assert len(kept_waiting) <= coming, f"{kept_waiting} could run at once"


def check_wake(story: Story, now: int) -> int | None:
    """The next wake-up lies ahead, and something is to be done when it comes; None where there is none."""
    wake = next_wake(story.world)
    if wake is None:
        return None
    assert wake > now, "the timer would ring for ever"
    assert next_command(story.world, story.surroundings, wake) is not None, "the timer would ring for nothing"
    return wake


def check_views(story: Story, now: int) -> None:
    """Callers see numbers that add up, and a reason for everything that waits."""
    world = story.world
    status = pool_status(world, "0.1.0")
    assert status.total_slots == len(status.slots)
    waiting = status.pending_tasks + status.parked_tasks + status.sealed_tasks + status.pending_review_tasks
    assert waiting + status.running_tasks == len(world.tasks)
    assert status.busy_slots == status.running_tasks
    money = budget_status(world)
    assert money.reserved == status.reserved_microdollars == sum(amount for _, amount in money.reservations)
    assert money.spent == status.spent_microdollars
    assert money.free is None or money.free >= 0
    for state in world.tasks.values():
        card = task_card(state, now, world)
        assert (card.reason is None) == (isinstance(state, task.Running) and not card.questions)
        assert card.success is None
        assert card.elapsed_ms >= 0 and card.waited_ms >= 0
