"""One turn while it runs, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.claude.accounts import Account
from claude_pool.adapters.claude.transcript import TranscriptFile
from claude_pool.adapters.claude.turn import LIFECYCLE, Patience, RunningTurn, answers, prompt_line
from claude_pool.domain.ports import Turn
from claude_pool.domain.prices import PriceList, Rates
from claude_pool.domain.values import Denial, Tokens

_PRICES = PriceList({}, unknown=Rates(1_000, 1_000, 1_000, 1_000, 1_000))
_PATIENCE = Patience(first_output=10.0, silence=20.0, tool_silence=300.0)
_NEW = (LIFECYCLE,)


def on_turn(
    folder: Path,
    scene: Callable[[RunningTurn], None],
    budget: int | None = None,
    told: list[tuple[str, int]] | None = None,
) -> None:
    """Run a scene on a turn of its own."""

    async def show() -> None:
        transcript = TranscriptFile(folder / "t.jsonl", fresh=True)

        def note(attempt: str, metered: int) -> None:
            if told is not None:
                told.append((attempt, metered))

        turn = Turn("task-1.1", "", "hi", budget=budget)
        scene(RunningTurn(turn, transcript, _PRICES, _PATIENCE, note))
        await asyncio.sleep(0)
        transcript.close()

    asyncio.run(show())


def take(turn: RunningTurn, *lines: dict[str, Any], account: Account | None = None) -> None:
    """Have the turn take lines of a newer CLI."""
    for line in lines:
        turn.take(line, account, _NEW)


def tool_use(name: str) -> dict[str, Any]:
    """The line in which the model calls a tool."""
    return {"type": "assistant", "message": {"id": "m1", "content": [{"type": "tool_use", "id": name}]}}


def tool_result(name: str, **fields: Any) -> dict[str, Any]:
    """The line with the tool's answer."""
    block = {"type": "tool_result", "tool_use_id": name, **fields}
    return {"type": "user", "message": {"content": [block]}}


def test_a_prompt_is_one_line_whatever_it_holds() -> None:
    line = prompt_line('two\nlines \u2028 "quoted" \ud800', "u1")
    assert b"\n" not in line and line.isascii()


@pytest.mark.parametrize(
    ("result", "capabilities", "ours"),
    [
        ({"user_message_uuid": "u1"}, _NEW, True),
        ({"user_message_uuids": ["u0", "u1"]}, _NEW, True),
        ({"user_message_uuid": "u0"}, _NEW, False),
        ({}, _NEW, False),
        ({}, (), True),
    ],
)
def test_a_result_is_ours_when_it_names_our_prompt(
    result: dict[str, Any], capabilities: tuple[str, ...], ours: bool
) -> None:
    assert answers(result, "u1", capabilities) is ours


def test_the_result_that_names_the_prompt_ends_the_turn(tmp_path: Path) -> None:
    def scene(turn: RunningTurn) -> None:
        take(turn, {"type": "result", "user_message_uuid": "another"})
        assert not turn.done.done()
        ours = {"type": "result", "user_message_uuid": turn.uuid}
        take(turn, ours, {**ours, "result": "late"})
        assert turn.done.result() == ours

    on_turn(tmp_path, scene)


def test_all_results_that_come_meanwhile_are_paid(tmp_path: Path) -> None:
    def scene(turn: RunningTurn) -> None:
        account = Account(500, Tokens(1, 2, 3, 4))
        take(turn, {"type": "result"}, {"type": "result", "user_message_uuid": turn.uuid}, account=account)
        assert turn.account == Account(1_000, Tokens(2, 4, 6, 8))

    on_turn(tmp_path, scene)


@pytest.mark.parametrize(("status", "code"), [(401, "not_logged_in"), (403, "not_logged_in"), (529, None)])
def test_a_refused_login_is_not_waited_out(tmp_path: Path, status: int, code: str | None) -> None:
    def scene(turn: RunningTurn) -> None:
        take(turn, {"type": "system", "subtype": "api_retry", "error_status": status})
        assert (turn.failure.code if turn.failure else None) == code

    on_turn(tmp_path, scene)


