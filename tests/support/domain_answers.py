"""Answers to why, of the stories of the domain's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from claude_pool.domain import task
from claude_pool.domain.answers import Answer, Because
from claude_pool.domain.causes import concerns
from claude_pool.domain.prices import PriceList, Rates
from claude_pool.domain.records import Actor, Event, Meta, Recorded
from claude_pool.domain.why_task import task_answer

from tests.support.domain_story import NOW, Story

HAIKU = Rates(100, 500, 10, 125, 200, long_above=100_000, long_factor=5)
SONNET = Rates(2_000, 10_000, 100, 2_500, 4_000)
PRICES = PriceList(
    {"claude-haiku-5-5": HAIKU, "claude-sonnet-5-5": SONNET},
    Rates(10_000, 50_000, 1_000, 12_500, 20_000),
    {"haiku": "claude-haiku-5-5"},
    {"haiku": "claude-sonnet-5-5"},
)


def recorded(*events: tuple[str, Event], actor: Actor = Actor.SHELL) -> tuple[Recorded, ...]:
    """Events at positions from 1, by one command of `actor`."""
    meta = Meta(NOW, "cmd", "call", actor)
    return tuple(Recorded(n, stream, n, event, meta, b"") for n, (stream, event) in enumerate(events, 1))


def by(story: Story, *positions: int, actor: Actor) -> None:
    """The events at `positions` (or the last one) were caused by `actor`."""
    for position in positions or (len(story.log),):
        at = story.log[position - 1]
        story.log[position - 1] = replace(at, meta=replace(at.meta, actor=actor))


def why_task(story: Story, task_id: str, now: int = NOW) -> Answer:
    """Why a task is as it is."""
    state = story.state_of(task_id)
    assert not isinstance(state, task.Absent)
    events = [each for each in story.log if concerns(each.stream, each.event) == task_id]
    return task_answer(state, events, story.world, now, PRICES)


def texts(because: Sequence[Because], reason: str) -> list[str]:
    """What is said for one word."""
    return [each.text for each in because if each.reason == reason]
