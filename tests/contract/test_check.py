"""`replay --check` finds what is wrong with a log and with what its events name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from claude_pool.adapters.check import check_log
from claude_pool.adapters.places import Places
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.pool_events import BudgetOpened, FundsReserved, FundsSettled
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import AttemptStarted, AttemptSucceeded
from claude_pool.domain.values import End, Outcome

from tests.unit.adapters.store.samples import TASK, meta, submitted

KEPT = sorted((Path(__file__).parents[1] / "golden" / "logs").iterdir())[-1]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A whole state directory."""
    return Path(shutil.copytree(KEPT, tmp_path / "state"))


def checked(state: Path) -> list[str]:
    """What the check finds."""
    return check_log(Places(str(state), str(state / "socket"), str(state), str(state)))


def test_a_whole_log_has_no_problems(state: Path) -> None:
    assert checked(state) == []


def test_a_missing_text_is_found(state: Path) -> None:
    next((state / "blobs").iterdir()).unlink()

    assert any("missing" in problem for problem in checked(state))


def test_an_altered_text_is_found(state: Path) -> None:
    blob = next((state / "blobs").iterdir())
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")

    assert any("damaged" in problem for problem in checked(state))


def test_an_altered_transcript_is_found_at_its_event(state: Path) -> None:
    transcript = next((state / "transcripts").glob("task-*.1.jsonl"))
    transcript.write_bytes(transcript.read_bytes().replace(b"{", b"[", 1))

    problems = checked(state)

    assert any(transcript.name in problem and "event" in problem for problem in problems)


def test_a_changed_byte_of_an_event_is_found(state: Path) -> None:
    log = state / "log.sqlite"
    content = log.read_bytes()
    at = content.index(b"task that succeeds")
    log.write_bytes(content[:at] + b"T" + content[at + 1 :])

    assert any("[log_broken]" in problem for problem in checked(state))


def test_what_may_not_happen_in_any_log_is_found_at_its_event(tmp_path: Path) -> None:
    outcome = Outcome(End.SUCCEEDED, cost=70)
    facts = (
        Fact("pool", BudgetOpened(100)),
        Fact(TASK, submitted()),
        Fact(TASK, AttemptStarted(1, "slot-0", 0, 60)),
        Fact("pool", FundsReserved(f"{TASK}.1", 60)),
        Fact(TASK, AttemptSucceeded(1, outcome, 0)),
        Fact("pool", FundsSettled(f"{TASK}.1", 70)),
    )
    with SqliteEventLog.open(tmp_path / "log.sqlite", default_codec()) as log:
        log.append(facts, {"pool": 0, TASK: 0}, meta())

    unclaimed = f"{TASK}.1 started in slot-0, which was not claimed for it"
    assert checked(tmp_path) == [
        f"[log_broken] event 3: {unclaimed} (attempt_without_claim)",
        f"[log_broken] event 6: {TASK}.1 is recorded as overdrawn by 0, which is 10 (overdrawn_differs)",
        f"[log_broken] event 5: {TASK} is succeeded, and nothing says what this means for it (half_an_end)",
    ]
