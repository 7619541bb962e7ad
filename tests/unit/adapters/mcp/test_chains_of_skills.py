"""Skills as steps of chains, and workflows run as chains."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.skills.library import Folders, Library
from claude_pool.adapters.wiring import Running

from tests.support.scripted_pool import Wire, scripted_pool, server_of, wired

SKILL = """\
---
description: d
metadata:
  arguments: [{name: what, required: true}]
  config: {model: haiku, permission_mode: acceptEdits}
---
Do {what}. Before: {_previous_output}
"""

FLOW = """\
description: Two steps.
arguments: [{name: thing, required: true}]
steps:
  - name: first
    prompt: Look at {thing}
  - name: second
    skill: act
    arguments: {what: "{thing} <{steps.first.output}>"}
    review: false
    tags: [t]
"""


class Bench:
    """A project with one skill and one workflow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        skill = folder / "skills" / "act" / "SKILL.md"
        skill.parent.mkdir(parents=True)
        skill.write_text(SKILL)
        self.flow = folder / "flows" / "flow.yaml"
        self.flow.parent.mkdir()
        self.flow.write_text(FLOW)

    def library(self) -> Library:
        return Library(
            Folders(True, None, str(self.folder / "skills"), str(self.folder / "flows"), str(self.folder))
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def play(bench: Bench, body: Any) -> None:
    """Run `body(wire, running)` on a connection to a pool with the bench's skills and workflows."""

    async def played() -> None:
        async with scripted_pool(bench.folder, library=bench.library()) as running:
            async with wired(server_of(running)) as wire:
                await body(wire, running)

    asyncio.run(played())


async def ended(wire: Wire, chain_id: str) -> dict[str, Any]:
    """The steps of a chain that has completed, by name."""
    await wire.view("pool_wait", chain_ids=[chain_id], wait_seconds=20)
    chain = await wire.view("pool_chain_result", chain_id=chain_id)
    assert chain["state"] == "completed", chain
    return {step["name"]: step for step in chain["steps"]}


def test_a_step_may_be_a_skill(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        steps: list[dict[str, Any]] = [
            {"name": "a", "prompt": "one"},
            {"name": "b", "skill": "act", "arguments": {"what": "{steps.a.output} $0 {what}"}},
            {"name": "c", "type": "skill", "value": "act", "arguments": {"what": 3}, "needs": []},
        ]
        chain = await wire.view("pool_chain", steps=steps)
        outputs = {step["name"]: step["output"] for step in chain["steps"]}
        assert outputs == {
            "a": "echo: one",
            "b": "echo: Do echo: one $0 {what}. Before: echo: one",
            "c": "echo: Do 3. Before: ",
        }
        got = await wire.view("pool_skill_get", name="act")
        tasks = {
            step["name"]: await wire.view("pool_result", task_id=step["task_id"]) for step in chain["steps"]
        }
        assert [tasks[name].get("skill") for name in "abc"] == [None, got["label"], got["label"]]

    play(bench, body)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"skill": "act"}, "[invalid_argument] steps.1.arguments.what: act needs it"),
        (
            {"skill": "ac", "arguments": {"what": "x"}},
            "[not_found] There is no skill 'ac'. Did you mean 'act'?",
        ),
        ({"skill": "act", "prompt": "p"}, "[invalid_argument] steps.1: say the step's prompt, or a skill"),
        ({"prompt": "p", "arguments": {"a": "b"}}, "[invalid_argument] steps.1: arguments belong to a skill"),
        ({"skill": "act", "arguments": {"what": "{steps.x.output}"}}, "[invalid_argument] steps.1.prompt: "),
    ],
)
def test_a_wrong_skill_step_is_refused_by_its_place(bench: Bench, step: dict[str, Any], told: str) -> None:
    async def body(wire: Wire, running: Running) -> None:
        steps = [{"name": "a", "prompt": "one"}, {"name": "b", **step}]
        assert (await wire.refusal("pool_submit_chain", steps=steps)).startswith(told)
        assert running.world.tasks == {}

    play(bench, body)


