"""Many callers, slots and limits at once on the real service: not one reservation passes a limit."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import Running
from claude_pool.domain import ledger
from claude_pool.domain.errors import BudgetExceeded
from claude_pool.domain.funding import Quote
from claude_pool.domain.pool_events import FundsSettled
from claude_pool.domain.records import Fact, Recorded
from claude_pool.domain.values import Options, Outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.domain_ledger import Ledger
from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import WAIT_SECONDS, scripted_pool

LARGEST_STEP = 30
"""Microdollars by which a meter moves at most at a time."""


@dataclass(frozen=True)
class Order:
    """A task: what its meter sees, step by step, and what limits it."""

    steps: tuple[int, ...]
    own: int | None
    tag: str | None


@dataclass(frozen=True)
class History:
    """What happens in one pool."""

    orders: tuple[Order, ...]
    slots: int
    limit: int | None
    day: int | None
    tag: int | None
    worst: int | None
    later: int | None


orders = st.builds(
    Order,
    st.lists(st.integers(0, LARGEST_STEP), min_size=1, max_size=5).map(tuple),
    st.sampled_from([None, None, 20, 60]),
    st.sampled_from([None, "night"]),
)
RICH = 100_000
some = st.sampled_from([None, 50, 120, 400, RICH])
histories = st.builds(
    History, st.lists(orders, min_size=1, max_size=10).map(tuple), st.integers(1, 4), some, some, some,
    st.sampled_from([None, 25, 60]), st.sampled_from([None, 30, 300]),
)  # fmt: skip


def appends(recorded: list[Recorded]) -> list[list[Fact]]:
    """The facts of each append: those that one command brought about."""
    runs = itertools.groupby(recorded, key=lambda each: (each.meta.command_id, each.meta.recorded_at))
    return [[Fact(each.stream, each.event) for each in run] for _, run in runs]


def audited(running: Running) -> list[FundsSettled]:
    """Every append of the log, seen by an account of its own; the settlements."""
    recorded = list(running.store.log.read_all())
    account = Ledger()
    for facts in appends(recorded):
        account.observe(facts)
    account.check(running.world)
    return [each.event for each in recorded if isinstance(each.event, FundsSettled)]


async def answered(turn: LiveTurn) -> None:
    """What has spent all its money goes on only with more: a model's next words come after the pool's."""
    while turn.budget is not None and turn.spent >= turn.budget:  # noqa: ASYNC110
        await asyncio.sleep(0.0005)  # the interruption cancels this; the test's own bound holds


async def live_through(history: History, folder: Path) -> None:
    """All callers at once; one of them changes the limit meanwhile."""

    async def script(turn: LiveTurn) -> Outcome:
        for step in history.orders[int(turn.prompt.rpartition(" ")[2])].steps:
            await asyncio.sleep(0)
            turn.spend(step)
            if turn.budget is not None and turn.spent >= turn.budget:
                await answered(turn)
        return said("done", cost=turn.spent)

    async with scripted_pool(folder, script, history.slots, history.limit) as running:
        service, changed = running.service, asyncio.Event()
        service.on_facts(lambda _facts: changed.set())
        service.outlook.price = lambda _model, _context, _mode: Quote(3, history.worst)
        await service.handle(ledger.SetLimits("day", history.day, None), CALLER)
        await service.handle(ledger.SetLimits("tag:night", history.tag, None), CALLER)

        async def call(number: int, order: Order) -> None:
            tags = () if order.tag is None else (order.tag,)
            request = TaskRequest(f"task {number}", options=Options(max_budget=order.own), tags=tags)
            try:
                await running.application.submit(request)
            except BudgetExceeded:
                return

        async def change() -> None:
            if history.later is not None:
                await asyncio.sleep(0)
                await service.handle(ledger.SetLimits("pool", history.later, None), CALLER)

        await asyncio.gather(*(call(n, order) for n, order in enumerate(history.orders)), change())
        async with asyncio.timeout(WAIT_SECONDS):
            while running.world.running or running.world.pending:
                await changed.wait()
                changed.clear()
        settled = audited(running)
        assert max((each.overdrawn for each in settled), default=0) <= LARGEST_STEP
        if {history.limit, history.day, history.tag, history.later} <= {None, RICH}:
            unlimited = sum(order.own is None for order in history.orders)
            assert running.world.completed >= unlimited, "a task without a limit was stopped for money"
            assert not running.world.parked, "somebody waits for money where there is enough"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_no_history_of_many_callers_reserves_more_than_a_limit_or_overdraws_more_than_a_step(
    history: History,
) -> None:
    live_in_a_folder(history)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@settings(max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_none_of_thousands_of_histories_does(history: History) -> None:
    live_in_a_folder(history)


def live_in_a_folder(history: History) -> None:
    """One history, in a pool of its own."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(history, Path(folder)))
