"""Transcripts for people: what was said and which tools were used, without the machinery around it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

_TOOL_LENGTH = 300
_LINE_BYTES = 1024 * 1024


def told(path: Path, most: int) -> str | None:
    """What a slot printed in an attempt, in at most about `most` characters: the beginning and the end of it.

    None where there is no transcript.
    """
    try:
        with path.open("rb") as file:
            parts = [part for line in file if len(line) <= _LINE_BYTES for part in _said(line)]
    except OSError:
        return None
    text = "\n".join(parts)
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _said(line: bytes) -> Iterator[str]:
    try:
        message: object = json.loads(line)
    except (ValueError, RecursionError):
        return
    if not isinstance(message, dict):
        return
    kind = cast("Mapping[str, object]", message).get("type")
    if kind not in ("assistant", "user"):
        return
    inner = cast("Mapping[str, object]", message).get("message")
    content = cast("Mapping[str, object]", inner).get("content") if isinstance(inner, dict) else None
    if isinstance(content, str):
        yield f"[{kind}] {content}"
    elif isinstance(content, list):
        for block in cast("list[object]", content):
            if isinstance(block, dict) and (shown := _block(str(kind), cast("Mapping[str, object]", block))):
                yield shown


def _block(kind: str, block: Mapping[str, object]) -> str:
    match block.get("type"):
        case "text":
            return f"[{kind}] {block.get('text')}"
        case "tool_use":
            return f"[uses {block.get('name')}] {_short(block.get('input'))}"
        case "tool_result":
            failed = " failed" if block.get("is_error") else ""
            return f"[result{failed}] {_short(block.get('content'))}"
        case _:
            return ""


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _TOOL_LENGTH else text[:_TOOL_LENGTH] + "…"
