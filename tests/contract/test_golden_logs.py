"""Every kept log of an earlier version still folds to what it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.check import check_log
from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import LogReader

LOGS = sorted(path for path in (Path(__file__).parents[1] / "golden" / "logs").iterdir() if path.is_dir())


@pytest.fixture(params=LOGS, ids=lambda path: path.name)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one kept state directory; reading a log may leave files beside it."""
    return Path(shutil.copytree(request.param, tmp_path / "state"))


def places(state: Path) -> Places:
    """The places of a kept pool."""
    return Places(str(state), str(state / "socket"), str(state), str(state))


def kept_json(state: Path, name: str) -> Any:
    """A view as it was when the log was recorded."""
    return json.loads((state / name).read_text("utf-8"))


def test_there_is_a_kept_log() -> None:
    assert LOGS


def test_a_kept_log_has_the_status_that_it_had(kept: Path) -> None:
    reader = LogReader(places(kept), "any")

    status = reader.status()
    reader.close()

    was = kept_json(kept, "status.json")
    assert {name: status[name] for name in was if name not in ("version", "slots")} == {
        name: was[name] for name in was if name not in ("version", "slots")
    }
    assert [slot["slot_id"] for slot in status["slots"]] == [slot["slot_id"] for slot in was["slots"]]


def test_a_kept_log_has_the_tasks_that_it_had(kept: Path) -> None:
    reader = LogReader(places(kept), "any")

    for was in kept_json(kept, "tasks.json")["tasks"]:
        now = reader.task(was["task_id"])
        for name in ("state", "success", "output", "cost_microdollars", "attempts", "tags"):
            assert now.get(name) == was.get(name, now.get(name)), (was["task_id"], name)
    reader.close()


def test_a_kept_log_adds_up(kept: Path) -> None:
    assert check_log(places(kept)) == []
