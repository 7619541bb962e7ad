"""Which steps make a chain, and what their prompts may speak of."""

from __future__ import annotations

import random
from time import process_time

import pytest
from claude_pool.domain.chain_graph import MAX_STEPS, Draft, places
from claude_pool.domain.errors import InvalidArgument
from hypothesis import given
from hypothesis import strategies as st


def problem(*drafts: Draft) -> str:
    """Why these steps are refused."""
    with pytest.raises(InvalidArgument) as refusal:
        places(drafts)
    return refusal.value.message


def test_a_step_needs_the_one_before_it_unless_it_says() -> None:
    found = places(
        [Draft("a", ""), Draft("b", ""), Draft("c", "", ()), Draft("d", "", ("a", "b", "a"))]
    )  # fmt: skip
    assert [place.needs for place in found] == [(), ("a",), (), ("a", "b")]


def test_needs_may_name_later_steps() -> None:
    assert [place.needs for place in places([Draft("a", "", ("b",)), Draft("b", "", ())])] == [("b",), ()]


def test_a_chain_has_one_to_a_thousand_steps() -> None:
    assert "at least one step" in problem()
    assert len(places([Draft(f"s{number}", "") for number in range(MAX_STEPS)])) == MAX_STEPS
    assert "1001 are more" in problem(*(Draft(f"s{number}", "") for number in range(MAX_STEPS + 1)))


@pytest.mark.parametrize("name", ["a", "A-1_b", "0", "x" * 64])
def test_names_of_letters_digits_hyphens_and_underscores_are_taken(name: str) -> None:
    assert places([Draft(name, "")])


@pytest.mark.parametrize("name", ["", "-a", "_a", "a b", "a.b", "ä", "x" * 65, "a\n", "../a"])
def test_other_names_are_refused(name: str) -> None:
    assert "steps.1.name" in problem(Draft("a", ""), Draft(name, ""))


def test_a_name_stands_for_one_step() -> None:
    assert "there are two steps 'a'" in problem(Draft("a", ""), Draft("a", ""))


def test_an_unknown_need_is_refused_with_what_was_meant() -> None:
    assert "steps.1.needs: there is no step 'biuld'; did you mean build?" in problem(
        Draft("build", ""), Draft("test", "", ("biuld",))
    )
    assert "there is no step 'q'" in problem(Draft("build", "", ("q",)))


def test_a_long_need_is_not_repeated_whole() -> None:
    assert len(problem(Draft("build", "", ("q" * 5_000,)))) < 500


@pytest.mark.parametrize(
    ("drafts", "path"),
    [
        ([Draft("a", "", ("a",))], "a -> a"),
        ([Draft("a", "", ("b",)), Draft("b", "", ("c",)), Draft("c", "", ("a",))], "a -> b -> c -> a"),
        ([Draft("x", "", ("a",)), Draft("a", "", ("b",)), Draft("b", "", ("a",))], ": a -> b -> a"),
        ([Draft("a", "", ()), Draft("b", "", ("a", "c")), Draft("c", "", ("a", "b"))], ": b -> c -> b"),
    ],
)
def test_a_cycle_is_refused_with_its_path(drafts: list[Draft], path: str) -> None:
    message = problem(*drafts)
    assert message.endswith((path, path + "."))


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_steps_that_need_only_earlier_ones_make_a_chain_in_any_order(seed: int, size: int) -> None:
    dice = random.Random(seed)
    drafts = [
        Draft(f"s{number}", "", tuple(f"s{n}" for n in range(number) if dice.random() < 0.4))
        for number in range(size)
    ]
    dice.shuffle(drafts)
    assert [place.needs for place in places(drafts)] == [draft.needs for draft in drafts]


@pytest.mark.parametrize(
    ("prompt", "uses"),
    [
        ("plain {} {x} {{previous_output}", ("previous_output",)),
        ("{steps.a.output} {steps.a.v} {steps.a.output}", ("steps.a.output", "steps.a.v")),
        ("", ()),
    ],
)
def test_the_placeholders_of_a_prompt_are_found(prompt: str, uses: tuple[str, ...]) -> None:
    found = places([Draft("a", "", variables=("v",)), Draft("b", "x"), Draft("c", prompt)])
    assert found[2].uses == uses


def test_a_recovery_prompt_also_knows_the_error() -> None:
    (only,) = places([Draft("a", "x", None, "mend {error} {previous_output}")])
    assert only.recovery_uses == ("error", "previous_output")


@pytest.mark.parametrize(
    ("prompt", "fragment"),
    [
        ("{previous}", "{previous} is no placeholder; there are {previous_output}"),
        ("{previous_output} { previous_output}", "is no placeholder"),
        ("{steps.}", "{steps.} is no placeholder"),
        ("{step.a.output}", "{step.a.output} is no placeholder"),
        ("{steps.a.output }", "is no placeholder"),
        ("{steps." + "x" * 250 + "}", "is no placeholder"),
        ("{steps.aa.output}", "there is no step 'aa'; did you mean a?"),
        ("{steps.zebra.output}", "there is no step 'zebra'"),
        ("{steps.c.output}", "b does not need c, so it may run before it"),
        ("{steps.b.output}", "b does not need b"),
        ("{steps.a}", "a has no output variable ''"),
        ("{steps.a.outptu}", "no output variable 'outptu'; did you mean output?"),
        ("{steps.a.v.w}", "a has no output variable 'v.w'"),
    ],
)
@pytest.mark.parametrize("recovery", [False, True])
def test_a_placeholder_without_meaning_is_refused_by_the_place_where_it_stands(
    prompt: str, fragment: str, recovery: bool
) -> None:
    said = Draft("b", "x", None, prompt) if recovery else Draft("b", prompt)
    message = problem(Draft("a", "", variables=("v",)), said, Draft("c", "", ()))
    assert f"steps.1.{'recovery_prompt' if recovery else 'prompt'}: " in message
    assert fragment in message


def test_only_a_recovery_prompt_knows_an_error() -> None:
    assert "steps.0.prompt: {error} has a meaning in a recovery_prompt only" in problem(Draft("a", "{error}"))


def test_a_step_may_speak_of_what_it_needs_indirectly() -> None:
    drafts = [Draft("a", ""), Draft("b", ""), Draft("c", ""), Draft("d", "{steps.a.output}")]
    assert places(drafts)[3].uses == ("steps.a.output",)


def test_a_thousand_steps_that_all_need_each_other_are_checked_at_once() -> None:
    names = [f"s{number}" for number in range(MAX_STEPS)]
    speaks = " ".join(f"{{steps.{name}.output}}" for name in names[:50])
    drafts = [
        Draft(name, speaks if number > 50 else "", tuple(names[:number])) for number, name in enumerate(names)
    ]
    began = process_time()
    assert len(places(drafts[::-1])) == MAX_STEPS
    assert process_time() - began < 3
