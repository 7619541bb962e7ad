"""What the crash matrix looks for is found where it is there."""

from __future__ import annotations

import json
from pathlib import Path

from claude_pool.domain.pool_events import OwnerStarted, PoolOpened, Settings
from claude_pool.domain.records import Actor, Event, Meta, Recorded
from claude_pool.domain.task_events import SessionOpened, TaskCompleted, TaskSubmitted
from claude_pool.domain.values import TaskSpec, Text

from tests.faults.crash_checks import doubles, lost, restarted
from tests.faults.crash_pool import Ledger

TASK = "task-aaaaaaaaaaaaaaaa"
SUBMITTED = TaskSubmitted(TASK, TaskSpec(Text("a", None, 1, None)), "f", 1)
OPENED = SessionOpened(1, "session", "fresh", "/w")


def log(*events: tuple[str, Event]) -> tuple[Recorded, ...]:
    """A log of events with their streams."""
    meta = Meta(1, "cmd", "cmd", Actor.POLICY, None)
    return tuple(Recorded(at, stream, 1, event, meta, b"") for at, (stream, event) in enumerate(events, 1))


def test_a_task_that_was_accepted_and_is_not_in_the_log_is_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.told("pool_submit", {}, {"task_id": TASK})

    assert lost(ledger, log((TASK, SUBMITTED))) == []
    assert len(lost(ledger, ())) == 1


def test_an_end_that_was_shown_and_is_not_in_the_log_is_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", seen={TASK: {"state": "completed"}})

    assert lost(ledger, log((TASK, SUBMITTED), (TASK, TaskCompleted()))) == []
    assert len(lost(ledger, log((TASK, SUBMITTED)))) == 1


def test_a_prompt_that_no_attempt_intended_is_a_double(tmp_path: Path) -> None:
    folder = tmp_path / ".claude" / "projects" / "w"
    folder.mkdir(parents=True)
    taken = [{"type": "user", "text": "a", "uuids": [uuid]} for uuid in ("one", "two")]
    (folder / "session.jsonl").write_text("\n".join(json.dumps(each) for each in taken), "utf-8")

    assert len(doubles(tmp_path, log((TASK, OPENED)))) == 1
    assert doubles(tmp_path, log((TASK, OPENED), (TASK, OPENED))) == []


def test_a_fork_of_a_conversation_brings_no_prompts_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / ".claude" / "projects" / "w"
    folder.mkdir(parents=True)
    taken = json.dumps({"type": "user", "text": "a", "uuids": ["one"]})
    for name in ("session", "branch"):
        (folder / f"{name}.jsonl").write_text(taken, "utf-8")

    assert doubles(tmp_path, log((TASK, OPENED))) == []


def test_a_restart_at_rest_records_its_owner_and_nothing_of_tasks() -> None:
    before = log(("pool", PoolOpened("p", 1)))
    started = ("pool", OwnerStarted("o", 1, "0", Settings()))

    assert restarted(before, log(("pool", PoolOpened("p", 1)), started)) == []
    assert len(restarted(before, log(("pool", PoolOpened("p", 1)), (TASK, TaskCompleted())))) == 1