def test_one_wrong_skill_does_not_hide_other_chains(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        chains = [
            {"steps": [{"name": "a", "skill": name, "arguments": {"what": "x"}}]} for name in ("no", "act")
        ]
        answer = await wire.view("pool_fan_out_chains", chains=chains)
        assert [each["chain_id"] is None for each in answer["results"]] == [True, False]

    play(bench, body)


def test_a_workflow_runs_as_a_chain_whose_later_steps_see_earlier_ones(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        answer = await wire.view("pool_invoke_workflow", workflow="flow", arguments={"thing": "tea"})
        assert answer["workflow"] == "flow"
        steps = await ended(wire, answer["chain_id"])
        assert steps["second"]["output"] == ("echo: Do tea <echo: Look at tea>. Before: echo: Look at tea")

    play(bench, body)


def test_an_argument_of_a_workflow_adds_no_placeholder(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        answer = await wire.view(
            "pool_invoke_workflow",
            workflow="flow",
            arguments={"thing": "{previous_output}{steps.first.output}"},
        )
        steps = await ended(wire, answer["chain_id"])
        broken = "{\u200bprevious_output}{\u200bsteps.first.output}"
        assert steps["first"]["output"] == f"echo: Look at {broken}"
        assert steps["second"]["output"].startswith(f"echo: Do {broken} <")

    play(bench, body)


BUILTIN = [
    ("issue_to_pr", {"issue_url": "#7"}, "implement_solution", "analyze_issue"),
    ("refactor_and_test", {"target_file": "a.py", "refactor_goal": "g"}, "verify_quality", "update_tests"),
    ("review_and_fix", {"review_target": "a.py"}, "apply_fixes", "review"),
]


@pytest.mark.parametrize(("workflow", "arguments", "later", "earlier"), BUILTIN)
def test_a_built_in_workflow_runs(
    bench: Bench, workflow: str, arguments: dict[str, str], later: str, earlier: str
) -> None:
    async def body(wire: Wire, _: Running) -> None:
        answer = await wire.view("pool_invoke_workflow", workflow=workflow, arguments=arguments)
        steps = await ended(wire, answer["chain_id"])
        assert steps[earlier]["output"][:200] in steps[later]["output"]

    play(bench, body)


def test_one_key_is_one_chain(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        call = {"workflow": "flow", "arguments": {"thing": "tea"}, "idempotency_key": "k"}
        first = await wire.view("pool_invoke_workflow", **call)
        again = await wire.view("pool_invoke_workflow", **call)
        other = await wire.refusal("pool_invoke_workflow", **{**call, "arguments": {"thing": "milk"}})
        assert first == again
        assert other.startswith("[idempotency_conflict]")

    play(bench, body)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"workflow": "flwo", "arguments": {}},
            "[not_found] There is no workflow 'flwo'. Did you mean 'flow'?",
        ),
        ({"workflow": "flow"}, "[invalid_argument] arguments.thing: flow needs it"),
        ({"workflow": "flow", "arguments": {"thing": "x", "y": "z"}}, "[invalid_argument] arguments.y: "),
        (
            {"workflow": "flow", "arguments": {"thing": "x"}, "isolation": "vm"},
            "[invalid_argument] isolation: ",
        ),
        ({"workflow": "flow", "arguments": {"thing": "x"}, "merge": "ff"}, "[invalid_argument] merge: "),
    ],
)
def test_a_wrong_invocation_is_refused(bench: Bench, given: dict[str, Any], told: str) -> None:
    async def body(wire: Wire, _: Running) -> None:
        assert (await wire.refusal("pool_invoke_workflow", **given)).startswith(told)

    play(bench, body)


def test_a_workflow_has_no_more_rights_than_its_caller(bench: Bench) -> None:
    bench.flow.write_text(
        "description: d\nsteps:\n  - name: a\n    prompt: p\n    permission_mode: bypassPermissions\n"
    )

    async def body(wire: Wire, _: Running) -> None:
        told = await wire.refusal("pool_invoke_workflow", workflow="flow")
        assert told.startswith("[invalid_argument] steps.0.permission_mode: bypassPermissions is more")

    play(bench, body)
