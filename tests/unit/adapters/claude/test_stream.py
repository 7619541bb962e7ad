"""Lines and messages: what arrives, whatever it is."""

from __future__ import annotations

import json

import pytest
from claude_pool.adapters.claude import stream
from claude_pool.adapters.claude.stream import LineSplitter, LineTooLong, parse
from hypothesis import given
from hypothesis import strategies as st

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=8), st.data())
def test_lines_come_out_as_they_went_in_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    content = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    splitter = LineSplitter()
    chunks = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    assert [line for chunk in chunks for line in splitter.feed(chunk)] == lines


@given(st.text())
def test_any_text_survives_inside_a_line(text: str) -> None:
    line = json.dumps({"type": text}, ensure_ascii=False).encode("utf-8", "replace")
    [found] = list(LineSplitter().feed(line + b"\n"))
    message = parse(found)
    assert message is not None
    assert stream.text(message, "type") == text.encode("utf-8", "replace").decode()


def test_an_unfinished_line_is_not_a_line() -> None:
    assert list(LineSplitter().feed(b'{"type":"result"}')) == []


@pytest.mark.parametrize("size", [9, 10])
def test_a_line_up_to_the_limit_passes(size: int) -> None:
    assert list(LineSplitter(10).feed(b"x" * size + b"\n")) == [b"x" * size]


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 6, b"x" * 5], [b"ok\n" + b"x" * 11]])
def test_a_line_over_the_limit_is_refused_before_it_ends(chunks: list[bytes]) -> None:
    splitter = LineSplitter(10)
    *first, last = chunks
    for chunk in first:
        list(splitter.feed(chunk))
    with pytest.raises(LineTooLong):
        list(splitter.feed(last))


@given(st.binary())
def test_no_line_is_beyond_parsing(line: bytes) -> None:
    message = parse(line)
    assert message is None or isinstance(message, dict)


@pytest.mark.parametrize("line", [b"", b"null", b"[1]", b'"text"', b'{"type":', b"[" * 100_000])
def test_what_is_no_json_object_is_no_message(line: bytes) -> None:
    assert parse(line) is None


def test_a_byte_that_is_no_utf8_reads_as_the_replacement_character() -> None:
    message = parse(b'{"type":"a\xffb"}')
    assert message is not None and stream.text(message, "type") == "a\N{REPLACEMENT CHARACTER}b"


def test_a_lone_surrogate_becomes_a_text_that_can_be_stored() -> None:
    message = parse(b'{"type":"a\\ud800b"}')
    assert message is not None
    assert stream.text(message, "type").encode() == b"a?b"


@given(_JSON)
def test_a_field_of_a_wrong_type_reads_as_missing(value: object) -> None:
    message: stream.Message = {"field": value}
    assert isinstance(stream.text(message, "field"), str)
    assert isinstance(stream.part(message, "field", "deeper"), dict)
    assert all(isinstance(item, dict) for item in stream.objects(message, "field"))
    assert all(isinstance(item, str) for item in stream.strings(message, "field"))
    assert stream.count(message, "field") >= 0
    cost = stream.nanodollars(message, "field")
    assert cost is None or cost >= 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0000205, 20_500),
        (1, 1_000_000_000),
        (0, 0),
        (-1.0, None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        (10**400, None),
        ("0.25", None),
        (True, None),
        (None, None),
    ],
)
def test_money_is_a_sound_amount_or_none(value: object, expected: int | None) -> None:
    assert stream.nanodollars({"cost": value}, "cost") == expected


@pytest.mark.parametrize(("value", "expected"), [(429, 429), ("429", None), (True, None), (None, None)])
def test_a_status_is_a_number_or_none(value: object, expected: int | None) -> None:
    assert stream.status({"status": value}, "status") == expected
