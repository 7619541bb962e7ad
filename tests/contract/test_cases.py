"""Every kept case, played again, comes to the same events; a change of behaviour shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from claude_pool.adapters.cases.archive import packed, read_case
from claude_pool.adapters.cases.exporting import gather
from claude_pool.adapters.cases.rerunning import rerun, rerun_case
from claude_pool.adapters.claude import turn
from claude_pool.adapters.claude.outcome import Evidence, Verdict, judge
from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import At, LogReader
from claude_pool.adapters.redaction import Secrets
from claude_pool.domain import chain, staffing
from claude_pool.domain.chain_events import Step
from claude_pool.domain.values import End

from tests.support.recorded_runs import SCENES, record

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted((GOLDEN / "cases").glob("*.zip"))
LOG = Places(str(GOLDEN / "logs" / "0.2.0"), "", "", "")


@pytest.fixture
def kept(tmp_path: Path) -> Places:
    """A copy of the kept log of the last version; reading may leave files beside a log."""
    shutil.copytree(LOG.state_dir, tmp_path / "state")
    return Places(str(tmp_path / "state"), "", "", "")


def case(name: str) -> str:
    """The path of a kept case."""
    return str(GOLDEN / "cases" / f"{name}.zip")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_kept_case_comes_to_the_same_events(path: Path) -> None:
    found = rerun(str(path))
    assert found.same, found.text


def test_there_are_twenty_kept_cases_and_they_are_small() -> None:
    assert len(CASES) >= 20
    assert sum(path.stat().st_size for path in CASES) < 2**20


def test_an_attempt_that_ended_as_soon_as_its_process_had_started_leaves_nothing_undone() -> None:
    found = rerun(case("cancelled-starting"))
    assert (found.same, found.refused) == (True, ()), found.text


def test_a_run_that_was_just_recorded_comes_to_the_same_events(tmp_path: Path) -> None:
    found = rerun_case(record(SCENES["retried"], tmp_path))
    assert found.same, found.text


def test_a_whole_log_with_reviews_chains_limits_and_crashes_comes_to_the_same_events(kept: Places) -> None:
    found = rerun_case(gather(kept, None, At(1, None), None, Secrets(), print))
    assert (found.same, found.events) == (True, 281), found.text


@pytest.mark.parametrize("first", [60, 147, 233])
def test_a_run_can_begin_anywhere_in_a_log(kept: Places, first: int) -> None:
    found = rerun_case(gather(kept, None, At(first, None), None, Secrets(), print))
    assert found.same, found.text


def test_a_case_of_each_chain_and_of_a_task_comes_to_the_same_events(kept: Places) -> None:
    reader = LogReader(kept, "0")
    subjects = [each.chain_id for each in reader.chain_cards()]
    subjects.append(next(each.task_id for each in reader.task_cards() if each.attempts > 1))
    reader.close()
    for subject in subjects:
        found = rerun_case(gather(kept, subject, None, None, Secrets(), print))
        assert found.same, found.text


def test_the_same_log_gives_the_same_bytes(kept: Places) -> None:
    first, again = (
        packed(gather(kept, None, At(100, None), At(200, None), Secrets(), print)) for _ in range(2)
    )
    assert first == again


# what rerun finds: each planted change shows in one of the cases, and where it shows is told


def test_another_judgement_of_a_slots_end_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def milder(evidence: Evidence) -> Verdict:
        found = judge(evidence)
        return found if found.end is not End.FAILED else Verdict(found.end, "internal", "Oh.")

    monkeypatch.setattr(turn, "judge", milder)
    found = rerun(case("died"))
    assert not found.same
    assert '"code":"slot_failed"' in found.text
    assert '"code":"internal"' in found.text


def test_a_recovery_that_does_not_start_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    real = chain.Work.step

    def without(work: chain.Work, name: str) -> Step:
        return replace(real(work, name), recovery_prompt=None)

    monkeypatch.setattr(chain.Work, "step", without)
    found = rerun(case("chain-recovered"))
    gone = [each.event for each in found.differences if each.rerun is None]
    added = [each.event for each in found.differences if each.recorded is None]
    assert "chain.completed" in gone
    assert "chain.failed" in added


def test_a_policy_that_looks_away_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> Iterator[object]:
        return iter(())

    monkeypatch.setattr(staffing, "_idle", nothing)
    found = rerun(case("success"))
    gone = [each.event for each in found.differences if each.rerun is None]
    assert "slot.clear_started" in gone


def test_a_policy_that_does_more_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(staffing, "worn", always)
    found = rerun(case("success"))
    added = [each.event for each in found.differences if each.recorded is None]
    assert "slot.stop_started" in added


def test_a_kept_case_says_what_it_is_about() -> None:
    found = read_case(case("success"))
    assert (found.asked.first, found.asked.last) == (1, len(found.rows))
    assert not found.redacted
