"""`budget` on a log without an owner."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool.adapters.cli.budget import show_budget
from claude_pool.adapters.cli.shell import Shell
from claude_pool.adapters.places import prepare
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.pool_events import BudgetOpened, FundsReserved, FundsSettled, LimitsSet, PoolOpened
from claude_pool.domain.records import Actor, Fact, Meta

from tests.support.stand_in import Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A pool whose log says that half of the limit is spent, and a quarter reserved."""
    bench = Bench(tmp_path_factory.mktemp("budget"))
    prepare(bench.places)
    events = (
        PoolOpened("pool-1", 0), BudgetOpened(1_000_000), LimitsSet("tag:night", None, 2_000_000),
        FundsReserved("task-a.1", 250_000, ("day:2023-11-15",)),
        FundsSettled("task-b.1", 500_000, accounts=("day:2023-11-15", "tag:night")),
    )  # fmt: skip
    with SqliteEventLog.open(Path(bench.places.log), default_codec()) as log:
        facts = [Fact("pool", event) for event in events]
        log.append(facts, {"pool": 0}, Meta(0, "cmd", "cmd", Actor.SHELL))
    yield bench
    bench.close()


class Terminal(io.TextIOWrapper):
    """A terminal that knows one encoding."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(
    ("encoding", "pool", "night"),
    [
        ("utf-8", "█" * 12 + "▒" * 6 + "·" * 6, "█" * 6 + "·" * 18),
        ("ascii", "#" * 12 + "+" * 6 + "." * 6, "#" * 6 + "." * 18),
    ],
)
def test_a_terminal_is_shown_a_bar_for_each_limit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, encoding: str, pool: str, night: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(os, "environ", bench.environ)
    monkeypatch.setattr(sys, "stdout", Terminal(written, encoding))
    show_budget(Shell({"working_dir": str(bench.work)}, False))
    heading, *lines = written.getvalue().decode(encoding).splitlines()
    rows = {line.split()[0]: line.split() for line in lines}
    assert heading.split() == ["SCOPE", "SPENT", "RESERVED", "FREE", "SOFT", "LIMIT", "USED", "NOW"]
    assert rows["pool"] == ["pool", "$0.500000", "$0.250000", "$0.250000", "none", "$1.000000", pool]
    assert rows["day"] == ["day", "$0.000000", "$0.000000", "none", "none"]
    assert rows["tag:night"] == ["tag:night", "$0.500000", "$0.000000", "$2.000000", "none", night]
