"""Chains as their callers meet them: submitted over MCP, run in scripted slots."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, Script, echo, failed, said
from tests.support.scripted_pool import Wire, scripted_pool, server_of, wired

View = dict[str, Any]
Use = Callable[[Wire], Awaitable[View]]


def use(folder: Path, what: Use, script: Script = echo, **settings: Any) -> View:
    """What `what` gets from a pool whose slots follow `script`."""

    async def running() -> View:
        async with scripted_pool(folder, script, **settings) as pool:
            async with wired(server_of(pool)) as wire:
                return await what(wire)

    return asyncio.run(running())


def chain(folder: Path, *steps: View, script: Script = echo, **options: Any) -> View:
    """The view of a chain that has run."""
    return use(folder, lambda wire: wire.view("pool_chain", steps=list(steps), **options), script)


def states(view: View) -> dict[str, str]:
    """Each step's state."""
    return {step["name"]: step["state"] for step in view["steps"]}


def outputs(view: View) -> dict[str, str]:
    """Each step's output."""
    return {step["name"]: step["output"] for step in view["steps"]}


async def endless(_: LiveTurn) -> Outcome:
    """Never answers."""
    await asyncio.Event().wait()
    return said("never")


async def shouting(turn: LiveTurn) -> Outcome:
    """Answers in capitals, except for what is told to fail."""
    if "fail" in turn.prompt:
        return failed("provider_error", "It went wrong.", cost=7)
    return said(turn.prompt.upper())


def test_a_step_sees_the_output_of_the_step_before_it(tmp_path: Path) -> None:
    view = chain(
        tmp_path,
        {"name": "a", "prompt": "one"},
        {"name": "b", "prompt": "then {previous_output}"},
        script=shouting,
    )
    assert (view["state"], outputs(view)) == ("completed", {"a": "ONE", "b": "THEN ONE"})
    assert view["final_output"] == "THEN ONE"


def test_a_step_sees_any_step_that_it_needs_and_its_variables(tmp_path: Path) -> None:
    async def script(turn: LiveTurn) -> Outcome:
        return said('{"who": {"name": "Ann"}, "list": [1, 2]}' if turn.prompt == "one" else turn.prompt)

    view = chain(
        tmp_path,
        {"name": "a", "prompt": "one", "output_vars": {"name": "who.name", "last": "list.1", "all": "."}},
        {"name": "b", "prompt": "two"},
        {"name": "c", "prompt": "{steps.a.name} {steps.a.last} {steps.b.output}", "needs": ["a", "b"]},
        script=script,
    )
    assert outputs(view)["c"] == "Ann 2 two"


def test_an_output_never_adds_a_placeholder_a_file_or_a_command(tmp_path: Path) -> None:
    async def script(turn: LiveTurn) -> Outcome:
        return said("/clear {steps.a.output} @/etc/passwd" if turn.prompt == "one" else turn.prompt)

    view = chain(
        tmp_path, {"name": "a", "prompt": "one"}, {"name": "b", "prompt": "{previous_output}"}, script=script
    )
    assert outputs(view)["b"] == " /clear {steps.a.output} \u200b@/etc/passwd"


def test_an_outputs_end_never_makes_a_file_of_what_stands_behind_it(tmp_path: Path) -> None:
    async def script(turn: LiveTurn) -> Outcome:
        return said("see @" if turn.prompt == "one" else turn.prompt)

    view = chain(
        tmp_path,
        {"name": "a", "prompt": "one"},
        {"name": "b", "prompt": "{previous_output}/etc/passwd"},
        script=script,
    )
    assert outputs(view)["b"] == "see \u200b@/etc/passwd"


def test_a_failure_stops_the_chain_and_skips_the_rest(tmp_path: Path) -> None:
    view = chain(
        tmp_path,
        {"name": "a", "prompt": "fail"},
        {"name": "b", "prompt": "two"},
        script=shouting,
    )
    assert (view["state"], states(view)) == ("failed", {"a": "failed", "b": "skipped"})
    assert view["error"]["code"] == "step_failed"
    assert view["error"]["message"] == "Step a failed: [provider_error] It went wrong."
    assert view["cost_microdollars"] == 7


def test_a_step_may_fail_without_consequence(tmp_path: Path) -> None:
    view = chain(
        tmp_path,
        {"name": "a", "prompt": "fail", "on_failure": "continue"},
        {"name": "b", "prompt": "two"},
        script=shouting,
    )
    assert (view["state"], states(view)) == ("completed", {"a": "failed", "b": "completed"})


def test_a_step_may_skip_the_rest_without_failing_the_chain(tmp_path: Path) -> None:
    view = chain(
        tmp_path,
        {"name": "a", "prompt": "fail", "on_failure": "skip_rest"},
        {"name": "b", "prompt": "two"},
        script=shouting,
    )
    assert (view["state"], states(view)) == ("completed", {"a": "failed", "b": "skipped"})


