"""Lists over history, on both kinds of log."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from claude_pool.adapters.store.index import TaskRow
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.ports import EventLog
from claude_pool.domain.records import Event
from claude_pool.domain.task_events import (
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    ReviewRequested,
    TaskApproved,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskParked,
    TaskRejected,
    TaskReopened,
    TaskSealed,
    TaskSubmitted,
    TaskUnparked,
)
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Text, Tokens

from tests.unit.adapters.store.samples import AT, OTHER, SESSION, TASK, opened, record, started, submitted

Log = MemoryEventLog | SqliteEventLog


def submit(log: EventLog, *names: str, tags: tuple[str, ...] = ()) -> None:
    for name in names:
        record(log, name, submitted(name, tags))


def outcome(end: End = End.SUCCEEDED, model: str | None = None) -> Outcome:
    return Outcome(end, cost=1500, turns=2, model=model, tokens=Tokens(10, 20, 30, 40))


def asked(question_id: str) -> QuestionAsked:
    return QuestionAsked(question_id, 1, "Bash", Text("{}", size=2), "Bash", AT, AT)


def answered(question_id: str) -> QuestionAnswered:
    return QuestionAnswered(question_id, "allow", None, None, AT)


def states(log: Log) -> dict[str, tuple[str, int | None]]:
    return {row.task_id: (row.state, row.attention_position) for row in log.index.list_tasks()}


def test_a_submitted_task_is_pending(log: Log) -> None:
    spec = TaskSpec(Text("Hi", size=2), Options(model="opus"), priority=5, tags=("a", 'b"'))
    record(log, TASK, TaskSubmitted(TASK, spec, "f", AT))

    assert log.index.list_tasks() == (
        TaskRow(
            task_id=TASK, state="pending", slot_id=None, submitted_position=1, attention_position=None,
            submitted_at=AT, started_at=None, ended_at=None, ran_ms=0, model="opus", cost=0, tokens_input=0,
            tokens_output=0, tokens_cache_read=0, tokens_cache_write=0, turns=0, attempts=0, priority=5,
            tags=("a", 'b"'),
        ),
    )  # fmt: skip


def test_a_finished_task_sums_up_its_attempts(log: Log) -> None:
    submit(log, TASK)
    record(log, TASK, AttemptStarted(1, "slot-0", AT + 1000, model="sonnet"), opened())
    record(log, TASK, AttemptFailed(1, outcome(End.FAILED), AT + 1500), TaskParked("backoff", AT + 2500))
    record(log, TASK, TaskUnparked(), AttemptStarted(2, "slot-1", AT + 3000))
    record(log, TASK, AttemptSucceeded(2, outcome(model="opus"), AT + 7000), TaskCompleted(), at=AT + 7001)

    assert log.index.list_tasks() == (
        TaskRow(
            task_id=TASK, state="completed", slot_id="slot-1", submitted_position=1, attention_position=9,
            submitted_at=AT, started_at=AT + 1000, ended_at=AT + 7001, ran_ms=4500, model="opus", cost=3000,
            tokens_input=20, tokens_output=40, tokens_cache_read=60, tokens_cache_write=80, turns=4,
            attempts=2, priority=0, tags=(),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("events", "state", "attention"),
    [
        ((), "pending", None),
        ((TaskParked("budget"),), "parked", None),
        ((TaskParked("budget"), TaskUnparked()), "pending", None),
        ((started(),), "running", None),
        ((TaskCancelled(),), "cancelled", 2),
        ((TaskFailed("timed_out_queue", "late"),), "failed", 2),
        ((started(), AttemptSealed(1, outcome(), AT), TaskSealed(1)), "sealed", 4),
        ((started(), AttemptSealed(1, outcome(), AT), TaskSealed(1), TaskCancelled()), "cancelled", 5),
        ((started(), AttemptSucceeded(1, outcome(), AT), ReviewRequested(1, AT)), "pending_review", 4),
        ((started(), ReviewRequested(1, AT), TaskRejected(1, Text("no", size=2), AT)), "pending", None),
        ((started(), asked("q1")), "running", 3),
        ((started(), asked("q1"), asked("q2"), answered("q1")), "running", 4),
        ((started(), asked("q1"), answered("q1")), "running", None),
        ((started(), asked("q1"), QuestionExpired("q1", "deadline", AT)), "running", None),
        (
            (started(), asked("q1"), AttemptSealed(1, outcome(), AT), TaskReopened("rerun", None, AT)),
            "pending",
            None,
        ),
        ((started(), ReviewRequested(1, AT), TaskApproved(AT), TaskCompleted()), "completed", 5),
    ],
)
def test_a_task_is_in_the_state_of_its_last_event(
    log: Log, events: tuple[Event, ...], state: str, attention: int | None
) -> None:
    record(log, TASK, submitted(), *events)

    assert states(log) == {TASK: (state, attention)}


def test_a_sealed_task_has_not_ended(log: Log) -> None:
    record(log, TASK, submitted(), started(), AttemptSealed(1, outcome(), AT), TaskSealed(1))

    assert log.index.list_tasks()[0].ended_at is None


def task_ids(rows: tuple[TaskRow, ...]) -> list[str]:
    return [row.task_id for row in rows]


def test_lists_page_from_the_latest_to_the_first(log: Log) -> None:
    submit(log, *"abcde")
    first = log.index.list_tasks(limit=2)
    second = log.index.list_tasks(limit=2, before_position=first[-1].submitted_position)
    third = log.index.list_tasks(limit=2, before_position=second[-1].submitted_position)

    assert [task_ids(page) for page in (first, second, third)] == [["e", "d"], ["c", "b"], ["a"]]


def test_a_list_is_narrowed_by_state_tag_and_slot(log: Log) -> None:
    submit(log, "a", tags=("red", "blue"))
    submit(log, "b", tags=("red%",))
    submit(log, "c", tags=("blue",))
    record(log, "c", started())

    assert task_ids(log.index.list_tasks(tag="red")) == ["a"]
    assert task_ids(log.index.list_tasks(tag="blue")) == ["c", "a"]
    assert task_ids(log.index.list_tasks(state="running", tag="blue")) == ["c"]
    assert task_ids(log.index.list_tasks(slot="slot-0")) == ["c"]
    assert log.index.list_tasks(state="sealed") == ()


def test_attention_comes_in_the_order_in_which_it_was_needed(log: Log) -> None:
    submit(log, *"abc")
    record(log, "c", TaskCancelled())
    record(log, "a", TaskCancelled())

    assert task_ids(log.index.attention_since(0)) == ["c", "a"]
    assert task_ids(log.index.attention_since(0, limit=1)) == ["c"]
    assert task_ids(log.index.attention_since(4)) == ["a"]
    assert task_ids(log.index.attention_since(0, ["a", "b", "unknown"])) == ["a"]
    assert log.index.attention_since(0, []) == ()


def test_tasks_are_found_by_when_they_were_submitted_and_with_what(log: Log) -> None:
    for number, model in enumerate(["opus", "haiku", "opus"]):
        spec = TaskSpec(Text(), Options(model=model), tags=(f"tag-{number}",))
        record(log, f"task-{number}", TaskSubmitted(f"task-{number}", spec, "f", AT + number))

    assert task_ids(log.index.tasks_between()) == ["task-0", "task-1", "task-2"]
    assert task_ids(log.index.tasks_between(since=AT + 1)) == ["task-1", "task-2"]
    assert task_ids(log.index.tasks_between(until=AT + 1)) == ["task-0", "task-1"]
    assert task_ids(log.index.tasks_between(model="opus")) == ["task-0", "task-2"]
    assert task_ids(log.index.tasks_between(tag="tag-1")) == ["task-1"]


def test_a_conversation_is_found_where_it_was_last_used(log: Log) -> None:
    record(log, TASK, submitted(), started(), opened())
    record(log, OTHER, submitted(OTHER), AttemptStarted(1, "slot-4", AT), opened())

    row = log.index.session(SESSION)

    assert row is not None
    assert (row.task_id, row.slot_id, row.working_dir, row.position) == (OTHER, "slot-4", "/project", 6)
    assert log.index.session("0f0f0f0f-0000-4000-8000-00000000ffff") is None


def test_every_text_in_a_file_is_known(log: Log) -> None:
    prompt, answer = Text(blob="a" * 64, size=5000), Text(blob="b" * 64, size=5000)
    quoted = Text(inline='{"blob":"' + "c" * 64 + '"}', size=76)
    record(log, TASK, TaskSubmitted(TASK, TaskSpec(prompt, Options()), "f", AT), started())
    record(log, TASK, AttemptSucceeded(1, Outcome(End.SUCCEEDED, output=answer), AT), TaskCompleted())
    record(log, OTHER, TaskSubmitted(OTHER, TaskSpec(quoted), "f", AT))

    assert log.index.blobs() == {"a" * 64, "b" * 64}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log with two tasks, one of them cancelled."""
    path = tmp_path / "log.sqlite"
    with SqliteEventLog.open(path, default_codec()) as log:
        submit(log, TASK, OTHER)
        record(log, OTHER, TaskCancelled())
    return path


