"""`replay --check` finds what is wrong with a log and with what its events name."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from claude_pool.adapters.check import check_log
from claude_pool.adapters.places import Places
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.snapshots import Snapshot, save_snapshot, snapshot_of
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.pool_events import BudgetOpened, FundsReserved, FundsSettled
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import AttemptStarted, AttemptSucceeded
from claude_pool.domain.values import End, Outcome
from claude_pool.domain.world import World

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


def test_a_text_that_the_list_of_texts_has_lost_is_told_before_it_is_swept_away(state: Path) -> None:
    with closing(sqlite3.connect(state / "log.sqlite", isolation_level=None)) as database:
        assert database.execute("UPDATE index_blobs SET sha256 = 'x' || substr(sha256, 2)").rowcount > 0

    (problem,) = checked(state)
    assert "its list of texts lacks" in problem and "--salvage" in problem


def with_snapshot(state: Path, forget: bool = False) -> Path:
    """Keep a snapshot of the middle of the log; one that lies about its tasks, if it is to `forget`."""
    path, world = state / "log.sqlite", World()
    with open_reader(path, default_codec()) as log:
        middle = log.head().position // 2
        for position, stream, version, event, *_ in log.read_events(0, middle):
            world.apply(position, stream, version, event)
        world.completed += forget
        assert save_snapshot(path, Snapshot(world, log.head_at(middle), 0))
    return snapshot_of(path)


def test_a_snapshot_with_the_rest_of_the_log_agrees_in_another_process(state: Path) -> None:
    with_snapshot(state)

    assert checked(state) == []


def test_a_snapshot_that_gives_another_view_than_the_log_is_found(state: Path) -> None:
    snapshot = with_snapshot(state, forget=True)

    problems = checked(state)

    assert len(problems) == 2, "with each hash seed"
    assert all(f"{snapshot}, with the rest of the log, is" in problem for problem in problems)


def test_a_damaged_snapshot_is_named_and_not_used(state: Path) -> None:
    snapshot = with_snapshot(state)
    snapshot.write_bytes(snapshot.read_bytes()[:-20])

    said = f"[log_broken] {snapshot}: it is not what was written; it is not used, and may be deleted"
    assert checked(state) == [said]


def test_the_check_tells_what_it_looks_at(state: Path) -> None:
    said: list[str] = []
    check_log(Places(str(state), str(state / "socket"), str(state), str(state)), None, said.append)

    assert said == ["verifying the chain", "folding with hash seed 0", "folding with hash seed 4242"]


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
