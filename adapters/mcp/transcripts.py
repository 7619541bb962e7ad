"""Reads transcripts for clients: files of lines, named by attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from claude_pool.domain.values import attempt_id

ReadTranscript = Callable[[str, int], Awaitable[str | None]]
"""Task id and number of an attempt (0: none yet) -> its lines, or None where there are none."""

SHOWN_BYTES = 4 * 1024 * 1024
"""Of a longer transcript only the end is read."""


def transcripts_in(folder: Path) -> ReadTranscript:
    """The transcripts in `folder`."""

    async def read(task_id: str, attempt: int) -> str | None:
        return await asyncio.to_thread(_end_of, folder / f"{attempt_id(task_id, attempt)}.jsonl")

    return read


def _end_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - SHOWN_BYTES))
            content = file.read()
    except FileNotFoundError:
        return None
    if size > SHOWN_BYTES:
        content = content.partition(b"\n")[2]
    return content.decode("utf-8", "replace")