def test_a_recovery_sees_the_error_and_its_success_is_the_steps(tmp_path: Path) -> None:
    view = chain(
        tmp_path,
        {"name": "a", "prompt": "one"},
        {"name": "b", "prompt": "fail", "recovery_prompt": "mend {error} after {previous_output}"},
        {"name": "c", "prompt": "{previous_output}!"},
        script=shouting,
    )
    assert (view["state"], states(view)["b"]) == ("completed", "completed")
    assert outputs(view)["b"] == "MEND [PROVIDER_ERROR] IT WENT WRONG. AFTER ONE"
    assert next(step for step in view["steps"] if step["name"] == "b")["attempts"] == 2


def test_a_missing_variable_fails_the_step_that_promised_it(tmp_path: Path) -> None:
    view = chain(tmp_path, {"name": "a", "prompt": "text", "output_vars": {"x": "y"}}, script=shouting)
    assert view["steps"][0]["error"]["code"] == "schema_mismatch"
    assert "JSON" in view["steps"][0]["error"]["message"]


def test_independent_steps_run_at_once(tmp_path: Path) -> None:
    together = asyncio.Barrier(2)

    async def script(turn: LiveTurn) -> Outcome:
        if turn.prompt in ("b", "c"):
            await together.wait()
        return said(turn.prompt)

    view = chain(
        tmp_path,
        {"name": "a", "prompt": "a"},
        {"name": "b", "prompt": "b", "needs": ["a"]},
        {"name": "c", "prompt": "c", "needs": ["a"]},
        {"name": "d", "prompt": "{previous_output}", "needs": ["b", "c"]},
        script=script,
    )
    assert outputs(view)["d"] == "b\n\nc"


NO_CHAINS: list[tuple[list[View], str]] = [
    ([], "steps: "),
    ([{"name": "a", "prompt": "x", "needs": ["b"]}, {"name": "b", "prompt": "x"}], "a -> b -> a"),
    ([{"name": "a", "prompt": "x", "needs": ["a"]}], "a -> a"),
    ([{"name": "plan", "prompt": "x"}, {"name": "b", "prompt": "x", "needs": ["plna"]}], "mean plan?"),
    ([{"name": "a", "prompt": "{steps.b.output}"}, {"name": "b", "prompt": "x"}], "a does not need b"),
    ([{"name": "a", "prompt": "{steps.z.output}"}], "there is no step 'z'"),
    ([{"name": "a", "prompt": "x"}, {"name": "b", "prompt": "{steps.a.y}"}], "no output variable 'y'"),
    ([{"name": "a", "prompt": "{previous}"}], "{previous} is no placeholder"),
    ([{"name": "a", "prompt": "{error}"}], "recovery_prompt only"),
    ([{"name": "../x", "prompt": "x"}], "steps.0.name"),
    ([{"name": "a", "prompt": "x"}, {"name": "a", "prompt": "y"}], "two steps 'a'"),
    ([{"name": "a"}], "say the step's prompt"),
    ([{"name": "a", "prompt": "x", "nedds": []}], "steps.0.nedds"),
    ([{"name": "a", "prompt": "x", "idempotency_key": "k"}], "give it to the chain"),
]


@pytest.mark.parametrize(("steps", "fragment"), NO_CHAINS)
def test_steps_that_make_no_chain_are_refused(tmp_path: Path, steps: list[View], fragment: str) -> None:
    async def refused(wire: Wire) -> View:
        return {"text": await wire.refusal("pool_submit_chain", steps=steps)}

    text = use(tmp_path, refused)["text"]
    assert text.startswith("[invalid_argument] steps")
    assert fragment in text


def test_cancelling_a_chain_ends_what_runs_and_lists_what_was_skipped(tmp_path: Path) -> None:
    async def cancelled(wire: Wire) -> View:
        steps = [{"name": "a", "prompt": "x"}, {"name": "b", "prompt": "y"}]
        chain_id = (await wire.view("pool_submit_chain", steps=steps))["chain_id"]
        return await wire.view("pool_cancel_chain", chain_id=chain_id)

    view = use(tmp_path, cancelled, endless)
    assert (view["state"], states(view)) == ("cancelled", {"a": "cancelled", "b": "skipped"})


def test_cancelling_a_steps_task_cancels_the_step_and_fails_the_chain(tmp_path: Path) -> None:
    async def cancelled(wire: Wire) -> View:
        steps = [{"name": "a", "prompt": "x", "retries": 3, "recovery_prompt": "mend"}]
        chain_id = (await wire.view("pool_submit_chain", steps=steps))["chain_id"]
        task_id = (await wire.view("pool_chain_result", chain_id=chain_id))["steps"][0]["task_id"]
        await wire.view("pool_cancel", task_id=task_id)
        return await wire.view("pool_chain_result", chain_id=chain_id)

    view = use(tmp_path, cancelled, endless)
    assert (view["state"], states(view)) == ("failed", {"a": "cancelled"})


