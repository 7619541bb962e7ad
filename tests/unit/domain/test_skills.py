"""How arguments get into skills, and what they can never do there."""

from __future__ import annotations

import re

import pytest
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.skills import (
    NO_DIRECTORY,
    ShellCommand,
    Skill,
    SkillArgument,
    beneath,
    is_argument_name,
    is_skill_name,
    misplaced,
    render,
    variable_of,
)
from claude_pool.domain.values import Options
from hypothesis import given, settings
from hypothesis import strategies as st


def skill(prompt: str, *arguments: SkillArgument | str) -> Skill:
    declared = tuple(SkillArgument(each) if isinstance(each, str) else each for each in arguments)
    return Skill("greet", "Greets.", prompt, declared)


def refused(of: Skill, arguments: dict[str, str]) -> str:
    with pytest.raises(InvalidArgument) as refusal:
        render(of, arguments)
    return refusal.value.message


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("{who} and {what}", "Ann and tea"),
        ("$ARGUMENTS", "Ann tea"),
        ("$ARGUMENTS[0], $ARGUMENTS[1].", "Ann, tea."),
        ("$0: $1", "Ann: tea"),
        ("$0$1", "Anntea"),
        ("$0's", "Ann's"),
        ("[$ARGUMENTS[7]] $0", "[] Ann"),
    ],
)
def test_every_form_of_a_placeholder_is_replaced(prompt: str, expected: str) -> None:
    assert render(skill(prompt, "who", "what"), {"what": "tea", "who": "Ann"}).text() == expected


@pytest.mark.parametrize(
    "text",
    ["{other}", "${who}", "$7", "$0.50", "$0k", "$ARGUMENTSX", "{ who }", "{}", "$", "{who.name}", "{1}"],
)
def test_what_only_looks_like_a_placeholder_stays(text: str) -> None:
    assert render(skill(f"{text} {{who}}", "who"), {"who": "Ann"}).text() == f"{text} Ann"


def test_arguments_are_appended_where_there_is_no_placeholder() -> None:
    assert render(skill("Greet.", "a", "b", "c"), {"a": "x", "c": "z"}).text() == "Greet.\n\nARGUMENTS: x z"


def test_nothing_is_appended_without_arguments() -> None:
    assert render(skill("Greet.", "a"), {}).text() == "Greet."


def test_a_command_that_asks_for_the_arguments_has_taken_them() -> None:
    assert render(skill("!`echo $ARGUMENT_A`", "a"), {"a": "x"}).text(["x"]) == "x"


def test_the_directory_and_a_command_are_no_placeholders_for_arguments() -> None:
    rendered = render(skill("Look in ${CLAUDE_SKILL_DIR} !`ls`", "a"), {"a": "x"}, directory="/s")

    assert rendered.text(["out"]) == "Look in /s out\n\nARGUMENTS: x"


def test_a_skill_without_a_directory_says_so() -> None:
    assert render(skill("${CLAUDE_SKILL_DIR}"), {}).text() == NO_DIRECTORY


def test_an_optional_argument_that_is_not_given_is_empty() -> None:
    assert render(skill("<{a}> <$1>", "a", "b"), {}).text() == "<> <>"


def test_a_skill_that_declares_nothing_takes_what_it_is_given_in_order() -> None:
    assert render(skill("$1 $0 {first}"), {"first": "1", "second": "2"}).text() == "2 1 1"


def test_the_output_before_is_a_placeholder_of_the_chain() -> None:
    of = skill("See {_previous_output}. $ARGUMENTS", "a")

    assert render(of, {"a": "x"}, for_chain=True).text() == "See {previous_output}. x"
    assert render(of, {"a": "x"}).text() == "See . x"
    assert render(of, {"a": "x", "_previous_output": "it"}, for_chain=True).text() == "See it. x"


@pytest.mark.parametrize("value", ["{previous_output}", "{steps.plan.output}", "a {steps.a.b} {error}"])
def test_placeholders_of_chains_come_through_in_values(value: str) -> None:
    assert render(skill("Do {a}", "a"), {"a": value}, for_chain=True).text() == f"Do {value}"


def test_a_command_is_a_part_of_its_own_and_knows_arguments_as_variables() -> None:
    rendered = render(
        skill("Now !`git log $ARGUMENTS` {my-file}", "my-file"), {"my-file": "a b"}, directory="/s"
    )

    assert rendered.commands == (ShellCommand("git log $ARGUMENTS"),)
    assert rendered.text() == "Now !`git log $ARGUMENTS` a b"
    assert dict(rendered.environment) == {
        "ARGUMENTS": "a b", "ARGUMENT_0": "a b", "ARGUMENT_MY_FILE": "a b", "CLAUDE_SKILL_DIR": "/s",
    }  # fmt: skip


def test_values_are_made_inert_for_the_reader_but_not_for_commands() -> None:
    rendered = render(skill("{a} $0 $ARGUMENTS", "a"), {"a": "@x"}, inert=lambda text: text.replace("@", "?"))

    assert rendered.text() == "?x ?x ?x"
    assert dict(rendered.environment)["ARGUMENTS"] == "@x"


def test_unknown_and_missing_arguments_are_all_told() -> None:
    of = skill(
        "{who}", SkillArgument("who", "The guest.", required=True), SkillArgument("what", required=True)
    )

    assert refused(of, {"whom": "Ann", "what": " "}) == (
        "arguments.whom: greet has no such argument; it takes who, what; "
        "arguments.who: greet needs it (The guest.); arguments.what: greet needs it"
    )


