"""A transcript for people: what was said and used, shortened, whatever the lines are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from claude_pool.adapters.report.transcripts import told


def written(folder: Path, *lines: object) -> Path:
    path = folder / "task-1.1.jsonl"
    path.write_bytes(
        b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    )
    return path


def test_what_was_said_and_used_is_told_in_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"type": "system", "subtype": "init"},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "I look."}]}},
        {
            "type": "assistant",
            "message": {"content": [{"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}]},
        },
        {
            "type": "user",
            "message": {"content": [{"type": "tool_result", "content": "a file", "is_error": True}]},
        },
        {"type": "user", "message": {"content": "go on"}},
    )

    assert told(path, 1000) == (
        '[assistant] I look.\n[uses Bash] {"command": "ls"}\n[result failed] a file\n[user] go on'
    )


def test_a_long_one_is_shown_by_its_beginning_and_its_end(tmp_path: Path) -> None:
    lines = [
        {"type": "assistant", "message": {"content": [{"type": "text", "text": f"line {number}"}]}}
        for number in range(100)
    ]

    text = told(written(tmp_path, *lines), 100)

    assert text is not None
    assert text.startswith("[assistant] line 0")
    assert text.endswith("line 99")
    assert "characters left out" in text


@pytest.mark.parametrize(
    "line",
    [b"no json\n", b"[1]\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", {"type": "assistant"},
     {"type": "assistant", "message": {"content": [7, {"type": "new"}]}},
     {"type": "assistant", "message": 7}],
)  # fmt: skip
def test_lines_that_say_nothing_are_passed_over(tmp_path: Path, line: object) -> None:
    assert told(written(tmp_path, line), 100) == ""


def test_no_transcript_is_none(tmp_path: Path) -> None:
    assert told(tmp_path / "nowhere.jsonl", 100) is None