EXPECTED = {TASK: ("pending", None), OTHER: ("cancelled", 3)}
STALE = [
    "DROP TABLE index_tasks",
    "DROP TABLE index_state",
    "DELETE FROM index_state",
    "UPDATE index_state SET schema = schema + 1",
    "UPDATE index_state SET position = 2",
]


def spoil(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE index_tasks SET state = 'running', tags = '[\"wrong\"]'")
    connection.execute("CREATE TABLE index_of_another_version (a)")
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("statement", [*STALE, "UPDATE index_state SET position = 9"])
def test_an_index_that_does_not_fit_is_folded_again(path: Path, statement: str) -> None:
    spoil(path, statement)

    with SqliteEventLog.open(path, default_codec()) as log:
        assert states(log) == EXPECTED
        with log.recorder.datastore.transaction(commit=False) as c:
            tables = c.sqlite_cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert "index_of_another_version" not in {name for (name,) in tables}


@pytest.mark.parametrize("statement", STALE)
def test_a_reader_folds_an_index_that_does_not_fit_for_itself(path: Path, statement: str) -> None:
    spoil(path, statement)

    with open_reader(path, default_codec()) as reader:
        rows = reader.index.list_tasks()
        again = reader.index.list_tasks()

    assert {row.task_id: (row.state, row.attention_position) for row in rows} == EXPECTED
    assert again == rows
