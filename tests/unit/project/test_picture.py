"""The picture of the view in the documentation is what the view shows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.recorded_log import KEPT

ROOT = Path(__file__).resolve().parents[3]


def test_the_screen_in_the_documentation_is_what_the_tool_draws(tmp_path: Path) -> None:
    state = shutil.copytree(KEPT, tmp_path / "state")
    words = [str(state), "172", "--span", "15"]
    command = [sys.executable, str(ROOT / "tools" / "screen.py"), *words]
    text = subprocess.run([*command, "--size", "110x22"], capture_output=True, text=True, check=True).stdout
    picture = tmp_path / "replay.svg"
    subprocess.run([*command, "--size", "110x24", "-o", str(picture)], check=True)

    assert f"```\n{text}```" in (ROOT / "docs" / "replay.md").read_text()
    assert "funds.reserved" in picture.read_text()
    assert "cdn" not in picture.read_text()
