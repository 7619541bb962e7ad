"""What events point to outside the log: long texts and transcripts, held against what the events say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import cast

from claude_pool.domain.errors import PoolError
from claude_pool.domain.records import Event
from claude_pool.domain.task_events import AttemptCancelled, AttemptFailed, AttemptSealed, AttemptSucceeded
from claude_pool.domain.values import Text, Transcript, attempt_id

from .blobs import Texts

Ended = (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed)


def damage(position: int, stream: str, event: Event, texts: Texts, transcripts: Path) -> Iterator[str]:
    """What one event points to and that is missing or altered."""
    for text in texts_of(event):
        try:
            texts.get(text)
        except PoolError as error:
            yield f"[log_broken] event {position}: {error.message}"
    if (ended := transcript_of(stream, event)) is not None:
        name, wanted = ended
        if not holds(transcripts / name, wanted):
            yield f"[log_broken] event {position}: transcript {transcripts / name} is missing or altered"


def texts_of(value: object) -> Iterator[Text]:
    """The texts in files that an event, or a part of one, names."""
    if isinstance(value, Text):
        if value.blob is not None:
            yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts_of(getattr(value, field.name))
    elif isinstance(value, tuple):
        for part in cast("tuple[object, ...]", value):
            yield from texts_of(part)


def transcript_of(stream: str, event: Event) -> tuple[str, Transcript] | None:
    """The file name of the transcript that an attempt's end names, and what it must hold."""
    if not isinstance(event, Ended) or not event.outcome.transcript.length:
        return None
    return f"{attempt_id(stream, event.attempt)}.jsonl", event.outcome.transcript


def holds(path: Path, wanted: Transcript) -> bool:
    """Whether the file at `path` begins with the transcript that is `wanted`."""
    try:
        with path.open("rb") as file:
            content = file.read(wanted.length)
    except OSError:
        return False
    return len(content) == wanted.length and hashlib.sha256(content).hexdigest() == wanted.sha256
