"""`cost`, on a log without an owner, and the parts that it is made of."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.cli.bars import Bars, bar, show
from claude_pool.adapters.cli.cost import cost
from claude_pool.adapters.cli.periods import parse_moment
from claude_pool.adapters.cli.shell import Shell
from claude_pool.adapters.places import prepare
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import InvalidArgument, NotFound, PoolError
from claude_pool.domain.pool_events import BudgetOpened, FundsCharged, FundsSettled
from claude_pool.domain.records import Actor, Event, Fact, Meta
from claude_pool.domain.task_events import AttemptStarted, AttemptSucceeded, TaskSubmitted
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Text, Tokens
from rich.console import Console

from tests.support.stand_in import PATIENCE, Bench

TASK = "task-aaaaaaaaaaaaaaaa"
OTHER = "task-bbbbbbbbbbbbbbbb"
NOON = 1_700_049_600_000
"""2023-11-15T12:00:00Z"""
DAY = 86_400_000


def append(log: SqliteEventLog, stream: str, *events: Event, at: int = NOON) -> None:
    facts = [Fact(stream, event) for event in events]
    log.append(facts, {stream: len(log.read_stream(stream))}, Meta(at, "cmd", "cmd", Actor.SHELL))


def work(log: SqliteEventLog, task_id: str, model: str, cost: int, at: int, *tags: str) -> None:
    """A task with one attempt, which took two seconds."""
    spec = TaskSpec(Text(inline="work", size=4), Options(), tags=tags)
    outcome = Outcome(End.SUCCEEDED, model=model, cost=cost, tokens=Tokens(1000, 200))
    ends = AttemptStarted(1, "slot-0", at - 2000), AttemptSucceeded(1, outcome, at)
    append(log, task_id, TaskSubmitted(task_id, spec, "f", at), *ends, at=at)
    append(log, "pool", FundsSettled(f"{task_id}.1", cost), at=at)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A pool whose log says that two tasks and a slot have cost something."""
    bench = Bench(tmp_path_factory.mktemp("cost"))
    prepare(bench.places)
    with SqliteEventLog.open(Path(bench.places.log), default_codec()) as log:
        append(log, "pool", BudgetOpened(1_000_000))
        work(log, TASK, "claude-opus", 750_000, NOON, "red", "blue")
        work(log, OTHER, "claude-haiku", 249_500, NOON + DAY)
        append(log, "pool", FundsCharged("slot-1", 500, "stray"), at=NOON + DAY)
    yield bench
    bench.close()


