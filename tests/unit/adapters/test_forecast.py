"""The forecast of a pool at work, in the budget's answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from claude_pool.adapters.forecast import WhatIf, brief_view, forecast_view, foreseen, still
from claude_pool.domain.forecast import Forecast, NoForecast, Spread
from claude_pool.domain.histories import Sample, Traits
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import Outcome

from tests.support.domain_story import NOW, end, submit, warmed
from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import Wire, use_pool

ENDED = [Sample(Traits(), 60_000, 2_000)] * 5


async def stays(turn: LiveTurn) -> Outcome:
    """Costs $0.0005, unless the prompt says that it shall go on."""
    if turn.prompt == "stay":
        await asyncio.Event().wait()
    return said("done", cost=500)


def budget(folder: Path, *prompts: str, waiting: int = 0, **pool: Any) -> dict[str, Any]:
    """The budget's answer after these tasks, and with so many that wait behind one that stays."""

    async def what(wire: Wire) -> dict[str, Any]:
        for prompt in prompts:
            await wire.view("pool_run", prompt=prompt)
        for number in range(waiting):
            await wire.view("pool_submit", prompt="stay" if number == 0 else "work")
        return await wire.view("pool_budget")

    return use_pool(folder, what, stays, slots=1, **pool)


def test_the_budget_tells_what_the_queue_will_cost_and_when_it_ends(tmp_path: Path) -> None:
    found = budget(tmp_path, *["work"] * 5, waiting=3, limit=1_000_000)
    forecast = found["forecast"]
    assert (found["spent_microdollars"], forecast["reason"]) == (2_500, None)
    assert 1_500 <= forecast["spend"]["p50_microdollars"] <= forecast["spend"]["p90_microdollars"] <= 2_000
    assert forecast["finish"]["p50"] <= forecast["finish"]["p90"]
    assert forecast["dry_out"]["share"] == 0


def test_the_budget_of_a_young_pool_says_why_there_is_no_forecast(tmp_path: Path) -> None:
    forecast = budget(tmp_path, "work", waiting=1)["forecast"]
    assert forecast["finish"] is None and "a forecast needs 5" in forecast["reason"]


def test_what_happens_meanwhile_does_not_change_what_is_looked_at() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    first, _ = submit(story, 0), submit(story, 1)
    story.settle()
    seen = still(story.world)
    before = foreseen(seen, ENDED, NOW, owned=True)
    end(story, first)
    story.settle()
    submit(story, 2)
    submit(story, 3)
    assert foreseen(seen, ENDED, NOW, owned=True) == before
    assert foreseen(story.world, ENDED, NOW, owned=True) != before


def test_more_slots_or_money_can_be_imagined() -> None:
    story = warmed(Settings(slots=1, session="slot"), limit=5_000)
    for number in range(4):
        submit(story, number)
    found = {
        what_if: forecast_view(foreseen(story.world, ENDED, NOW, owned=True, what_if=what_if))
        for what_if in (WhatIf(), WhatIf(slots=2), WhatIf(limit=9_000), WhatIf(limit=1))
    }
    spends = [view["spend"]["p50_microdollars"] for view in found.values()]
    assert spends == [5_000, 5_000, 8_000, 1]
    finish = [view["finish"]["p50"] - NOW for view in found.values()]
    assert finish[:3] == [150_000, 75_000, 240_000] and finish[3] < 1_000


def test_a_time_beyond_all_dates_has_no_date() -> None:
    far = Spread(10**17, 10**17, 10**17)
    none = Spread(0, 0, 0)
    view = brief_view(Forecast(0, far, none, None, none, 1, 1, (), 0, 0, ()))
    assert (view["finish"]["p50"], view["finish"]["p50_iso"]) == (10**17, None)
    assert brief_view(NoForecast("why", 1))["reason"] == "why"
