"""Lines of a CLI come without values of credentials, also where a value comes in pieces."""

from __future__ import annotations

import json
from typing import Any

from claude_pool.adapters.claude.redacting import Redacting
from claude_pool.adapters.redaction import Secrets
from hypothesis import given
from hypothesis import strategies as st

KEY = "sk-ant-0123456789abcdef"


def redacting() -> Redacting:
    return Redacting(Secrets({"A_KEY": KEY}))


def delta(said: str, index: int = 0, field: str = "text", parent: str | None = None) -> bytes:
    piece = {"type": f"{field}_delta", field: said}
    event = {"type": "content_block_delta", "index": index, "delta": piece}
    return json.dumps({"type": "stream_event", "event": event, "parent_tool_use_id": parent}).encode()


def stop(index: int = 0) -> bytes:
    event = {"type": "content_block_stop", "index": index}
    return json.dumps({"type": "stream_event", "event": event}).encode()


def fed(redact: Redacting, *lines: bytes) -> list[dict[str, Any]]:
    return [json.loads(clean) for line in lines for clean in redact.feed(line)]


def said(messages: list[dict[str, Any]], field: str = "text") -> list[str]:
    events = (message["event"] for message in messages if message["type"] == "stream_event")
    return [event["delta"][field] for event in events if "delta" in event]


def test_a_value_in_one_line_is_replaced() -> None:
    [line] = fed(redacting(), json.dumps({"type": "result", "result": f"It is {KEY}."}).encode())
    assert line["result"] == "It is [redacted:A_KEY]."


def test_a_value_split_over_pieces_is_replaced_in_the_last() -> None:
    lines = fed(redacting(), delta("It is sk-a"), delta("nt-012345"), delta(KEY[13:] + "!"), stop())
    assert said(lines) == ["It is ", "", "[redacted:A_KEY]!"]


def test_an_end_that_begins_no_value_after_all_comes_with_the_next_piece() -> None:
    assert said(fed(redacting(), delta("pass"), delta(" on"), stop())) == ["pas", "s on"]


def test_what_is_held_when_the_block_ends_is_a_piece_of_its_own_before_the_end() -> None:
    lines = fed(redacting(), delta("a risk-"), stop())
    assert said(lines) == ["a ri", "sk-"] and lines[-1]["event"]["type"] == "content_block_stop"


def test_pieces_of_another_block_do_not_continue_a_value() -> None:
    first, second = KEY[:9], KEY[9:]
    lines = fed(redacting(), delta(first), delta(second, index=1), stop())
    assert said(lines) == ["", first, second]


def test_a_line_in_between_that_says_nothing_does_not_part_a_value() -> None:
    between = b'{"type":"system","subtype":"status"}'
    lines = fed(redacting(), delta(KEY[:9]), between, delta(KEY[9:]), stop())
    assert said(lines) == ["", "[redacted:A_KEY]"]


def test_the_input_of_a_tool_in_pieces_is_cleaned_too() -> None:
    pieces = [
        delta(f'{{"command":"echo {KEY[:5]}', field="partial_json"),
        delta(KEY[5:] + '"}', field="partial_json"),
    ]
    lines = fed(redacting(), *pieces, stop())
    assert json.loads("".join(said(lines, "partial_json"))) == {"command": "echo [redacted:A_KEY]"}


def test_the_whole_input_of_a_request_for_leave_is_told_once() -> None:
    request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": f"echo {KEY}"}}
    line = {"type": "control_request", "request_id": "r1", "request": request}
    redact = redacting()
    [clean] = fed(redact, json.dumps(line).encode())
    assert clean["request"]["input"] == {"command": "echo [redacted:A_KEY]"}
    assert redact.input_of("r1") == {"command": f"echo {KEY}"}
    assert redact.input_of("r1") is None


def test_without_credentials_lines_are_passed_on_as_they_are() -> None:
    line = delta(KEY)
    assert Redacting(Secrets()).feed(line) == [line]


def test_a_line_that_only_looks_like_a_piece_is_cleaned_like_any_other() -> None:
    odd = json.dumps({"type": "content_block_delta", "said": KEY}).encode()
    assert fed(redacting(), odd) == [{"type": "content_block_delta", "said": "[redacted:A_KEY]"}]


@given(
    st.lists(st.text(alphabet='sk-é"\\01 x', max_size=6)),
    st.sampled_from(['sk-01"é01', "sks-sk-01-sks", "s0kk0s-ss0kk0"]),
)
def test_pieces_as_the_cli_writes_them_never_tell_a_value(pieces: list[str], value: str) -> None:
    redact = Redacting(Secrets({"A_KEY": value}))
    compact = [json.dumps(json.loads(delta(piece)), separators=(",", ":")).encode() for piece in pieces]
    told = "".join(said(fed(redact, *compact, stop())))
    assert value not in told
    assert told.replace("[redacted:A_KEY]", value) == "".join(pieces)
