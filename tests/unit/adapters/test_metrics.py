"""What a period's tasks came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import Wire, use_pool


async def by_prompt(turn: LiveTurn) -> Outcome:
    """Costs what the prompt says."""
    return said("done", cost=int(turn.prompt), model=f"model-{turn.prompt}")


def metrics(folder: Path, *costs: int, **only: Any) -> dict[str, Any]:
    """The metrics after tasks that cost so much."""

    async def what(wire: Wire) -> dict[str, Any]:
        for cost in costs:
            await wire.view("pool_run", prompt=str(cost))
        return await wire.view("pool_session_metrics", **only)

    return use_pool(folder, what, by_prompt)


def test_money_turns_and_times_have_sums_averages_and_bounds(tmp_path: Path) -> None:
    seen = metrics(tmp_path, 100, 300)
    assert (seen["cost_microdollars"], seen["avg_cost_microdollars"], seen["max_cost_microdollars"]) == (
        400,
        200,
        300,
    )
    assert (seen["total_turns"], seen["avg_turns"]) == (2, 1.0)
    assert 0 <= seen["min_elapsed_ms"] <= seen["median_elapsed_ms"] <= seen["max_elapsed_ms"]


def test_the_dearest_model_comes_first(tmp_path: Path) -> None:
    seen = metrics(tmp_path, 100, 300, 100)
    shown = [
        (each["model"], each["task_count"], each["cost_microdollars"]) for each in seen["model_breakdown"]
    ]
    assert shown == [("model-300", 1, 300), ("model-100", 2, 200)]


def test_a_period_without_tasks_has_no_averages(tmp_path: Path) -> None:
    seen = metrics(tmp_path, 100, until=0)
    assert (seen["total_tasks"], seen["avg_turns"], seen["min_elapsed_ms"], seen["model_breakdown"]) == (
        0,
        0.0,
        0,
        [],
    )


def test_every_attempt_counts_also_of_a_task_that_has_not_ended(tmp_path: Path) -> None:
    async def twice(turn: LiveTurn) -> Outcome:
        return said(
            "done", cost=100 if turn.turn.attempt.endswith(".1") else 40, model=f"m{turn.turn.attempt[-1]}"
        )

    async def what(wire: Wire) -> dict[str, Any]:
        view = await wire.view("pool_submit_with_review", prompt="x")
        view = await wire.view("pool_wait", task_ids=[view["task_id"]])
        task_id = view["tasks"][0]["task_id"]
        await wire.view("pool_reject_result", task_id=task_id, feedback="again")
        await wire.view("pool_wait", task_ids=[task_id], cursor=view["cursor"])
        return await wire.view("pool_session_metrics")

    seen = use_pool(tmp_path, what, twice)
    assert (seen["pending_review_tasks"], seen["task_count"], seen["attempt_count"]) == (1, 1, 2)
    assert (seen["cost_microdollars"], seen["max_cost_microdollars"]) == (140, 140)
    assert (seen["p50_cost_microdollars"], seen["p95_cost_microdollars"]) == (40, 100)
    assert [(each["model"], each["cost_microdollars"]) for each in seen["model_breakdown"]] == [
        ("m1", 100),
        ("m2", 40),
    ]


def test_metrics_can_be_those_of_one_model(tmp_path: Path) -> None:
    assert metrics(tmp_path, 100, 300, model="model-100")["cost_microdollars"] == 100
