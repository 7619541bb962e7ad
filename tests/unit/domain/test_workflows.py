"""How a workflow becomes the steps of a chain."""

from __future__ import annotations

import re

import pytest
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.skills import SkillArgument
from claude_pool.domain.workflows import Workflow, filled, instantiate
from hypothesis import given, settings
from hypothesis import strategies as st

PLACE = re.compile(r"\{(previous_output|error|steps\.[^{}]*)\}")
BROKEN = "{\u200b"


def workflow(*steps: dict[str, object], arguments: tuple[SkillArgument, ...] = ()) -> Workflow:
    return Workflow("flow", "Flows.", arguments, steps)  # type: ignore[arg-type]  # JSON values all of them


def test_arguments_are_put_into_every_text_but_names() -> None:
    flow = workflow(
        {
            "name": "{x}",
            "skill": "{x}",
            "arguments": {"a": "<{x}>"},
            "tags": ["t-{x}"],
            "retries": 1,
            "review": True,
        },
        arguments=(SkillArgument("x"),),
    )

    assert instantiate(flow, {"x": "1"}) == [
        {
            "name": "{x}",
            "skill": "{x}",
            "arguments": {"a": "<1>"},
            "tags": ["t-1"],
            "retries": 1,
            "review": True,
        }
    ]


def test_an_instance_can_be_changed_without_harm_to_the_workflow() -> None:
    flow = workflow({"name": "a", "prompt": "p", "tags": ["t"]})

    instantiate(flow, {})[0]["prompt"] = "changed"

    assert flow.steps[0]["prompt"] == "p"


def test_what_chains_replace_is_left_to_them() -> None:
    text = "{previous_output} {steps.a.output} {error} {other} {x}"

    assert filled(text, {"x": "1"}) == "{previous_output} {steps.a.output} {error} {other} 1"


@pytest.mark.parametrize(
    "value",
    ["{previous_output}", "{steps.a.output}", "{error}", "{ step.a }", "{previous}", "{steps}"],
)
def test_a_value_that_chains_would_replace_is_broken_up(value: str) -> None:
    assert filled("{previous_output} {x} {error}", {"x": value}) == (
        "{previous_output} " + value.replace("{", BROKEN) + " {error}"
    )


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{{x}}", {"x": "previous_output"}),
        ("{x}{y}", {"x": "{steps.a", "y": ".output}"}),
        ("{x}.output}", {"x": "{steps.a"}),
        ("{steps.{x}.output}", {"x": ""}),
        ("{steps.{x}output}", {"x": "a."}),
    ],
)
def test_a_value_completes_no_placeholder(text: str, values: dict[str, str]) -> None:
    assert not PLACE.search(filled(text, values))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "arguments.x: flow needs it"),
        ({"x": "1", "y": "2"}, "arguments.y: flow has no such argument; it takes x"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, str], problem: str) -> None:
    flow = workflow({"name": "a", "prompt": "{x}"}, arguments=(SkillArgument("x", required=True),))

    with pytest.raises(InvalidArgument) as refusal:
        instantiate(flow, arguments)
    assert refusal.value.message == problem


def test_a_workflow_without_arguments_takes_none() -> None:
    with pytest.raises(InvalidArgument, match="flow takes no arguments"):
        instantiate(workflow({"name": "a", "prompt": "p"}), {"x": "1"})


PIECES = st.lists(
    st.sampled_from(
        ["{x}", "{y}", "{", "}", "steps.", "a", ".output", "previous_output", "{steps.a.output}", "error"]
    )
).map("".join)


@settings(deadline=None)
@given(PIECES, PIECES, PIECES)
def test_no_value_adds_a_placeholder_of_chains(text: str, x: str, y: str) -> None:
    own = PLACE.findall(filled(text, {"x": "\x02", "y": "\x02"}))

    found = PLACE.findall(filled(text, {"x": x, "y": y}))

    assert [each for each in own if "\x02" not in each] == found