@pytest.fixture
def ask(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the verb in this process; the view."""
    monkeypatch.setattr(os, "environ", bench.environ)

    def asked(as_json: bool = True, **given: Any) -> dict[str, Any]:
        cost(Shell({"working_dir": str(bench.work)}, as_json), **given)
        view: dict[str, Any] = json.loads(capsys.readouterr().out) if as_json else {}
        return view

    return asked


def test_a_row_for_each_model_and_their_sum(bench: Bench) -> None:
    ended = bench.run("cost")

    assert ended.stdout.splitlines() == [
        "MODEL         COST       SHARE   ATTEMPTS  TASKS  TOKENS  P50        P95        TIME P50  TIME P95",
        "claude-opus   $0.750000  75.0%   1         1      1,200   $0.750000  $0.750000  2.0s      2.0s",
        "claude-haiku  $0.249500  24.9%   1         1      1,200   $0.249500  $0.249500  2.0s      2.0s",
        "(no task)     $0.000500  0.1%    0         0      0",
        "total         $1.000000  100.0%  2         2      2,400   $0.249500  $0.750000  2.0s      2.0s",
        "budget: $1.000000 spent of $1.000000",
    ]
    assert ended.stderr == ""


def test_on_a_terminal_every_row_has_its_bar(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = {"NO_COLOR": "1", "COLUMNS": "60", "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    monkeypatch.setattr(bench, "environ", bench.environ | terminal)
    read, write = os.openpty()
    with bench.claude_pool("cost", "--by", "tag", "--tag", "red", stdout=write) as process:
        assert process.wait(PATIENCE) == 0
    os.close(write)
    shown = os.read(read, 10_000).decode().split("\r\n")
    os.close(read)

    assert shown[:4] == [
        "\x1b[1mTAG         COST   SHARE             ATTEMPTS  TASKS  TOKENS\x1b[0m",
        "blue   $0.750000  100.0%  █████████         1      1   1,200",
        "red    $0.750000  100.0%  █████████         1      1   1,200",
        "\x1b[1mtotal  $0.750000  100.0%                    1      1   1,200\x1b[0m",
    ]


def test_json_has_every_figure_and_money_twice(ask: Any) -> None:
    view = ask(by="day")

    assert [(row["key"], row["cost_microdollars"], row["charged_microdollars"]) for row in view["rows"]] == [
        ("2023-11-15", 750_000, 0),
        ("2023-11-16", 250_000, 500),
    ]
    assert view["rows"][0] == {
        "key": "2023-11-15", "label": "2023-11-15", "attempts": 1, "tasks": 1, "cost_usd": 0.75,
        "cost_microdollars": 750_000, "share": 0.75, "estimated_microdollars": 0,
        "overdrawn_microdollars": 0, "charged_microdollars": 0,
        "tokens": {"input": 1000, "output": 200, "cache_read": 0, "cache_write": 0}, "turns": 0,
        "p50_cost_microdollars": 750_000, "p95_cost_microdollars": 750_000, "p50_elapsed_ms": 2000,
        "p95_elapsed_ms": 2000, "max_cost_microdollars": 750_000, "max_elapsed_ms": 2000,
    }  # fmt: skip
    assert (view["by"], view["left_out"], view["total"]["cost_microdollars"]) == ("day", 0, 1_000_000)
    assert (view["spent_microdollars"], view["budget_microdollars"]) == (1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("wanted", "total"),
    [
        ({"since": "2023-11-16"}, 250_000),
        ({"until": "2023-11-15"}, 750_000),
        ({"since": "2023-11-15T12:00:00Z", "until": "2023-11-15T12:00:00Z"}, 750_000),
        ({"since": "1d"}, 0),
        ({"model": "claude-haiku"}, 249_500),
        ({"tag": "blue"}, 750_000),
        ({"tag": "green"}, 0),
        ({"task": OTHER}, 249_500),
    ],
)
def test_what_is_told_can_be_narrowed(ask: Any, wanted: dict[str, str], total: int) -> None:
    assert ask(**wanted)["total"]["cost_microdollars"] == total


def test_rows_beyond_the_limit_stand_together(ask: Any) -> None:
    view = ask(by="task", limit=1)

    assert [(row["label"], row["cost_microdollars"]) for row in view["rows"]] == [
        (TASK, 750_000),
        ("(2 more)", 250_000),
    ]
    assert view["left_out"] == 2


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ({"by": "modl"}, InvalidArgument, "did you mean 'model'"),
        ({"since": "soon"}, InvalidArgument, "--since: 'soon' is no time"),
        ({"since": "2023-11-16", "until": "2023-11-15"}, InvalidArgument, "is after --until"),
        ({"task": "chain-aaaaaaaaaaaaaaaa"}, InvalidArgument, "a task's id"),
        ({"task": "task-cccccccccccccccc"}, NotFound, "claude-pool tasks"),
        ({"chain": "chain-cccccccccccccccc"}, NotFound, "claude-pool chain list"),
    ],
)
def test_what_cannot_be_told_is_refused(
    ask: Any, wrong: dict[str, str], kind: type[PoolError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        ask(**wrong)


def test_nothing_settled_is_said_and_no_failure(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ask(since="2024-01-01", as_json=False)

    assert capsys.readouterr().err == "no attempt was settled there\n"


def test_without_a_log_it_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ended = bench.run("cost")
    bench.close()

    assert (ended.returncode, ended.stdout) == (3, "")
    assert "[store_unreadable]" in ended.stderr


NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("30s", NOW - 30_000),
        ("2h", NOW - 7_200_000),
        ("7d", NOW - 7 * DAY),
        ("2w", NOW - 14 * DAY),
        ("999999999w", 0),
        ("2023-11-15", NOON - DAY // 2),
        ("20231115", NOON - DAY // 2),
        ("2023-11-15T12:00", NOON),
        ("2023-11-15T13:00:00+01:00", NOON),
        ("1900-01-01", 0),
    ],
)
def test_a_moment_is_a_time_a_day_or_so_long_ago(text: str, wanted: int) -> None:
    assert parse_moment(text, "--since", NOW) == wanted


def test_the_end_of_a_day_is_its_last_millisecond() -> None:
    assert parse_moment("2023-11-15", "--until", NOW, end=True) == NOON + DAY // 2 - 1
    assert parse_moment("2023-11-15T12:00", "--until", NOW, end=True) == NOON


@pytest.mark.parametrize("text", ["", "7", "7 d", "-7d", "d", "2023-13-01", "٧d", "nan"])
def test_other_words_are_no_moments(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_moment(text, "--since", NOW)


@pytest.mark.parametrize(
    ("length", "width", "drawn", "plain"),
    [
        (0, 10, "", ""),
        (100, 10, "█" * 10, "#" * 10),
        (50, 10, "█" * 5, "#" * 5),
        (55, 10, "█████▌", "#" * 5),
        (1, 10, "▏", "#"),
    ],
)
def test_a_bar_is_a_part_of_the_longest_and_never_invisible(
    length: int, width: int, drawn: str, plain: str
) -> None:
    assert bar(length, 100, width, ascii_only=False) == drawn
    assert bar(length, 100, width, ascii_only=True) == plain


TABLE = Bars(
    columns=("TAG", "COST", "SHARE", "N"),
    rows=[(("a tag that is long", "$7", "70%", "1"), 7), (("日本", "$3", "30%", "2"), 3)],
    last=("total", "$10", "100%", "3"),
)


def drawn(width: int, encoding: str = "utf-8") -> list[str]:
    """The table as a terminal without colours shows it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    show(Console(file=stream, width=width, no_color=True, legacy_windows=False), TABLE)
    stream.seek(0)
    return stream.read().splitlines()


def test_a_wide_terminal_shows_all_columns() -> None:
    assert drawn(46) == [
        "TAG                 COST  SHARE              N",
        "a tag that is long    $7    70%  ██████████  1",
        "日本                  $3    30%  ████▎       2",
        "total                $10   100%              3",
    ]


def test_a_narrow_terminal_shows_fewer_columns_and_a_shorter_label() -> None:
    assert drawn(24) == [
        "TAG       COST",
        "a tag t…    $7  ████████",
        "日本        $3  ███▍",
        "total      $10",
    ]


def test_a_terminal_without_such_characters_shows_others() -> None:
    assert drawn(24, "ascii") == [
        "TAG       COST",
        "a tag t~    $7  ########",
        r"\u65e5\~    $3  ###",
        "total      $10",
    ]
