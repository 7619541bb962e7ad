"""Workflows: what is read, what is refused, and that a later step sees what an earlier one said."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from claude_pool.adapters.skills.faults import Fault
from claude_pool.adapters.skills.library import Folders, Library
from claude_pool.adapters.skills.workflows import parse_workflow
from claude_pool.domain.errors import InvalidArgument, NotFound
from claude_pool.domain.skills import SkillArgument, Source
from claude_pool.domain.workflows import Value

HEAD = "description: Flows.\nsteps:\n"
STEP = HEAD + "  - name: a\n    prompt: p\n"


def fault(text: str) -> tuple[int, str]:
    with pytest.raises(Fault) as found:
        parse_workflow(text, "flow")
    return found.value.line, found.value.problem


def steps(library: Library, name: str, **arguments: str) -> dict[str, dict[str, Value]]:
    found = asyncio.run(library.instantiate(name, arguments))
    return {str(step["name"]): step for step in found}


def test_a_workflow_with_everything() -> None:
    workflow = parse_workflow(
        """
description: Flows.
arguments:
  - name: what
    description: A thing.
    required: true
steps:
  - name: plan
    skill: summarize
    arguments: {target: "{what}"}
    tags: [t]
    max_budget_usd: 0.5
  - name: act
    prompt: "Do {steps.plan.output}"
    needs: [plan]
    retries: 2
    backoff: 1.5
    recovery_prompt: "{error}"
    on_failure: continue
    output_vars: {size: result.size}
    review: true
    timeout_seconds: 60
    json_schema: {type: object, minProperties: 1}
""",
        "flow",
    )

    assert (workflow.name, workflow.arguments) == ("flow", (SkillArgument("what", "A thing.", True),))
    assert workflow.steps == (
        {
            "name": "plan",
            "skill": "summarize",
            "arguments": {"target": "{what}"},
            "tags": ["t"],
            "max_budget_usd": 0.5,
        },
        {
            "name": "act",
            "prompt": "Do {steps.plan.output}",
            "needs": ["plan"],
            "retries": 2,
            "backoff": 1.5,
            "recovery_prompt": "{error}",
            "on_failure": "continue",
            "output_vars": {"size": "result.size"},
            "review": True,
            "timeout_seconds": 60.0,
            "json_schema": {"type": "object", "minProperties": 1},
        },
    )


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "is empty"),
        ("- a", 1, "a workflow should be a mapping"),
        ("steps: []", 1, "needs description"),
        ("description: d", 1, "needs steps"),
        ("name: ../x\n" + STEP, 1, "cannot be named '../x'"),
        ("desription: d\n" + STEP, 1, "a workflow has no key 'desription'; did you mean 'description'?"),
        (HEAD[:-1] + " []", 2, "has 0 steps"),
        (HEAD + "  - name: a\n    promt: p", 4, "a step has no key 'promt'; did you mean 'prompt'?"),
        (HEAD + "  - name: a\n    name: b\n    prompt: p", 4, "has the key 'name' twice, first in line 3"),
        (HEAD + "  - prompt: p", 3, "has a step without a name"),
        (HEAD + "  - name: a b\n    prompt: p", 3, "has a step named 'a b'"),
        (STEP + "  - name: a\n    prompt: p", 5, "has two steps named a, first in line 3"),
        (HEAD + "  - name: a", 3, "step a needs either a prompt or a skill"),
        (STEP + "    skill: s", 3, "step a needs either a prompt or a skill"),
        (STEP + "    arguments: {x: y}", 5, "has arguments without a skill"),
        (STEP + "    needs: [b]", 5, "needs 'b', which is no step before it"),
        (STEP + "    retries: many", 5, "retries should be a whole number from 0 to 10"),
        (STEP + "    retries: 1.5", 5, "retries should be a whole number from 0 to 10"),
        (STEP + "    backoff: .inf", 5, "backoff should be seconds from 0.001"),
        (STEP + "    review: yes", 5, "review should be a whole number from 1 to 20"),
        (STEP + "    on_failure: halt", 5, "on_failure is none of stop, continue, skip_rest"),
        (STEP + "    permission_mode: root", 5, "permission_mode is none of plan"),
        (STEP + "    tags: t", 5, "tags should be a list"),
        (STEP + "    model: ''", 5, "model is empty"),
        (STEP + "    output_vars: [x]", 5, "output_vars should be a mapping"),
        (
            STEP + "  - name: b\n    prompt: x {steps.aa.output}",
            6,
            "prompt speaks of {steps.aa.output}, but no",
        ),
        (
            STEP + "  - name: b\n    skill: s\n    arguments:\n      x: '{steps.b.y}'",
            8,
            "arguments speaks of",
        ),
        ("arguments:\n  - name: error\n" + STEP, 1, "has an argument named error, which is a word of chains"),
        ("arguments: &a []\n" + STEP, 1, "holds an anchor"),
        (STEP + "    model: *a", 5, "holds an alias"),
        (STEP + "    model: !env KEY", 5, "holds a tag"),
        ("description: " + "[" * 300, 1, "is nested more than 20 deep"),
        (STEP + "---\n" + STEP, 5, "holds several documents"),
        ("%YAML 1.1\n---\n" + STEP, 1, "holds several documents or a directive"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, line: int, problem: str) -> None:
    found = fault(text)

    assert (found[0], found[1][: len(problem)]) == (line, problem)


class Bench:
    """A project with a folder of workflows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "workflows"
        self.folder.mkdir()

    def library(self) -> Library:
        library = Library(Folders(project_workflows=str(self.folder)))
        library.refresh()
        return library


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_workflow_of_the_project_holds_over_a_built_in_one(bench: Bench) -> None:
    (bench.folder / "review_and_fix.yaml").write_text(STEP)
    library = bench.library()

    assert set(library.workflows()) == {"issue_to_pr", "refactor_and_test", "review_and_fix"}
    assert library.workflow("review_and_fix").source is Source.PROJECT
    assert list(steps(library, "review_and_fix")) == ["a"]


