"""Runs of the real CLI as cases: what its slots printed, played again offline, comes to the same events."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.cases.archive import packed, read_case
from claude_pool.adapters.cases.rerunning import rerun_case
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.real_cli import bundled_cli
from tests.support.recorded_runs import SCENES, record


@pytest.mark.real
@pytest.mark.parametrize("scene", ["chain-worktree", "messages"])
def test_a_run_of_the_real_cli_comes_to_the_same_events_from_its_file(scene: str, tmp_path: Path) -> None:
    with running_api() as api:
        recorded = record(SCENES[scene], tmp_path, bundled_cli(), api.url)
    kept = tmp_path / "case.zip"
    kept.write_bytes(packed(recorded))

    found = rerun_case(read_case(str(kept)))

    assert found.same, found.text
    assert found.events == len(recorded.rows)
