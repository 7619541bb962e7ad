"""A person resumes the pool: the pause is lifted and failed slots come back, in one append."""

from __future__ import annotations

from claude_pool.domain import pool, slot
from claude_pool.domain.coordination import Resume
from claude_pool.domain.pool_events import PoolResumed, Settings
from claude_pool.domain.slot_events import SlotRevived

from tests.support.domain_story import warmed


def test_resuming_lifts_the_pause_and_revives_failed_slots_only() -> None:
    story = warmed(Settings(slots=2))
    story.do(slot.RecordProcessEnded("slot-0", False, -9, 0, "it died", 0))
    for launch in (2, 3):
        story.do(slot.StartLaunch("slot-0", "key", f"session-{launch}"))
        story.do(slot.RecordLaunchFailed("slot-0", launch, "slot_failed", "it died", launch))
    story.do(pool.PausePool("a wrong key"))
    assert isinstance(story.world.slots["slot-0"], slot.Failed)

    facts = story.do(Resume())

    assert [fact.event for fact in facts] == [PoolResumed(), SlotRevived()]
    assert story.world.open_pool().paused is None
    assert isinstance(story.world.slots["slot-0"], slot.Cold)


def test_resuming_a_healthy_pool_changes_nothing() -> None:
    assert warmed(Settings(slots=1)).do(Resume()) == ()