def test_a_bad_file_is_told_of_and_the_others_are_read(bench: Bench) -> None:
    bad = bench.folder / "bad.yaml"
    bad.write_text("steps: 1")
    (bench.folder / "good.yml").write_text(STEP)
    (bench.folder / "notes.txt").write_text("not read")
    (bench.folder / "link.yaml").symlink_to(bad)

    library = bench.library()

    assert "good" in library.workflows()
    assert [str(each) for each in library.problems] == [
        f"{bad}:1: needs description",
        f"{bench.folder}/link.yaml: is a symbolic link; put the file itself there",
    ]


def test_a_changed_workflow_holds_at_the_next_use(bench: Bench) -> None:
    path = bench.folder / "flow.yaml"
    path.write_text(STEP)
    library = bench.library()

    path.write_text(STEP.replace("prompt: p", "prompt: other"))

    assert steps(library, "flow")["a"]["prompt"] == "other"


def test_a_skill_that_is_not_there_is_refused(bench: Bench) -> None:
    (bench.folder / "flow.yaml").write_text(HEAD + "  - name: a\n    skill: refacto\n")

    with pytest.raises(NotFound, match="needs it in step a; did you mean 'refactor'"):
        steps(bench.library(), "flow")


def test_an_unknown_workflow_is_refused_with_a_suggestion(bench: Bench) -> None:
    with pytest.raises(NotFound, match="Did you mean 'issue_to_pr'"):
        steps(bench.library(), "isue_to_pr")


def test_a_missing_argument_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="issue_to_pr needs it"):
        steps(bench.library(), "issue_to_pr")


BUILTIN = {
    "issue_to_pr": {"issue_url": "#7"},
    "refactor_and_test": {"target_file": "a.py", "refactor_goal": "shorter"},
    "review_and_fix": {"review_target": "a.py"},
}

SEES = [
    ("issue_to_pr", "implement_solution", "analyze_issue"),
    ("issue_to_pr", "write_tests", "implement_solution"),
    ("refactor_and_test", "update_tests", "refactor"),
    ("refactor_and_test", "verify_quality", "update_tests"),
    ("review_and_fix", "apply_fixes", "review"),
    ("review_and_fix", "verify_fixes", "apply_fixes"),
    ("review_and_fix", "verify_fixes", "review"),
]


@pytest.mark.parametrize(("name", "later", "earlier"), SEES)
def test_a_later_step_sees_the_output_of_an_earlier_one(
    bench: Bench, name: str, later: str, earlier: str
) -> None:
    library = bench.library()
    step = steps(library, name, **BUILTIN[name])[later]
    if "skill" in step:
        given = cast("dict[str, str]", step["arguments"])
        prompt = asyncio.run(library.render(str(step["skill"]), given, for_chain=True)).prompt
    else:
        prompt = str(step["prompt"])

    assert f"{{steps.{earlier}.output}}" in prompt


@pytest.mark.parametrize("name", BUILTIN)
def test_every_step_with_a_skill_can_be_rendered(bench: Bench, name: str) -> None:
    library = bench.library()

    for step in steps(library, name, **BUILTIN[name]).values():
        if "skill" in step:
            given = cast("dict[str, str]", step.get("arguments", {}))
            assert asyncio.run(library.render(str(step["skill"]), given, for_chain=True)).prompt
