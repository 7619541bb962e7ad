"""Copies of the pool: bounded in number and weight, and independent of what goes on."""

from __future__ import annotations

from claude_pool.adapters.cli.play.checkpoints import Checkpoints
from claude_pool.domain.pool_events import PoolOpened
from claude_pool.domain.snapshot import digest
from claude_pool.domain.world import World


def gone_on(world: World, kept: Checkpoints, to: int) -> None:
    while world.position < to:
        world.apply(world.position + 1, "pool", world.position + 1, PoolOpened("pool", 0))
        kept.keep(world)


def test_their_number_is_bounded_and_they_lie_over_everything() -> None:
    kept = Checkpoints()
    gone_on(World(), kept, 300_000)

    assert len(kept) <= 64 + 16
    for target in range(20_000, 300_000, 17_000):
        assert target - kept.nearest(target) <= 8_000


def test_few_heavy_ones_are_kept() -> None:
    kept, world = Checkpoints(), World()
    world.versions = {f"task-{number}": 1 for number in range(100_000)}
    gone_on(world, kept, 20_000)

    assert 2 <= len(kept) <= 8


def test_a_copy_is_no_part_of_what_goes_on() -> None:
    kept, world = Checkpoints(), World()
    gone_on(world, kept, 1_000)
    before = digest(world)
    gone_on(world, kept, 1_500)

    taken = kept.at(1_000)
    assert digest(taken) == before
    gone_on(taken, Checkpoints(), 1_200)
    assert digest(kept.at(1_000)) == before


def test_before_the_first_one_there_is_the_empty_log() -> None:
    kept = Checkpoints()

    assert kept.nearest(500) == 0
    assert digest(kept.at(0)) == digest(World())
