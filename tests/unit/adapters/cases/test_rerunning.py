"""What a rerun says, and what it becomes as a test of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from claude_pool.adapters.cases.as_test import test_file as file_of
from claude_pool.adapters.cases.played_process import ended_by_itself
from claude_pool.adapters.cases.rerunning import Difference, rerun
from claude_pool.adapters.claude.outcome import Evidence, Failure, judge
from claude_pool.domain.ports import ProcessEnd
from claude_pool.domain.values import Outcome

CASE = Path(__file__).parents[3] / "golden" / "cases" / "chain-failed.zip"


def run_pytest(folder: Path, plant: str = "") -> subprocess.CompletedProcess[str]:
    """A case as one file of tests, run by pytest; `plant` is put before it."""
    text = file_of("night.zip", CASE.read_bytes())
    (folder / "test_night.py").write_text(plant + text if plant else text, "utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_night.py"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_case_drops_into_pytest_as_one_file(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout


def test_the_file_fails_where_the_pool_does_something_else(tmp_path: Path) -> None:
    plant = "from claude_pool.domain import chain\nchain.Work.step = lambda *_: None\n"
    ran = run_pytest(tmp_path, plant)
    assert ran.returncode == 1
    assert "it did not come" in ran.stdout


def test_a_difference_is_told_with_both_sides() -> None:
    changed = Difference(7, "pool", "funds.settled", '{"cost":1}', '{"cost":2}')
    assert changed.text.split("\n") == [
        "     7  pool  funds.settled",
        '        recorded {"cost":1}',
        '        now      {"cost":2}',
    ]
    assert Difference(7, "pool", "x", "x", None).text.endswith("x: it did not come")
    assert Difference(None, "pool", "x", None, "x").text == "     -  pool  x: it came in addition"


def test_a_rerun_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "Popen", None)  # no process
    assert rerun(str(CASE)).same
    assert not list(tmp_path.iterdir())


SUCCESS = {"subtype": "success", "num_turns": 1, "result": "done"}


@pytest.mark.parametrize(
    ("evidence", "end"),
    [
        (Evidence(exited=True, exit_code=0), ProcessEnd(0, 0, False)),
        (Evidence(exited=True, exit_code=3), ProcessEnd(3, 0, False)),
        (Evidence(exited=True, exit_code=-9, stderr="oh\nno"), ProcessEnd(-9, 0, False, "oh\nno")),
        (Evidence(exited=True, exit_code=-15), ProcessEnd(-15, 0, False)),
        (Evidence(exited=True, exit_code=None), ProcessEnd(None, 0, False)),
        (Evidence(SUCCESS, exited=True, exit_code=-9), ProcessEnd(-9, 0, False)),
        (Evidence(SUCCESS, exited=True, exit_code=None), ProcessEnd(None, 0, False)),
        (
            Evidence(exited=True, exit_code=1, stderr="No conversation found"),
            ProcessEnd(1, 0, False, "No conversation found"),
        ),
        (Evidence(failure=Failure("timed_out_silence", "The slot printed nothing for 3 s.")), None),
        (Evidence(SUCCESS), None),
    ],
)
def test_how_a_process_ended_is_read_from_what_it_was_judged_by(
    evidence: Evidence, end: ProcessEnd | None
) -> None:
    verdict = judge(evidence)
    assert ended_by_itself(Outcome(verdict.end, verdict.code, verdict.message)) == end
