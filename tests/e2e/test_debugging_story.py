"""docs/debugging.md tells a session that happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.real
@pytest.mark.cli
def test_the_debugging_story_happens_as_it_is_told() -> None:
    told = subprocess.run(
        [sys.executable, "tools/story.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert told.returncode == 0, told.stdout + told.stderr
