"""`forecast`, on logs without an owner and beside one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.calling import Unavailable
from claude_pool.adapters.cli.forecast import forecast, moment
from claude_pool.adapters.cli.shell import Shell
from claude_pool.adapters.places import prepare
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.pool_events import BudgetOpened, PoolOpened
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.task_events import AttemptStarted, AttemptSucceeded, TaskCompleted, TaskSubmitted
from claude_pool.domain.values import End, Outcome, TaskSpec, Text

from tests.support.domain_story import task_name
from tests.support.stand_in import Bench

THEN = 1_700_000_000_000
MINUTE = 60_000


def append(log: SqliteEventLog, stream: str, *events: Event) -> None:
    facts = [Fact(stream, event) for event in events]
    log.append(facts, {stream: len(log.read_stream(stream))}, Meta(THEN, "cmd", "cmd", Actor.SHELL))


def submitted(task_id: str, *tags: str, skill: str | None = None) -> TaskSubmitted:
    return TaskSubmitted(task_id, TaskSpec(Text(inline="work", size=4), tags=tags, skill=skill), "f", THEN)


def write(bench: Bench, ended: int, waiting: int, skill: str | None = None) -> Bench:
    """A log in which so many tasks have ended after ten minutes for $0.5 each, and so many wait."""
    prepare(bench.places)
    with SqliteEventLog.open(Path(bench.places.log), default_codec()) as log:
        append(log, "pool", PoolOpened("pool-1", THEN), BudgetOpened(1_250_000))
        for number in range(ended):
            task_id = task_name(number)
            outcome = Outcome(End.SUCCEEDED, cost=500_000)
            ends = AttemptStarted(1, "slot-0", THEN), AttemptSucceeded(1, outcome, THEN + 10 * MINUTE)
            append(log, task_id, submitted(task_id, skill=skill), *ends, TaskCompleted())
        for number in range(ended, ended + waiting):
            append(log, task_name(number), submitted(task_name(number), skill=skill))
    return bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A pool of two slots with four tasks to do, and money for two and a half."""
    made = write(Bench(tmp_path_factory.mktemp("forecast")), 6, 4, "review@0011223344556677")
    yield made
    made.close()


class Reached(Shell):
    """A shell that reaches an owner, or meets with `error` instead."""

    def __init__(self, bench: Bench, error: Exception | None) -> None:
        super().__init__({"working_dir": str(bench.work)}, True)
        self.error = error

    @contextmanager
    def owner(self, **_: Any) -> Generator[Any]:
        """See `Shell.owner`."""
        if self.error is not None:
            raise self.error
        yield None


@pytest.fixture
def ask(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the verb in this process; the view."""
    monkeypatch.setattr(os, "environ", bench.environ)

    def asked(**given: Any) -> dict[str, Any]:
        forecast(Shell({"working_dir": str(bench.work)}, True), **given)
        view: dict[str, Any] = json.loads(capsys.readouterr().out)
        return view

    return asked


def minutes(view: dict[str, Any], part: str) -> int:
    """How long after the forecast a P50 is."""
    return round((view[part]["p50"] - view["at"]) / MINUTE)


def test_a_person_sees_when_what_it_costs_and_what_that_rests_on(bench: Bench) -> None:
    ended = bench.run("forecast", "--budget", "9")

    assert (ended.returncode, ended.stderr) == (0, "")
    shown = re.sub(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d", "THEN", ended.stdout)
    shown = re.sub(r" {2,}", "  ", shown)  # the clock's times are not all as long
    assert shown.splitlines()[:-1] == [
        "  P50  P90",
        "finish  in 20 min (THEN)  in 20 min (THEN)",
        "spend  $2.0000  $2.0000",
        "money spent  not before the end  not before the end",
        "unpaid tasks  0  0",
        "queue  4 tasks",
        "rests on  4 tasks like 6 that ended (same skill)",
        "courses  400",
        "dry-out  the money is spent before the end in 0% of them",
        "if  an owner starts now",
    ]
    assert shown.splitlines()[-1].startswith("times  ")


def test_json_has_times_twice_and_money_twice(ask: Any) -> None:
    view = ask()

    assert minutes(view, "finish") == minutes(view, "dry_out") == 12
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", view["finish"]["p90_iso"])
    assert view["spend"] == {
        "p50_usd": 1.25, "p90_usd": 1.25, "p50_microdollars": 1_250_000, "p90_microdollars": 1_250_000,
    }  # fmt: skip
    assert (view["dry_out"]["share"], view["unpaid_tasks"]) == (1.0, {"p50": 2, "p90": 2})
    assert (view["tasks"], view["left_out_tasks"], view["unplaced_tasks"]) == (4, 0, 0)
    assert view["basis"] == [{"like": "skill", "tasks": 4, "samples": 6}]
    assert (view["assumes"], view["reason"], view["runs"]) == (["an owner starts now"], None, 400)


def test_it_can_be_asked_what_other_slots_and_money_would_do(ask: Any) -> None:
    assert minutes(ask(slots=4, budget=9.0), "finish") == 10
    assert minutes(ask(slots=1, budget=9.0), "finish") == 40
    assert minutes(ask(slots=1), "dry_out") == 25


@pytest.mark.parametrize(
    ("error", "assumed"),
    [(None, []), (Unavailable("store_in_use", "It does not answer."), ["an owner starts now"])],
)
def test_beside_an_owner_nothing_has_to_happen_first(
    ask: Any, bench: Bench, capsys: pytest.CaptureFixture[str], error: Exception | None, assumed: list[str]
) -> None:
    del ask  # for its environment
    forecast(Reached(bench, error), slots=2)
    shown = capsys.readouterr()
    assert json.loads(shown.out)["assumes"] == assumed
    assert ("does not answer" in shown.err) == (error is not None)


@pytest.mark.parametrize("wrong", [0.0, -1.0, 1e9, float("nan"), float("inf")])
def test_a_budget_that_is_none_is_refused(ask: Any, wrong: float) -> None:
    with pytest.raises(InvalidArgument, match="--budget"):
        ask(budget=wrong)


def test_without_history_it_says_so_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    young = write(Bench(tmp_path), 1, 2)
    monkeypatch.setattr(os, "environ", young.environ)
    said: list[str] = []
    for as_json in (False, True):
        forecast(Shell({"working_dir": str(young.work)}, as_json))
        said.append(capsys.readouterr().out)
    young.close()

    reason = "1 task ended in this log so far, and a forecast needs 5 to go by"
    assert said[0] == f"no forecast: {reason} (2 tasks in the queue)\n"
    view = json.loads(said[1])
    assert view == {"finish": None, "spend": None, "dry_out": None, "reason": reason, "tasks": 2}


def test_without_a_log_it_is_refused(tmp_path: Path) -> None:
    nowhere = Bench(tmp_path)
    ended = nowhere.run("forecast")
    nowhere.close()

    assert (ended.returncode, ended.stdout) == (3, "")
    assert "[store_unreadable]" in ended.stderr


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [
        (0, "in 0 s"),
        (119_999, "in 119 s"),
        (120_000, "in 2 min"),
        (2 * 3_600_000, "in 2 h 00 min"),
        (26 * 3_600_000 + 300_000, "in 26 h 05 min"),
        (50 * 3_600_000, "in 2 d 2 h"),
        (10**18, "in 11574074074 d 1 h (beyond all dates)"),
    ],
)
def test_a_time_is_told_by_how_far_off_it_is(milliseconds: int, told: str) -> None:
    assert moment(THEN + milliseconds, THEN).startswith(told)
