"""What becomes of a router's answer: the route itself where it is allowed, a single task everywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from claude_pool.domain.chain_graph import Draft, places
from claude_pool.domain.routing import (
    ROUTABLE_CHARACTERS,
    Answer,
    Chain,
    Decision,
    Hints,
    Parallel,
    RouteStep,
    Single,
    choices,
    decided_at_once,
    kind,
    read_answer,
    settle,
)
from hypothesis import given
from hypothesis import strategies as st

Found = dict[str, Any]

PREFERENCES = (None, "prefer_single", "prefer_parallel", "prefer_chain")


def parallel(*prompts: object, **more: object) -> Found:
    return {"route": "parallel", "prompts": list(prompts), **more}


def chain(*steps: tuple[object, object], **more: object) -> Found:
    return {"route": "chain", "steps": [{"name": name, "prompt": text} for name, text in steps], **more}


def test_an_allowed_route_is_taken_with_its_reason() -> None:
    decision = settle([parallel("a", "b", reason="apart")], Hints())
    assert decision == Decision(Parallel(("a", "b")), "apart")


def test_steps_that_see_an_earlier_output_are_taken_as_they_are() -> None:
    found = chain(("a", "look"), ("b", "mend {previous_output}"), ("c", "tell {steps.a.output}"))
    decision = settle([found], Hints())
    assert decision.route == Chain(
        (
            RouteStep("a", "look"),
            RouteStep("b", "mend {previous_output}"),
            RouteStep("c", "tell {steps.a.output}"),
        )
    )


def test_a_step_that_speaks_of_no_output_is_given_that_of_the_step_before() -> None:
    route = settle([chain(("a", "look"), ("b", "mend"))], Hints()).route
    assert isinstance(route, Chain)
    assert route.steps[0].prompt == "look"
    assert route.steps[1].prompt == "mend\n\nWhat the step before this one said:\n\n{previous_output}"


@pytest.mark.parametrize("found", [parallel("all"), chain(("a", "all")), {"route": "single"}])
def test_a_route_of_one_part_is_a_single_task(found: Found) -> None:
    assert settle([found | {"reason": "small"}], Hints()) == Decision(Single(), "small")


REFUSED: list[tuple[Found, Hints, str]] = [
    (parallel("a", "b", "c"), Hints(max_parallel=2), "the router's 3 prompts are more than the 2 allowed"),
    (parallel("a", "b"), Hints(max_parallel=1), "chose parallel, which the hints do not allow"),
    (parallel("a", "b"), Hints(prefer="prefer_chain"), "chose parallel, which the hints do not allow"),
    (parallel("a", " "), Hints(), "one of the router's prompts is empty"),
    (parallel(), Hints(), "the router gave no prompts"),
    (
        chain(("a", "x"), ("b", "y"), ("c", "z")),
        Hints(max_chain_steps=2),
        "3 steps are more than the 2 allowed",
    ),
    (chain(("a", "x"), ("b", "y")), Hints(prefer="prefer_parallel"), "chose chain"),
    (chain(("a", "x"), ("b", "y")), Hints(prefer="prefer_single"), "chose chain"),
    (chain(("a", "x"), ("b", "y")), Hints(max_chain_steps=1), "chose chain"),
    (chain(("a", "x"), ("a", "y")), Hints(), "two steps 'a'"),
    (chain(("a", "x"), ("", "y")), Hints(), "a step's name has"),
    (chain(("a", "x"), ("../b", "y")), Hints(), "a step's name has"),
    (chain(("a", "x"), ("b", "")), Hints(), "is empty"),
    (chain(("a", "x"), ("b", "{steps.z.output}")), Hints(), "no step 'z'"),
    (chain(("a", "x"), ("b", "{previous}")), Hints(), "is no placeholder"),
    (chain(("a", "x"), ("b", "{error}")), Hints(), "recovery_prompt only"),
    (chain(), Hints(), "no prompts"),
]


@pytest.mark.parametrize(("found", "hints", "why"), REFUSED)
def test_what_is_not_allowed_becomes_a_single_task_and_says_why(found: Found, hints: Hints, why: str) -> None:
    decision = settle([found], hints)
    assert (decision.route, decision.fallback) == (Single(), True)
    assert why in (decision.reason or "")


NO_ROUTES: list[Found] = [
    {},
    {"route": "loop"},
    {"route": None},
    {"route": ["single"]},
    {"route": "parallel"},
    {"route": "parallel", "prompts": "a"},
    {"route": "parallel", "prompts": ["a", 1]},
    {"route": "chain", "steps": {"a": "x"}},
    {"route": "chain", "steps": ["a"]},
    {"route": "chain", "steps": [{"name": "a"}]},
    {"route": "chain", "steps": [{"name": 1, "prompt": "x"}]},
]


@pytest.mark.parametrize("found", NO_ROUTES)
def test_an_object_without_the_shape_of_a_route_is_none(found: Found) -> None:
    assert read_answer(found) is None
    decision = settle([found], Hints())
    assert decision == Decision(Single(), "the router's answer holds no route", fallback=True)


def test_objects_that_are_no_route_are_passed_over() -> None:
    assert settle([{"note": 1}, parallel("a", "b")], Hints()).route == Parallel(("a", "b"))


def test_the_same_route_said_twice_is_one() -> None:
    found = parallel("a", "b")
    assert settle([found, found | {"reason": "again"}], Hints()).route == Parallel(("a", "b"))


def test_two_different_routes_are_no_answer() -> None:
    decision = settle([{"route": "single"}, parallel("a", "b")], Hints())
    assert decision == Decision(Single(), "the router's answer holds more than one route", fallback=True)


@pytest.mark.parametrize("reason", [None, 3, " "])
def test_a_reason_that_says_nothing_is_none(reason: object) -> None:
    assert read_answer({"route": "single", "reason": reason}) == Answer(Single(), None)


def test_nobody_is_asked_where_the_hints_allow_one_route() -> None:
    for hints in (Hints(prefer="prefer_single"), Hints(max_parallel=1, max_chain_steps=1)):
        decision = decided_at_once(hints, "work")
        assert decision == Decision(Single(), "the hints allow nothing else")
    assert decided_at_once(Hints(max_parallel=1), "work") is None


def test_a_very_long_prompt_is_not_routed() -> None:
    decision = decided_at_once(Hints(), "x" * (ROUTABLE_CHARACTERS + 1))
    assert decision is not None
    assert (decision.route, decision.fallback) == (Single(), True)
    assert decided_at_once(Hints(), "x" * ROUTABLE_CHARACTERS) is None


def test_a_preference_leaves_its_own_route_and_single() -> None:
    found = {prefer: choices(Hints(prefer=prefer)) for prefer in PREFERENCES}
    assert found == {
        None: ("single", "parallel", "chain"),
        "prefer_single": ("single",),
        "prefer_parallel": ("single", "parallel"),
        "prefer_chain": ("single", "chain"),
    }


_TEXTS = st.text("ab{}./ _-", max_size=12) | st.sampled_from(
    ["", "{previous_output}", "{steps.a.output}", "{steps.b.output}", "{error}", "{prev}", "a", "b"]
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)
_ROUTES: st.SearchStrategy[Found] = st.fixed_dictionaries(
    {"route": st.sampled_from(["single", "parallel", "chain", "other"]) | _JSON},
    optional={
        "prompts": st.lists(_TEXTS, max_size=5) | _JSON,
        "steps": st.lists(st.fixed_dictionaries({"name": _TEXTS, "prompt": _TEXTS}), max_size=5) | _JSON,
        "reason": _JSON,
    },
)
_HINTS = st.builds(
    Hints, st.integers(1, 5), st.integers(1, 5), st.sampled_from(PREFERENCES), st.none(), st.none()
)


@given(st.lists(_ROUTES, max_size=3), _HINTS)
def test_whatever_the_router_says_the_route_is_one_that_is_allowed_and_can_run(
    objects: list[Found], hints: Hints
) -> None:
    decision = settle(objects, hints)

    assert kind(decision.route) in choices(hints)
    assert decision.reason or not decision.fallback
    match decision.route:
        case Parallel(prompts):
            assert 1 < len(prompts) <= hints.max_parallel
            assert all(prompt.strip() for prompt in prompts)
        case Chain(steps):
            assert 1 < len(steps) <= hints.max_chain_steps
            assert all(step.prompt.strip() for step in steps)
            assert places([Draft(step.name, step.prompt) for step in steps])
        case Single():
            pass


@given(st.lists(_ROUTES, max_size=2), _HINTS)
def test_an_answer_is_settled_the_same_way_every_time(objects: list[Found], hints: Hints) -> None:
    assert settle(objects, hints) == settle(objects, hints)
