"""Measure what a forecast costs: processor time by the length of the queue, and how long an owner stalls.

    python tools/bench/forecast.py           queues of 100, 1,000 and 10,000 tasks
    python tools/bench/forecast.py --quick   up to 1,000 tasks, for CI

The history are 1,000 tasks of skewed length and cost. A queue is played in one of two ways: by order alone,
or in full where tasks have limits, slots or steps of their own. While a forecast is made in a thread, a loop
notes how late its timer of 1 ms rings; the baseline is the same loop beside a thread that sleeps as long.
Exits 1 where a target is missed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from random import Random

from claude_pool.adapters.forecast import foreseen, still
from claude_pool.domain.forecast import Forecast
from claude_pool.domain.histories import Sample, Traits
from claude_pool.domain.pool_events import BudgetOpened, PoolOpened
from claude_pool.domain.task_events import TaskSubmitted
from claude_pool.domain.values import Options, TaskSpec, Text
from claude_pool.domain.world import World
from tables import Row, Table, arguments, measured, ms

CPU_SECONDS = 1.0
"""A forecast of 1,000 waiting tasks takes no more processor time than this."""
STALL_SECONDS = 0.05
"""So long at most the owner's loop stands still for one."""

NOW = 1_800_000_000_000
PLAIN, FUNDED, LIMITED = "by order", "by order, money ends", "in full, own limits"


def history(size: int) -> list[Sample]:
    """Tasks that ended, half of them in less than 20 s."""
    chance = Random(1)
    lengths = [int(chance.lognormvariate(9.9, 1.0)) for _ in range(size)]
    return [Sample(Traits("sonnet"), ran_ms, ran_ms // 3) for ran_ms in lengths]


def queue(waiting: int, kind: str) -> World:
    """A pool of two slots, before any owner, with so many tasks to do."""
    world = World()
    budget = {PLAIN: None, FUNDED: waiting * 5_000, LIMITED: waiting * 50_000}[kind]
    world.apply(1, "pool", 1, PoolOpened("pool-1", NOW))
    world.apply(2, "pool", 2, BudgetOpened(budget))
    options = Options(model="sonnet", max_budget=50_000 if kind == LIMITED else None)
    for number in range(waiting):
        task_id = f"task-{number:016d}"
        spec = TaskSpec(Text(inline="work", size=4), options)
        world.apply(3 + number, task_id, 1, TaskSubmitted(task_id, spec, "f", NOW))
    return world


def made(world: World, samples: list[Sample], beside_others: bool = False) -> Forecast:
    """The forecast."""
    found = foreseen(world, samples, NOW, owned=False, beside_others=beside_others)
    assert isinstance(found, Forecast)
    return found


async def latest(work: Callable[[], object]) -> tuple[float, float]:
    """How late (seconds) a timer of 1 ms rang at worst while a thread did `work`; how long that took."""
    begun = time.perf_counter()
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    worst = 0.0
    while not doing.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - before - 0.001)
    await doing
    return worst, time.perf_counter() - begun


async def looked_at(world: World, samples: list[Sample]) -> tuple[float, float, float]:
    """How long the loop itself takes to look, and `latest` for the rest."""
    before = time.perf_counter()
    seen = still(world)
    looked = time.perf_counter() - before
    worst, whole = await latest(lambda: made(seen, samples, beside_others=True))
    return looked, worst, whole


def work() -> int:
    """Run the benchmark."""
    given = arguments(__doc__ or "")
    table = Table(given.json, "thread asleep")
    samples = history(1_000)
    for waiting in (100, 1_000) if given.quick else (100, 1_000, 10_000):
        for kind in (PLAIN, FUNDED, LIMITED):
            world = queue(waiting, kind)
            before = time.process_time()
            found = made(world, samples)
            spent = time.process_time() - before
            bound = waiting == 1_000
            target = f"<= {CPU_SECONDS:g} s CPU" if bound else ""
            met = spent <= CPU_SECONDS if bound else None
            what = f"{waiting:,} tasks, {kind} ({found.runs} courses)"
            table.add(Row(what, ms(spent), target=target, met=met))
    world = queue(1_000, PLAIN)
    looked, worst, whole = asyncio.run(looked_at(world, samples))
    asleep, _ = asyncio.run(latest(lambda: time.sleep(whole)))
    table.add(Row("1,000 tasks: the loop looks", ms(looked)))
    table.add(
        Row(
            "1,000 tasks: the loop's latest timer meanwhile",
            ms(worst),
            ms(asleep),
            target=f"<= {ms(STALL_SECONDS)}",
            met=worst <= STALL_SECONDS,
        )
    )
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(work))
