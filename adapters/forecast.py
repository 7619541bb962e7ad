"""What callers are told of the queue's future: the domain's forecast, in their words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from claude_pool.domain.forecast import LEAST_RUNS, Forecast, NoForecast, Spread, prepare, with_slots
from claude_pool.domain.histories import History, Sample
from claude_pool.domain.simulation import Fate, Queue
from claude_pool.domain.workload import workload
from claude_pool.domain.world import World

from .views import View, usd

_SEED = 0
"""The same pool at the same moment gets the same forecast."""
_SECONDS = 2.0
"""After so long no further course is begun, once there are enough."""
_BREATH_SECONDS = 0.0005
"""So long other threads have the interpreter to themselves after each course."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The pool as it is, but for so many slots, or so much (microdollars) as its limit."""

    slots: int | None = None
    limit: int | None = None


AS_IT_IS = WhatIf()


def still(world: World) -> World:
    """`world` as it is now, for another thread: what is folded afterwards does not change it."""
    seen = copy(world)
    seen.slots, seen.tasks = dict(world.slots), dict(world.tasks)
    seen.chains, seen.ranks = dict(world.chains), dict(world.ranks)
    return seen


def foreseen(
    world: World,
    samples: Sequence[Sample],
    now: int,
    *,
    owned: bool,
    what_if: WhatIf = AS_IT_IS,
    beside_others: bool = False,
) -> Forecast | NoForecast:
    """What will become of the queue from `now` (ms) on. Takes up to a few seconds of a thread.

    `samples` are tasks that ended, the latest first; `owned` says whether an owner is at work;
    `beside_others`: other threads of this process have to go on meanwhile.
    """
    queue = _changed(workload(world, now, owned), world, what_if)
    prepared = prepare(History(samples), queue, now, _SEED)
    if isinstance(prepared, NoForecast):
        return prepared
    return prepared.concluded(_in_time(prepared.courses(), _BREATH_SECONDS if beside_others else 0))


def _changed(queue: Queue, world: World, what_if: WhatIf) -> Queue:
    if what_if.slots is not None:
        queue = with_slots(queue, what_if.slots)
    if what_if.limit is not None:
        queue = replace(queue, unspent=max(0, what_if.limit - world.open_pool().budget.spent))
    return queue


def _in_time(courses: Iterable[Fate], pause: float) -> list[Fate]:
    end = time.monotonic() + _SECONDS
    found: list[Fate] = []
    for course in courses:
        found.append(course)
        if len(found) >= LEAST_RUNS and time.monotonic() > end:
            break
        time.sleep(pause)
    return found


def forecast_view(found: Forecast | NoForecast) -> View:
    """A forecast with everything that it rests on; or the `reason` why there is none."""
    if isinstance(found, NoForecast):
        return {**brief_view(found), "tasks": found.tasks}
    return {
        **brief_view(found),
        "tasks": found.tasks,
        "left_out_tasks": found.left_out,
        "unplaced_tasks": found.unplaced,
        "runs": found.runs,
        "basis": [
            {"like": each.likeness, "tasks": each.tasks, "samples": each.samples} for each in found.bases
        ],
    }


def brief_view(found: Forecast | NoForecast) -> View:
    """When the queue is done, what it costs and when the money is spent, in half and nine tenths of all
    courses; or the `reason` why nothing is said."""
    if isinstance(found, NoForecast):
        return {"finish": None, "spend": None, "dry_out": None, "reason": found.reason}
    dry = found.dry_out
    return {
        "at": found.at,
        "at_iso": _iso(found.at),
        "finish": _moments(found.finish.p50, found.finish.p90),
        "spend": _money(found.spend),
        "dry_out": None if dry is None else {**_moments(dry.p50, dry.p90), "share": round(dry.share, 4)},
        "unpaid_tasks": {"p50": found.unpaid.p50, "p90": found.unpaid.p90},
        "assumes": list(found.assumes),
        "reason": None,
    }


def _moments(p50: int | None, p90: int | None) -> View:
    return {"p50": p50, "p90": p90, "p50_iso": _iso(p50), "p90_iso": _iso(p90)}


def _money(spread: Spread) -> View:
    return {
        "p50_usd": usd(spread.p50),
        "p90_usd": usd(spread.p90),
        "p50_microdollars": spread.p50,
        "p90_microdollars": spread.p90,
    }


def _iso(milliseconds: int | None) -> str | None:
    """The time by UTC; None where it is beyond all dates."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None
