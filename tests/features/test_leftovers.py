"""What scenarios leave behind is found by the folder that it was started for."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.pool_leftovers import processes_of


def test_a_process_that_was_started_for_a_folder_is_found_until_it_has_gone(tmp_path: Path) -> None:
    with subprocess.Popen(("/bin/sleep", "60"), env={"HOME": str(tmp_path / "home")}) as process:
        try:
            assert (process.pid, "/bin/sleep 60") in processes_of(tmp_path)
        finally:
            process.kill()
    assert processes_of(tmp_path) == []


def test_a_process_that_was_started_for_another_folder_is_no_leftover(tmp_path: Path) -> None:
    with subprocess.Popen(("/bin/sleep", "60"), env={"HOME": str(tmp_path / "one")}) as process:
        try:
            assert processes_of(tmp_path / "two") == []
        finally:
            process.kill()