def test_patience_depends_on_what_the_slot_is_at(tmp_path: Path) -> None:
    def left(turn: RunningTurn) -> tuple[int, str]:
        seconds, failure = turn.patience_left()
        return round(seconds), failure.code

    def scene(turn: RunningTurn) -> None:
        turn.mark_sent()
        assert left(turn) == (10, "timed_out_start")
        turn.hear()
        assert left(turn) == (20, "timed_out_silence")
        take(turn, tool_use("toolu_1"), tool_use("toolu_2"), tool_result("toolu_1"))
        assert left(turn) == (300, "timed_out_silence")
        take(turn, tool_result("toolu_2"))
        assert left(turn) == (20, "timed_out_silence")

    on_turn(tmp_path, scene)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"type": "system", "subtype": "session_state_changed", "state": "idle"}, "timed_out_start"),
        ({"type": "command_lifecycle", "command_uuid": "u0", "state": "completed"}, "timed_out_start"),
        ({"type": "system", "subtype": "session_state_changed", "state": "running"}, "timed_out_silence"),
        ({"type": "stream_event"}, "timed_out_silence"),
        (None, "timed_out_silence"),
    ],
)
def test_what_trails_behind_the_turn_before_is_no_first_output(
    tmp_path: Path, line: dict[str, Any] | None, code: str
) -> None:
    def scene(turn: RunningTurn) -> None:
        turn.mark_sent()
        turn.hear(line)
        assert turn.patience_left()[1].code == code

    on_turn(tmp_path, scene)


def test_a_tool_that_is_done_takes_those_with_it_that_it_had_called(tmp_path: Path) -> None:
    def scene(turn: RunningTurn) -> None:
        turn.hear()
        below = {**tool_use("toolu_2"), "parent_tool_use_id": "toolu_1"}
        take(turn, tool_use("toolu_1"), below, tool_result("toolu_1"))
        assert round(turn.patience_left()[0]) == 20

    on_turn(tmp_path, scene)


def test_the_first_reason_to_end_a_turn_counts(tmp_path: Path) -> None:
    def scene(turn: RunningTurn) -> None:
        _, first = turn.patience_left()
        turn.hear()
        _, second = turn.patience_left()
        turn.fail(first)
        turn.fail(second)
        assert turn.failure is first

    on_turn(tmp_path, scene)


def test_a_denial_is_told_once_with_the_most_that_was_said(tmp_path: Path) -> None:
    def scene(turn: RunningTurn) -> None:
        take(
            turn,
            tool_result("t1", is_error=True, content="blocked by plan mode"),
            {
                "type": "system",
                "subtype": "permission_denied",
                "tool_use_id": "t2",
                "tool_name": "Write",
                "message": "no",
            },
            {
                "type": "result",
                "user_message_uuid": turn.uuid,
                "permission_denials": [
                    {"tool_name": "Bash", "tool_use_id": "t1"},
                    {"tool_name": "Write", "tool_use_id": "t2"},
                ],
            },
        )
        assert turn.denials == (Denial("Write", "no"), Denial("Bash", "blocked by plan mode"))

    on_turn(tmp_path, scene)


def test_a_budget_of_nothing_is_reached_with_the_first_token(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    def scene(turn: RunningTurn) -> None:
        take(turn, {"type": "assistant", "message": {"id": "m1", "usage": {"input_tokens": 1}}})
        take(turn, {"type": "assistant", "message": {"id": "m2", "usage": {"input_tokens": 1}}})

    on_turn(tmp_path, scene, budget=1, told=told)
    assert told == [("task-1.1", 1)]


@pytest.mark.parametrize("line", [{}, {"type": 7}, {"type": "user"}, {"type": "assistant", "message": []}])
def test_a_line_that_says_nothing_changes_nothing(tmp_path: Path, line: dict[str, Any]) -> None:
    def scene(turn: RunningTurn) -> None:
        take(turn, line)
        assert not turn.done.done() and turn.denials == () and turn.failure is None

    on_turn(tmp_path, scene)
