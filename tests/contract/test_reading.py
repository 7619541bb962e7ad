"""A pool read from its log alone is what a full fold says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import LogReader
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.snapshots import Snapshot, save_snapshot
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.adapters.views import status_view
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.world import World

KEPT = sorted((Path(__file__).parents[1] / "golden" / "logs").iterdir())


@pytest.fixture(params=KEPT, ids=lambda path: path.name)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a kept state directory."""
    return Path(shutil.copytree(request.param, tmp_path / "state"))


def test_a_status_equals_the_full_fold(state: Path) -> None:
    log = open_reader(state / "log.sqlite", default_codec())
    world = World()
    for position, stream, version, event, *_ in log.read_events():
        world.apply(position, stream, version, event)
    log.close()
    reader = LogReader(Places(str(state), str(state / "socket"), str(state), str(state)), "v")

    shown = reader.status()
    reader.close()

    assert shown == status_view(pool_status(world, "v"))
    assert shown["completed_tasks"] > 0


def test_reading_alive_events_leaves_finished_tasks_out(state: Path) -> None:
    SqliteEventLog.open(state / "log.sqlite", default_codec()).close()  # an owner brings the index up to date
    log = open_reader(state / "log.sqlite", default_codec())

    streams = {stream for _, stream, *_ in log.read_alive()}
    finished = {row.task_id for row in log.index.list_tasks(state="completed")}
    log.close()

    assert finished
    assert not streams & finished


def test_a_status_from_a_snapshot_equals_the_full_fold(state: Path) -> None:
    path = state / "log.sqlite"
    log = open_reader(path, default_codec())
    head, world = log.head(), World()
    for position, stream, version, event, *_ in log.read_events():
        world.apply(position, stream, version, event)
        if position == head.position // 2:
            assert save_snapshot(path, Snapshot(world.copy(), log.head_at(position), 0))
    log.close()
    reader = LogReader(Places(str(state), str(state / "socket"), str(state), str(state)), "v")

    shown = reader.status()
    reader.close()

    assert shown == status_view(pool_status(world, "v"))
