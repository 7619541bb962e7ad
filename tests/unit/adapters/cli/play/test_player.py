"""What keys do to the film, and how its clock goes: no terminal, no log."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from claude_pool.adapters.cli.play.keys import Keys
from claude_pool.adapters.cli.play.player import (
    SPANS_MS,
    SPEEDS,
    Act,
    Cancel,
    End,
    Entry,
    Failure,
    Filter,
    GoTo,
    Player,
    Quit,
    Start,
    Step,
    passed,
    pressed,
)
from claude_pool.adapters.cli.replay_view import Wanted


def after(player: Player, *keys: str) -> Player:
    for key in keys:
        player, _ = pressed(player, key)
    return player


@pytest.mark.parametrize(
    ("key", "act"),
    [
        ("right", Step(1)), ("l", Step(1)), ("left", Step(-1)), ("h", Step(-1)), ("pagedown", Step(100)),
        ("pageup", Step(-100)), ("n", Failure(True)), ("N", Failure(False)), ("p", Failure(False)),
        ("g", Start()), ("home", Start()), ("G", End()), ("end", End()), ("q", Quit()), ("escape", Cancel()),
    ],
)  # fmt: skip
def test_keys_go_somewhere(key: str, act: Act) -> None:
    assert pressed(Player(), key)[1] == act


def test_space_pauses_and_goes_on() -> None:
    assert not after(Player(), "space").playing
    assert after(Player(), "space", "space").playing


def test_whoever_goes_somewhere_pauses_there() -> None:
    assert not after(Player(tail=True, live=True), "left").playing
    assert not after(Player(tail=True, live=True), "left").tail


def test_the_end_of_a_live_view_is_now_and_goes_on() -> None:
    assert after(Player(live=True, playing=False), "G").playing
    assert not after(Player(playing=False), "G").playing


def test_speed_and_span_have_ends() -> None:
    assert after(Player(), *"+" * 20).rate == math.inf
    assert after(Player(), *"-" * 20).rate == SPEEDS[0]
    assert SPANS_MS[after(Player(), *"z" * 20).span] == SPANS_MS[0]
    assert SPANS_MS[after(Player(), *"Z" * 20).span] == SPANS_MS[-1]
    assert after(Player(), "up", "up", "down").scroll == 1


def test_a_filter_is_typed() -> None:
    typing = after(Player(), "/", *"slot-0", "space", *"*.failed")
    assert typing.entry == Entry("/", "slot-0 *.failed")

    player, act = pressed(typing, "enter")

    assert (player.wanted, player.entry, act) == (
        Wanted(subjects=("slot-0",), type="*.failed"),
        None,
        Filter(),
    )


def test_a_filter_is_mended_or_given_up() -> None:
    player = replace(Player(), wanted=Wanted(subjects=("slot-0",)))

    assert after(player, "/", "backspace", "1", "enter").wanted == Wanted(subjects=("slot-1",))
    assert after(player, "/", "x", "escape").wanted == player.wanted
    assert pressed(player, "escape") == (Player(), Filter())
    assert after(player, "/", *["backspace"] * 7).entry is None


def test_a_filter_of_two_patterns_is_refused() -> None:
    player, act = pressed(after(Player(), "/", *"task.*", "space", *"slot.*"), "enter")

    assert (player.wanted, act) == (Wanted(), None)
    assert "one pattern" in player.note


def test_a_place_is_typed() -> None:
    player, act = pressed(after(Player(), ":", *"2h"), "enter")

    assert (player.playing, act) == (False, GoTo("2h"))
    assert pressed(after(Player(), ":"), "enter") == (Player(), None)


def test_what_is_typed_is_no_command_and_has_an_end() -> None:
    typing = after(Player(), "/", *"q" * 500)

    assert typing.entry == Entry("/", "q" * 200)
    assert after(typing, "left", "pageup", "escape").wanted == Wanted()


def test_help_ends_with_any_key_and_q_still_leaves() -> None:
    assert after(Player(), "?").help
    assert not after(Player(), "?", "n").help
    assert pressed(after(Player(), "?"), "q")[1] == Quit()


def test_the_clock_goes_at_the_chosen_speed() -> None:
    assert passed(10_000, 0.5, 10, 16_000) == 15_000


def test_a_time_in_which_nothing_happens_is_left_out() -> None:
    assert passed(10_000, 0.1, 10, 3_600_000) == 3_590_000


def test_at_full_speed_the_next_event_is_due_at_once() -> None:
    assert passed(10_000, 0, math.inf, 3_600_000) == 3_600_000


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"a N", ["a", "space", "N"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1bOC\x1bOH\x1bOF", ["right", "home", "end"]),
        (b"\x1b[5~\x1b[6~\x1b[1~\x1b[4~", ["pageup", "pagedown", "home", "end"]),
        (b"\x1b[1;5C", ["right"]),
        (b"\x1b", ["escape"]),
        (b"\r\n\x7f\x08", ["enter", "enter", "backspace", "backspace"]),
        (b"\x1b[200~x\x1b[Z\x00\x05", ["x"]),
        ("ü".encode(), ["ü"]),
    ],
)
def test_what_a_terminal_sends_is_read_as_keys(sent: bytes, keys: list[str]) -> None:
    assert Keys().read(sent) == keys


def test_a_character_that_arrives_in_two_parts_is_one_key() -> None:
    keys = Keys()

    assert (keys.read(b"\xc3"), keys.read(b"\xbc")) == ([], ["ü"])
