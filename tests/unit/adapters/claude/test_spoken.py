"""What a model has said so far, from the lines that its slot prints."""

from __future__ import annotations

from typing import Any

from claude_pool.adapters.claude.spoken import TAIL_CHARACTERS, Spoken


def event(kind: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    """A line of a stream."""
    return {"type": "stream_event", "event": {"type": kind, **more}, "parent_tool_use_id": parent}


def start(message_id: str) -> dict[str, Any]:
    """A message begins."""
    return event("message_start", message={"id": message_id})


def delta(text: str, parent: str | None = None) -> dict[str, Any]:
    """A piece of a text."""
    return event("content_block_delta", parent, delta={"type": "text_delta", "text": text})


def whole(message_id: str, *texts: str, **more: Any) -> dict[str, Any]:
    """A message, or a block of it, as one line."""
    content = [{"type": "text", "text": text} for text in texts]
    return {"type": "assistant", "message": {"id": message_id, "content": content}, **more}


def heard(*lines: dict[str, Any]) -> str:
    """What was said after these lines."""
    spoken = Spoken()
    for line in lines:
        spoken.take(line)
    return spoken.tail


def test_pieces_are_joined_and_the_whole_block_that_follows_counts_no_more() -> None:
    assert heard(start("m1"), delta("Hello "), delta("world"), whole("m1", "Hello world")) == "Hello world"


def test_messages_and_blocks_are_set_apart() -> None:
    block = event("content_block_start", content_block={"type": "text"})
    tool = event("content_block_start", content_block={"type": "tool_use"})
    lines = (start("m1"), block, delta("one"), block, delta("two"), tool, event("message_stop"))
    assert heard(*lines, start("m2"), block, delta("three")) == "one\n\ntwo\n\nthree"


def test_a_message_that_comes_without_pieces_counts_as_a_whole() -> None:
    assert heard(whole("m1", "one", "two"), start("m2"), delta("three")) == "one\n\ntwo\n\nthree"


def test_a_stream_that_breaks_off_and_begins_again_counts_once() -> None:
    assert heard(start("m1"), delta("Hel"), start("m2"), delta("Hello")) == "Hello"


def test_subagents_errors_and_other_lines_say_nothing() -> None:
    spoken = Spoken()
    lines = (
        delta("sub", parent="toolu_1"),
        whole("m9", "sub", parent_tool_use_id="toolu_1"),
        whole("m8", "API Error: 529", error="overloaded"),
        {"type": "result", "result": "done"},
        event("content_block_delta", delta={"type": "input_json_delta", "partial_json": "{}"}),
        {"type": "assistant", "message": {"id": "m7", "content": [{"type": "tool_use", "name": "Bash"}]}},
    )
    assert [spoken.take(line) for line in lines] == [False] * len(lines)
    assert spoken.tail == ""


def test_only_the_end_is_kept() -> None:
    long = "x" * TAIL_CHARACTERS
    assert heard(start("m1"), delta(long), delta("end")) == (long + "end")[-TAIL_CHARACTERS:]
    assert heard(whole("m1", long), whole("m2", "end")).endswith("x\n\nend")
    assert len(heard(whole("m1", long), start("m2"), delta(long))) == TAIL_CHARACTERS