@pytest.mark.parametrize("name", ["", "a b", "1", "a" * 65, "é", "{x}"])
def test_a_name_that_no_argument_can_have_is_refused(name: str) -> None:
    assert "an argument's name has letters" in refused(skill("x"), {name: "v"})


def test_a_nul_is_refused() -> None:
    assert "NUL" in refused(skill("x"), {"a": "b\0"})


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", ["0", "-12", "+3"], ["1.5", "x", "1 ", "٣", "1" * 19]),
        ("number", ["1", "-1.5", "2e3"], ["nan", "inf", "1.", "0x1"]),
        ("boolean", ["true", "false"], ["yes", "True", "1"]),
        ("string", ["anything", "no"], []),
    ],
)
def test_a_value_must_be_of_its_type(kind: str, good: list[str], bad: list[str]) -> None:
    of = skill("{a}", SkillArgument("a", kind=kind))

    assert [render(of, {"a": value}).text() for value in good] == good
    for value in bad:
        assert refused(of, {"a": value}).startswith("arguments.a: is not ")


def test_an_argument_with_a_type_may_be_left_empty() -> None:
    assert render(skill("<{a}>", SkillArgument("a", kind="integer")), {"a": ""}).text() == "<>"


@pytest.mark.parametrize("name", ["a", "code_review", "a-1", "0", "x" * 64])
def test_names_of_skills(name: str) -> None:
    assert is_skill_name(name)


@pytest.mark.parametrize(
    "name", ["", "-x", "_x", "../x", "a/b", "@", "A", "x" * 65, "a\n", "é", "a.b", "x" * 200]
)
def test_names_that_no_skill_can_have(name: str) -> None:
    assert not is_skill_name(name)


def test_the_output_before_cannot_be_declared() -> None:
    assert not is_argument_name("_previous_output")
    assert is_argument_name("_x")


def test_placeholders_in_commands_are_found() -> None:
    of = skill("!`gh issue view {issue}` !`echo $0 $ARGUMENTS[2] $ARGUMENTS {other}` {issue}", "issue")

    assert misplaced(of) == (
        '{issue} is not replaced in a command; write "$ARGUMENT_ISSUE"',
        '$0 is not replaced in a command; write "$ARGUMENT_0"',
        '$ARGUMENTS[2] is not replaced in a command; write "$ARGUMENT_2"',
    )
    assert variable_of("my-file") == "ARGUMENT_MY_FILE"


def test_the_call_stands_above_its_skill() -> None:
    under = Options(
        model="haiku", effort="low", allowed_tools=("Read", "Bash"), disallowed_tools=("Write",),
        tools=("Read",), mcp_servers=(("a", "1"), ("b", "2")), max_budget=5,
    )  # fmt: skip
    over = Options(
        model="opus", allowed_tools=("Edit", "Read"), disallowed_tools=("Web",), mcp_servers=(("b", "3"),),
        max_turns=7,
    )  # fmt: skip

    assert beneath(under, over) == Options(
        model="opus", effort="low", allowed_tools=("Read", "Bash", "Edit"), disallowed_tools=("Write", "Web"),
        tools=("Read",), mcp_servers=(("a", "1"), ("b", "3")), max_budget=5, max_turns=7,
    )  # fmt: skip


def test_a_call_may_take_all_tools_away() -> None:
    assert beneath(Options(tools=("Read",)), Options(tools=())).tools == ()


MARKS = re.compile(r"\x02(.*?)\x03", re.DOTALL)
NASTY = st.text(alphabet=st.sampled_from("{}$!`[]0a_ARGUMENTS/@ \n\"';|&"), max_size=40) | st.sampled_from(
    [
        "{a}", "{b}", "$ARGUMENTS", "$0", "$ARGUMENTS[1]", "!`touch canary`", "${CLAUDE_SKILL_DIR}",
        "{_previous_output}", '"; touch canary; "', "$(touch canary)", "`touch canary`", "!`", "`", "{",
    ]
)  # fmt: skip
PROMPTS = st.lists(
    st.sampled_from(
        ["{a}", "{b}", "$ARGUMENTS", "$0", "$1", "$ARGUMENTS[0]", "!`ls`", "${CLAUDE_SKILL_DIR}", " ", "x",
         "{", "}", "!", "`", "$", "!`{a}`", "[0]"]
    ),
    min_size=1,
).map("".join)  # fmt: skip


@settings(deadline=None)
@given(PROMPTS, NASTY, NASTY)
def test_a_value_adds_neither_a_placeholder_nor_a_command(prompt: str, a: str, b: str) -> None:
    # The same prompt rendered with harmless values has the same parts; only the values differ.
    of = skill(prompt, "a", "b")
    marked = render(of, {"a": "\x02A\x03", "b": "\x02B\x03"}, directory="/s")
    nasty = render(of, {"a": a or "x", "b": b or "x"}, directory="/s")

    assert nasty.commands == marked.commands
    values = {"A": a or "x", "B": b or "x"}
    expected = MARKS.sub(lambda place: values[place[1]], marked.text(["out"] * len(marked.commands)))
    assert nasty.text(["out"] * len(nasty.commands)) == expected
