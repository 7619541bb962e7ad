"""`replay`, and the other verbs that read a log by themselves, on a real log without an owner."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from claude_pool.adapters.places import prepare
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.chain_events import ChainCancelled, ChainSubmitted, Plan, Step
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.task_events import AttemptStarted, TaskParked, TaskSubmitted
from claude_pool.domain.values import TaskSpec, Text

from tests.support.one_process import Ended, run_each
from tests.support.stand_in import PATIENCE, Bench, until

TASK = "task-aaaaaaaaaaaaaaaa"
OTHER = "task-bbbbbbbbbbbbbbbb"
CHAIN = "chain-aaaaaaaaaaaaaaaa"
OTHER_CHAIN = "chain-bbbbbbbbbbbbbbbb"
NOON = 1_700_049_600_000
"""2023-11-15T12:00:00Z"""


class Logged:
    """A bench with a log that is written to, a second a fact."""

    def __init__(self, tmp_path: Path) -> None:
        self.bench = Bench(tmp_path)
        prepare(self.bench.places)
        self._log = SqliteEventLog.open(Path(self.bench.places.log), default_codec())
        self._versions: dict[str, int] = {}
        self._at = NOON

    def append(self, stream: str, event: Event) -> None:
        version = self._versions.get(stream, 0)
        meta = Meta(self._at, f"cmd-{self._at}", "call", Actor.SHELL)
        self._log.append([Fact(stream, event)], {stream: version}, meta)
        self._versions[stream] = version + 1
        self._at += 1000

    def submit(self, task_id: str, prompt: str) -> None:
        text = Text(inline=prompt, size=len(prompt.encode()))
        self.append(task_id, TaskSubmitted(task_id, TaskSpec(text, tags=("t",)), "print", self._at))

    def close(self) -> None:
        self._log.close()
        self.bench.close()


@contextmanager
def a_log(folder: Path) -> Generator[Logged]:
    made = Logged(folder)
    made.submit(TASK, "say\x1b hi")
    made.submit(OTHER, "and more")
    made.append(TASK, TaskParked("provider_limit", NOON + 60_000))
    made.append(TASK, AttemptStarted(1, "slot-0", NOON))
    yield made
    made.close()


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Logged]:
    with a_log(tmp_path) as made:
        yield made


def positions(bench: Bench, *flags: str) -> list[int]:
    ended = bench.run("replay", "--json", *flags)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line)["position"] for line in ended.stdout.splitlines()]


def test_each_event_is_one_line_for_a_person(logged: Logged) -> None:
    ended = logged.bench.run("replay")

    assert ended.stdout.splitlines()[::2] == [
        f"     1  2023-11-15T12:00:00.000Z  {TASK}  task.submitted          "
        r'prompt="say\\x1b hi" tags=["t"] fingerprint=print',
        f"     3  2023-11-15T12:00:02.000Z  {TASK}  task.parked             reason=provider_limit "
        "until=1700049660000",
    ]
    assert (ended.returncode, ended.stderr, logged.bench.pids()) == (0, "", [])


def test_each_event_is_one_canonical_json_line_for_a_program(logged: Logged) -> None:
    first = logged.bench.run("replay", "--json", "--until", "1").stdout

    event = json.loads(first)
    assert first == json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    assert len(event.pop("hash")) == 64
    data = event.pop("data")
    assert event == {
        "position": 1, "stream": TASK, "version": 1, "name": "task.submitted", "event_version": 1,
        "recorded_at": NOON, "command_id": f"cmd-{NOON}", "cause": None,
        "correlation": "call", "actor": "shell",
    }  # fmt: skip
    assert (data["task_id"], data["fingerprint"], data["at"]) == (TASK, "print", NOON)
    assert data["spec"]["prompt"] == {"inline": "say\x1b hi", "size": 7, "blob": None, "head": None}
    assert data["spec"]["tags"] == ["t"]


PARTS: list[tuple[list[str], list[int]]] = [
    ([], [1, 2, 3, 4]),
    (["--until", "2"], [1, 2]),
    (["--until", "0"], []),
    (["--until", "9" * 30], [1, 2, 3, 4]),
    (["--until", "2023-11-15T12:00:01Z"], [1, 2]),
    (["--until", "2023-11-15T12:00:01"], [1, 2]),
    (["--until", "2023-11-15T13:00:00+01:00"], [1]),
    (["--until", "2023-11-15"], []),
    (["--task", TASK], [1, 3, 4]),
    (["--task", OTHER], [2]),
    (["--slot", "slot-0"], [4]),
    (["--slot", "slot-0", "--task", OTHER], []),
    (["--chain", "chain-aaaaaaaaaaaaaaaa"], []),
    (["--type", "task.*"], [1, 2, 3]),
    (["--type", "*.started", "--task", TASK], [4]),
]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, ...], Ended]]:
    """What `replay` prints of the parts of one log."""
    with a_log(tmp_path_factory.mktemp("parts")) as logged:
        commands = [["replay", "--json", *flags] for flags, _ in PARTS]
        yield run_each(commands, logged.bench.environ, logged.bench.work)


@pytest.mark.parametrize(("flags", "expected"), PARTS)
def test_only_the_events_that_are_asked_for_are_printed(
    parts: dict[tuple[str, ...], Ended], flags: list[str], expected: list[int]
) -> None:
    ended = parts["replay", "--json", *flags]

    assert ended.code == "0"
    assert [json.loads(line)["position"] for line in ended.output.splitlines()] == expected


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--task", "nope", "--task: 'nope' is none; a task's id is task- and 16 letters or digits"),
        ("--task", CHAIN, "a task's id is task-"),
        ("--slot", "1", "a slot's id is slot- and a number"),
        ("--type", "nope", "--type: no event has a name like 'nope'; say task.failed"),
    ],
)
def test_a_filter_that_no_event_could_pass_is_refused(
    tmp_path: Path, flag: str, value: str, said: str
) -> None:
    with a_log(tmp_path) as logged:
        ended = logged.bench.run("replay", flag, value)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("[invalid_argument] ")
    assert said in ended.stderr


def test_an_end_that_is_neither_position_nor_time_is_refused(logged: Logged) -> None:
    ended = logged.bench.run("replay", "--until", "noon")

    assert ended.returncode == 2
    assert ended.stderr.startswith("[invalid_argument] --until: 'noon' is neither a position nor a time")


def test_following_goes_on_with_what_happens_next(logged: Logged, tmp_path: Path) -> None:
    with open(tmp_path / "followed", "w+b") as followed, logged.bench.claude_pool(
        "replay", "--follow", "--type", "task.submitted", stdout=followed.fileno()
    ) as process:  # fmt: skip

        def lines() -> list[bytes]:
            return (tmp_path / "followed").read_bytes().splitlines()

        until(lambda: len(lines()) == 2, "the events there were")
        logged.submit("task-cccccccccccccccc", "new")
        until(lambda: len(lines()) == 3, "the event that came")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)

        assert process.returncode == 130
        assert b"task-cccccccccccccccc" in lines()[2]


def test_following_ends_at_a_position(logged: Logged) -> None:
    assert positions(logged.bench, "--follow", "--until", "4") == [1, 2, 3, 4]


def test_a_whole_log_passes_the_check(tmp_path: Path) -> None:
    made = Logged(tmp_path)
    made.submit(TASK, "say hi")
    made.append(TASK, TaskParked("provider_limit", NOON + 60_000))

    ended = made.bench.run("replay", "--check")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(made.bench.run("replay", "--check", "--json").stdout) == {"ok": True, "problems": []}
    made.close()


def test_what_cannot_have_happened_fails_the_check(logged: Logged) -> None:
    ended = logged.bench.run("replay", "--check")

    assert ended.returncode == 5
    assert "event 4" in ended.stderr  # an attempt that no slot was claimed for


def test_a_damaged_log_fails_the_check(logged: Logged) -> None:
    logged.close()
    with sqlite3.connect(logged.bench.places.log) as database:
        changed = database.execute(
            "UPDATE events SET state = CAST(replace(CAST(state AS TEXT), 'and more', 'and MORE') AS BLOB) "
            "WHERE rowid = 2"
        )
        assert changed.rowcount == 1
    database.close()

    ended = logged.bench.run("replay", "--check")

    assert ended.returncode == 5
    assert ended.stderr.startswith("[log_broken] ")


def test_what_is_no_log_is_reported(logged: Logged) -> None:
    logged.close()
    Path(logged.bench.places.log).write_bytes(b"something else, and longer than a header of SQLite\n" * 100)

    for verb in ("replay", "status", "tasks"):
        ended = logged.bench.run(verb)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert ended.stderr.startswith("[store_unreadable] ")


def test_tasks_are_listed_from_the_log_where_no_owner_runs(logged: Logged) -> None:
    ended = logged.bench.run("tasks", "--json")

    assert [view["task_id"] for view in json.loads(ended.stdout)["tasks"]] == [OTHER, TASK]
    assert logged.bench.pids() == []


def test_chains_are_listed_from_the_log_by_their_state(logged: Logged) -> None:
    plan = Plan((Step("a", TaskSpec(Text(inline="p", size=1))),))
    for chain_id in (CHAIN, OTHER_CHAIN):
        logged.append(chain_id, ChainSubmitted(chain_id, plan, "print", NOON))
    logged.append(OTHER_CHAIN, ChainCancelled())

    lines = logged.bench.run("chain", "list").stdout.splitlines()[1:]
    assert [line.split()[:3] for line in lines] == [
        [OTHER_CHAIN, "cancelled", "1"],
        [CHAIN, "running", "1"],
    ]
    running = json.loads(logged.bench.run("chain", "list", "--state", "running", "--json").stdout)
    assert [view["chain_id"] for view in running] == [CHAIN]


def test_one_task_and_its_story_are_told_from_the_log(logged: Logged) -> None:
    assert json.loads(logged.bench.run("task", OTHER, "--json").stdout)["state"] == "pending"
    assert [
        fact["position"] for fact in json.loads(logged.bench.run("why", OTHER, "--json").stdout)["story"]
    ] == [2]
    assert logged.bench.run("task", "task-cccccccccccccccc").returncode == 2
