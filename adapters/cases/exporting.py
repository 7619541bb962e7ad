"""A case out of a log: what to take for a task, a chain or a range, and without whose credentials."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import msgspec
from claude_pool.domain.errors import InvalidArgument, NotFound, PoolError
from claude_pool.domain.records import Event
from claude_pool.domain.task_events import TaskSubmitted
from claude_pool.domain.values import Transcript, kind_of

from ..calling import VERSION
from ..places import Places
from ..reading import At
from ..redaction import Secrets
from ..share import Share
from ..store.blobs import BlobStore
from ..store.chain import EMPTY, Row, chained, decoded
from ..store.evidence import holds, texts_of, transcript_of
from ..store.past import position_at
from ..store.reader import SqliteReader, open_reader
from ..store.registry import default_codec
from .case import Asked, Case

Say = Callable[[str], None]
"""Is told from time to time what is done now."""

_encode = msgspec.json.Encoder(order="deterministic").encode


_TOLD_EVERY = 10_000


def gather(
    places: Places, subject: str | None, first: At | None, last: At | None, secrets: Secrets, say: Say
) -> Case:
    """The case of a task or chain, or of the events from `first` to `last`, without what `secrets` know.

    Raises:
        InvalidArgument: neither or both are given, or they are no such thing. NotFound: no task or chain.
        StoreUnreadable, LogNewer, LogBroken: the log cannot be read.
    """
    with open_reader(places.log, default_codec()) as log:
        asked = _asked(log, subject, first, last)
        say("reading the log")
        case = _gathered(log, places, asked, say)
    return _redacted(case, secrets) if secrets.any else case


def _asked(log: SqliteReader, subject: str | None, first: At | None, last: At | None) -> Asked:
    if subject is None:
        if first is None and last is None:
            problem = "say a task's or chain's id, or --from and --to"
            raise InvalidArgument(argument="[ID]", problem=problem)
        begin = 1 if first is None else _beginning(log, first)
        end = log.head().position if last is None else position_at(log, *last)
        if begin > end:
            raise InvalidArgument(argument="--from", problem=f"{begin} comes after the last event, {end}")
        return Asked(begin, end)
    if first is not None or last is not None:
        raise InvalidArgument(argument="--from", problem="an id has a beginning and an end of its own")
    if kind_of(subject) not in ("task", "chain"):
        raise InvalidArgument(argument="ID", problem=f"{subject} is not the id of a task or chain")
    positions = [r.position for stream in _streams(log, subject) for r in log.read_stream(stream)]
    if not positions:
        verb = "tasks" if kind_of(subject) == "task" else "chain list"
        hint = f"`claude-pool {verb}` lists what there is."
        raise NotFound(kind=kind_of(subject), id=subject, hint=hint)
    return Asked(
        _beginning(log, At(min(positions), None)), position_at(log, max(positions), None, "ID"), subject
    )


def _beginning(log: SqliteReader, first: At) -> int:
    """The first event of the append at this position, or of the first one at or after the moment."""
    end = log.head().position
    if first.position is not None:
        if not 1 <= first.position <= end:
            problem = f"{first.position} is no position of the log, which has 1 to {end}"
            raise InvalidArgument(argument=first.argument, problem=problem)
        command = next(log.read_all(first.position - 1, first.position)).meta.command_id
        begin = first.position
        while begin > 1 and next(log.read_all(begin - 2, begin - 1)).meta.command_id == command:
            begin -= 1
        return begin
    moment = first.moment or 0
    if moment <= next(log.read_all(0, 1)).meta.recorded_at:
        return 1
    return position_at(log, None, moment - 1, first.argument) + 1


def _streams(log: SqliteReader, subject: str) -> Iterable[str]:
    yield subject
    if kind_of(subject) == "chain":
        for row in log.index.list_tasks(limit=-1):
            submitted = log.read_stream(row.task_id)[0].event
            part = submitted.spec.part if isinstance(submitted, TaskSubmitted) else None
            if part is not None and part.chain_id == subject:
                yield row.task_id


def _gathered(log: SqliteReader, places: Places, asked: Asked, say: Callable[[str], None]) -> Case:
    rows = tuple(log.rows(asked.last))
    events = [(r.position, r.stream, r.event) for r in decoded(log.codec, rows, places.log)]
    present = {stream for position, stream, _ in events if position >= asked.first}
    texts, folder = BlobStore(places.blobs), Path(places.transcripts)
    blobs: dict[str, bytes] = {}
    transcripts: dict[str, bytes] = {}
    missing: list[str] = []
    for position, stream, event in events:
        if not position % _TOLD_EVERY:
            say(Share("gathering texts and transcripts", position, asked.last, "events"))
        if stream in present:
            _take_texts(event, texts, blobs, missing)
        ended = transcript_of(stream, event) if position >= asked.first else None
        if ended is not None:
            _take_transcript(folder, *ended, transcripts, missing)
    return Case(VERSION, asked, rows, transcripts, blobs, tuple(dict.fromkeys(missing)))


def _take_texts(event: Event, texts: BlobStore, blobs: dict[str, bytes], missing: list[str]) -> None:
    for text in texts_of(event):
        assert text.blob is not None
        if text.blob not in blobs:
            try:
                blobs[text.blob] = texts.get(text).encode()
            except PoolError:
                missing.append(f"blobs/{text.blob}")


def _take_transcript(
    folder: Path, name: str, wanted: Transcript, transcripts: dict[str, bytes], missing: list[str]
) -> None:
    if holds(folder / name, wanted):
        transcripts[name.removesuffix(".jsonl")] = (folder / name).read_bytes()[: wanted.length]
    else:
        missing.append(f"transcripts/{name}")


# -------------------------------------------------------------------------------- without credentials


def _redacted(case: Case, secrets: Secrets) -> Case:
    """The case with `[redacted:NAME]` for each value, and everything that names an altered text amended."""
    renamed: dict[str, tuple[str, int]] = {}
    blobs: dict[str, bytes] = {}
    for name, content in case.blobs.items():
        clean = secrets.clean(content.decode()).encode()
        digest = hashlib.sha256(clean).hexdigest()
        renamed[name] = digest, len(clean)
        blobs[digest] = clean
    transcripts: dict[str, bytes] = {}
    for name, content in case.transcripts.items():
        lines = [secrets.clean_line(line) for line in content.split(b"\n")]
        transcripts[name] = clean = b"\n".join(lines)
        renamed[hashlib.sha256(content).hexdigest()] = hashlib.sha256(clean).hexdigest(), len(clean)
    rows = [_clean_row(row, secrets, renamed) for row in case.rows]
    if tuple(rows) == case.rows and blobs == case.blobs and transcripts == case.transcripts:
        return case
    return Case(
        case.program, case.asked, tuple(chained([row[1:5] for row in rows], EMPTY)), transcripts, blobs,
        case.missing, redacted=True,
    )  # fmt: skip


def _clean_row(row: Row, secrets: Secrets, renamed: dict[str, tuple[str, int]]) -> Row:
    position, stream, version, topic, state, digest = row
    value = msgspec.json.decode(state)
    clean = _amended(secrets.clean_json(value), renamed)
    return row if clean == value else (position, stream, version, topic, _encode(clean), digest)


def _amended(value: Any, renamed: dict[str, tuple[str, int]]) -> Any:
    if isinstance(value, list):
        return [_amended(each, renamed) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    found = {key: _amended(each, renamed) for key, each in cast("dict[str, object]", value).items()}
    for name in ("blob", "sha256"):  # sizes of texts stay: what was reserved for a prompt goes by its size
        if found.get(name) in renamed:
            found[name], length = renamed[found[name]]
            if "length" in found:
                found["length"] = length
    return found
