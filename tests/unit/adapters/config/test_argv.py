"""The flags of `serve`, read without a library."""

from __future__ import annotations

import pytest
from claude_pool.adapters.config.argv import Served, parse
from claude_pool.adapters.config.options import BY_NAME, OPTIONS
from claude_pool.adapters.config.values import read_toolsets
from claude_pool.domain.errors import InvalidArgument


@pytest.mark.parametrize("words", [["--slots", "4"], ["--slots=4"], ["-n", "4"], ["-n4"], ["-n=4"]])
def test_a_value_is_taken_in_every_usual_spelling(words: list[str]) -> None:
    assert parse(words) == Served({"slots": "4"}, None)


def test_short_switches_can_be_joined_with_what_follows() -> None:
    assert parse(["-wn4", "-m=x"]).flags == {"worktree": True, "slots": "4", "model": "x"}


def test_a_switch_can_be_turned_off_again() -> None:
    assert parse(["--no-worktree", "--builtins", "--embedded=false"]).flags == {
        "worktree": False,
        "no_builtins": False,
        "embedded": "false",
    }


def test_repeated_lists_add_up_and_other_values_replace() -> None:
    words = ["--allowed-tools=Read", "--allowed-tools", "Grep,Glob", "-m", "a", "-m", "b"]

    assert parse(words).flags == {"allowed_tools": "Read,Grep,Glob", "model": "b"}


def test_a_value_may_look_like_a_flag() -> None:
    assert parse(["--system-prompt", "--slots", "--model="]).flags == {
        "system_prompt": "--slots",
        "model": "",
    }


def test_toolsets_belong_to_the_connection() -> None:
    assert parse(["--toolsets", "core,debug"]) == Served({}, "core,debug")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--slotz", "4"], "--slotz: serve has no such flag; did you mean '--slots'?"),
        (["--slots"], "--slots: needs a value"),
        (["--toolsets"], "--toolsets: needs a value"),
        (["hello"], "unexpected argument 'hello'"),
        (["-"], "unexpected argument '-'"),
        (["-x"], "-x: serve has no such flag"),
    ],
)
def test_a_wrong_flag_is_named(words: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        parse(words)

    assert message in refusal.value.message


def test_no_two_flags_are_the_same() -> None:
    flags = [flag for option in OPTIONS for flag in (option.flag, option.short) if flag]
    flags += [option.opposite for option in OPTIONS if option.kind == "switch"]

    assert len(flags) == len(set(flags))
    assert BY_NAME["no_builtins"].opposite == "--builtins"
    assert BY_NAME["worktree"].opposite == "--no-worktree"


@pytest.mark.parametrize(
    ("text", "toolsets"), [("default", "default"), ("all", "all"), (" core, debug,core", "core,debug")]
)
def test_toolsets_are_names_by_comma(text: str, toolsets: str) -> None:
    assert read_toolsets(text, "--toolsets") == toolsets


@pytest.mark.parametrize(
    ("text", "message"), [("cores", "did you mean 'core'?"), (" , ", "names no toolset")]
)
def test_unknown_toolsets_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        read_toolsets(text, "--toolsets")

    assert refusal.value.message.startswith("--toolsets: ")
    assert message in refusal.value.message