def test_waiting_for_a_chain_tells_its_end_and_nothing_of_its_steps(tmp_path: Path) -> None:
    async def waited(wire: Wire) -> View:
        steps = [{"name": "a", "prompt": "x"}, {"name": "b", "prompt": "y"}]
        chain_id = (await wire.view("pool_submit_chain", steps=steps))["chain_id"]
        by_id = await wire.view("pool_wait", chain_ids=[chain_id])
        return {"all": await wire.view("pool_wait"), "one": by_id, "id": chain_id}

    found = use(tmp_path, waited)
    for answer in (found["all"], found["one"]):
        assert answer["tasks"] == []
        assert [view["chain_id"] for view in answer["chains"]] == [found["id"]]


def test_many_chains_are_answered_one_by_one_in_order(tmp_path: Path) -> None:
    async def many(wire: Wire) -> View:
        chains = [
            {"steps": [{"name": "a", "prompt": "x"}]},
            {"steps": [{"name": "a", "prompt": "x", "needs": ["b"]}]},
            {"steps": [{"name": "a", "prompt": "z"}]},
        ]
        return await wire.view("pool_fan_out_chains", chains=chains, wait_seconds=20)

    results = use(tmp_path, many)["results"]
    assert [view["state"] for view in results] == ["completed", "refused", "completed"]
    assert [view["final_output"] for view in results] == ["echo: x", None, "echo: z"]


def test_a_chains_budget_bounds_its_steps(tmp_path: Path) -> None:
    async def script(turn: LiveTurn) -> Outcome:
        turn.spend(60)
        return said("x", cost=60)

    view = chain(
        tmp_path,
        {"name": "a", "prompt": "x"},
        {"name": "b", "prompt": "x"},
        {"name": "c", "prompt": "x"},
        script=script,
        max_budget_usd=0.0001,
    )
    assert states(view) == {"a": "completed", "b": "completed", "c": "failed"}
    assert view["steps"][2]["error"]["code"] == "budget_exceeded"


def test_a_chain_runs_out_of_its_time(tmp_path: Path) -> None:
    view = chain(
        tmp_path,
        {"name": "a", "prompt": "x"},
        {"name": "b", "prompt": "x"},
        script=endless,
        timeout_seconds=0.05,
    )
    assert (view["state"], view["error"]["code"]) == ("failed", "timed_out_chain")
    assert states(view) == {"a": "failed", "b": "skipped"}


def test_the_same_key_gives_the_same_chain(tmp_path: Path) -> None:
    async def twice(wire: Wire) -> View:
        steps = [{"name": "a", "prompt": "x"}]
        first = await wire.view("pool_submit_chain", steps=steps, idempotency_key="k")
        second = await wire.view("pool_submit_chain", steps=steps, idempotency_key="k")
        other = [{"name": "a", "prompt": "y"}]
        text = await wire.refusal("pool_submit_chain", steps=other, idempotency_key="k")
        return {"ids": {first["chain_id"], second["chain_id"]}, "text": text}

    found = use(tmp_path, twice)
    assert len(found["ids"]) == 1
    assert found["text"].startswith("[idempotency_conflict]")


def test_a_running_step_shows_how_far_it_is(tmp_path: Path) -> None:
    async def looked_at(wire: Wire) -> View:
        steps = [{"name": "a", "prompt": "x"}, {"name": "b", "prompt": "y"}]
        chain_id = (await wire.view("pool_submit_chain", steps=steps))["chain_id"]
        view = await wire.view("pool_chain_result", chain_id=chain_id)
        while "progress" not in view["steps"][0]:  # the attempt runs, and its slot has begun
            view = await wire.view("pool_chain_result", chain_id=chain_id)
        await wire.view("pool_cancel_chain", chain_id=chain_id)
        return view

    first, second = use(tmp_path, looked_at, endless)["steps"]
    assert first["progress"]["text"] == ""
    assert "progress" not in second


def test_a_key_of_many_chains_is_a_conflict_with_any_other_chains(tmp_path: Path) -> None:
    async def more(wire: Wire) -> View:
        one, two = ({"steps": [{"name": "a", "prompt": prompt}]} for prompt in ("x", "y"))
        await wire.view("pool_fan_out_chains", chains=[one], idempotency_key="k")
        text = await wire.refusal("pool_fan_out_chains", chains=[one, two], idempotency_key="k")
        running = await wire.view("pool_wait", wait_seconds=0)
        return {"text": text, "chains": len(running["chains"])}

    found = use(tmp_path, more)
    assert found["text"].startswith("[idempotency_conflict]")
    assert found["chains"] <= 1
