"""A pool on a disk that is nearly full starts nothing, says so, and goes on by itself."""

from __future__ import annotations

from claude_pool.domain import pool
from claude_pool.domain.policies import looks_again_after, next_wake
from claude_pool.domain.pool_events import PoolResumed, Settings
from claude_pool.domain.reasons import waiting_for
from claude_pool.domain.room import DISK_SPACE, Disk
from claude_pool.domain.surroundings import Surroundings

from tests.support.domain_story import NOW, Story, end, submit, warmed


def with_free(story: Story, free_mb: int) -> None:
    """So much is free now, and the policies have seen it."""
    story.surroundings = Surroundings({}, disk=Disk(free_mb, 200))
    story.settle()


def test_below_the_floor_nothing_starts_and_what_runs_goes_on() -> None:
    story = warmed(Settings(slots=2))
    first = submit(story, 0)
    with_free(story, 200)
    second = submit(story, 1)
    with_free(story, 199)
    assert first in story.world.running
    assert second not in story.world.running
    assert waiting_for(story.world, story.world.tasks[second]) == "disk_space"
    end(story, first)


def test_while_it_is_paused_the_disk_is_looked_at_again() -> None:
    story = warmed(Settings(slots=1))
    assert looks_again_after(story.world) is None
    with_free(story, 10)
    assert (looks_again_after(story.world), next_wake(story.world)) == (2_000, None)


def test_a_tenth_above_the_floor_the_pool_goes_on_by_itself() -> None:
    story = warmed(Settings(slots=1))
    with_free(story, 10)
    task_id = submit(story, 0)
    with_free(story, 219)
    assert task_id not in story.world.running
    with_free(story, 220)
    assert task_id in story.world.running


def test_without_a_floor_the_pool_goes_on_too() -> None:
    story = warmed(Settings(slots=1))
    with_free(story, 10)
    story.surroundings = Surroundings({})
    story.settle()
    assert story.world.open_pool().paused is None


def test_a_pause_of_others_is_neither_overwritten_nor_lifted() -> None:
    story = warmed(Settings(slots=1))
    story.do(pool.PausePool("provider_limit", NOW + 9))
    with_free(story, 10)
    with_free(story, 1_000)
    paused = story.world.open_pool().paused
    assert paused is not None
    assert paused.reason == "provider_limit"


def test_the_pause_for_room_follows_the_one_that_ends() -> None:
    story = warmed(Settings(slots=1))
    story.do(pool.PausePool("provider_limit", NOW + 9))
    with_free(story, 10)
    submit(story, 0)
    story.settle(NOW + 9)
    paused = story.world.open_pool().paused
    assert paused is not None
    assert paused.reason == DISK_SPACE
    assert not story.world.running
    assert PoolResumed() in story.events_of("pool")
