"""A log of each kind, with its index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryEventLog | SqliteEventLog]:
    """An empty log of each kind."""
    codec = default_codec()
    opened = (
        MemoryEventLog(codec)
        if request.param == "memory"
        else SqliteEventLog.open(tmp_path / "log.sqlite", codec)
    )
    yield opened
    opened.close()
