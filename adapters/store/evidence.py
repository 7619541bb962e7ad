"""What events point to outside the log: long texts and transcripts, held against what the events say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

from claude_pool.domain.errors import PoolError
from claude_pool.domain.records import Event
from claude_pool.domain.task_events import AttemptCancelled, AttemptFailed, AttemptSealed, AttemptSucceeded
from claude_pool.domain.values import Text, Transcript, attempt_id

from .blobs import Texts

Ended = (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed)


def damage(position: int, stream: str, event: Event, texts: Texts, transcripts: Path) -> Iterator[str]:
    """What one event points to and that is missing or altered."""
    for text in _texts(event):
        try:
            texts.get(text)
        except PoolError as error:
            yield f"[log_broken] event {position}: {error.message}"
    if isinstance(event, Ended) and event.outcome.transcript.length:
        path = transcripts / f"{attempt_id(stream, event.attempt)}.jsonl"
        if not _holds(path, event.outcome.transcript):
            yield f"[log_broken] event {position}: transcript {path} is missing or altered"


def _texts(value: object) -> Iterator[Text]:
    if isinstance(value, Text):
        if value.blob is not None:
            yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))


def _holds(path: Path, wanted: Transcript) -> bool:
    try:
        with path.open("rb") as file:
            content = file.read(wanted.length)
    except OSError:
        return False
    return len(content) == wanted.length and hashlib.sha256(content).hexdigest() == wanted.sha256
