"""Rows of the log and the SHA-256 chain over them, the same for every kind of log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from claude_pool.domain.errors import LogBroken, LogNewer, StoreError, VersionConflict
from claude_pool.domain.ports import Head, Replayed
from claude_pool.domain.records import Fact, Meta, Recorded

from .codec import Codec, Sealed, Unencodable, UnknownEvent, meta_of

if TYPE_CHECKING:
    from .index import Indexed

Row = tuple[int, str, int, str, bytes, bytes]
"""position, stream, version, topic, envelope, hash: as the log keeps an event."""

Draft = tuple[str, int, str, bytes]
"""stream, version, topic, envelope: what the log is asked to keep."""

EMPTY = Head(0, sha256(b"claude-pool event log, envelope v1").digest())
"""The head of a log without events, and so the beginning of every chain."""


def link(previous: bytes, position: int, version: int, stream: str, topic: str, state: bytes) -> bytes:
    """The hash of a row; lengths are hashed with the parts, so that no two rows read the same."""
    name, kind = stream.encode(), topic.encode()
    return sha256(
        b"%b%d,%d,%d,%d,%b%b%b" % (previous, position, version, len(name), len(kind), name, kind, state)
    ).digest()


def drafts(
    codec: Codec, facts: Sequence[Fact], expected: Mapping[str, int], meta: Meta, path: str
) -> list[Draft]:
    """Encode `facts` and give each the next version of its stream.

    Raises:
        StoreError: an event cannot be encoded.
        ValueError: a stream that `facts` touch has no expected version.
    """
    versions = dict(expected)
    result: list[Draft] = []
    for fact in facts:
        if fact.stream not in versions:
            raise ValueError(f"no expected version for stream {fact.stream}")
        versions[fact.stream] += 1
        try:
            fact.stream.encode()
            topic, state = codec.encode(fact.event, meta)
        except (Unencodable, UnicodeEncodeError) as error:
            raise StoreError(path=path, problem=str(error)) from error
        result.append((fact.stream, versions[fact.stream], topic, state))
    return result


def check_expected(expected: Mapping[str, int], actual: Mapping[str, int]) -> None:
    """Raise `VersionConflict` for the first stream that is not at the version it is expected at."""
    for stream, version in expected.items():
        if actual[stream] != version:
            raise VersionConflict(stream=stream, actual=actual[stream], expected=version)


def chained(entries: Iterable[Draft], head: Head) -> list[Row]:
    """`entries` with positions and hashes that continue the chain at `head`."""
    position, previous = head.position, head.hash
    rows: list[Row] = []
    for stream, version, topic, state in entries:
        position += 1
        previous = link(previous, position, version, stream, topic, state)
        rows.append((position, stream, version, topic, state, previous))
    return rows


def check_chain(rows: Iterable[Row], start: Head, path: str) -> Head:
    """Check that `rows` continue the chain at `start`, without a gap; the head they end at.

    Raises:
        LogBroken: with the first position that is missing or not what was written.
    """
    end = deque(verified(rows, start, path), maxlen=1)
    return Head(end[0][0], end[0][5]) if end else start


def verified(rows: Iterable[Row], start: Head, path: str) -> Iterator[Row]:
    """`rows`, each after it was found to continue the chain at `start`; errors as in `check_chain`."""
    position, previous = start.position, start.hash
    for row in rows:
        found, stream, version, topic, state, digest = row
        position += 1
        if found != position:
            raise LogBroken(path=path, position=position, problem=f"the next event is at {found}")
        try:
            previous = link(previous, position, version, stream, topic, state)
        except (TypeError, AttributeError):
            previous = b""  # A flipped bit can change the type of a column, too.
        if previous != digest:
            raise LogBroken(path=path, position=position, problem="it is not what was written")
        yield row


_UNDECODABLE = (KeyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decoded(codec: Codec, rows: Iterable[Row], path: str) -> Iterator[Recorded]:
    """The events of `rows`.

    Raises:
        LogNewer: a newer program wrote one of them.
        LogBroken: one cannot be decoded.
    """
    meta: Meta | None = None
    for (position, stream, version, _, _, digest), sealed in _sealed(codec, rows, path):
        # Events of one append share their metadata, so mostly the last one can be used again.
        if (
            meta is None
            or meta.command_id != sealed.c
            or meta.recorded_at != sealed.t
            or meta.cause != sealed.u
            or meta.actor is not sealed.a
            or meta.correlation != (sealed.c if sealed.r is None else sealed.r)
        ):
            meta = meta_of(sealed)
        yield Recorded(position, stream, version, sealed.d, meta, digest)


def indexed(codec: Codec, rows: Iterable[Row], path: str) -> Iterator[Indexed]:
    """What the index is told of `rows`; errors as in `decoded`."""
    for (position, stream, _, _, state, _), sealed in _sealed(codec, rows, path):
        yield position, stream, sealed.d, sealed.t, state


def replayed(codec: Codec, batches: Iterable[Iterable[Row]], path: str) -> Iterator[Replayed]:
    """What `decoded` gives, in the cheapest form, of one batch of rows after the other."""
    decoders = codec.decoders
    position, topic = 0, ""
    try:
        for rows in batches:
            for position, stream, version, topic, state, _ in rows:
                sealed = decoders[topic](state)
                correlation = sealed.r
                if correlation is None:
                    correlation = sealed.c
                yield position, stream, version, sealed.d, sealed.t, correlation
    except _UNDECODABLE as error:
        raise _undecodable(codec, position, topic, error, path) from error


def _sealed(codec: Codec, rows: Iterable[Row], path: str) -> Iterator[tuple[Row, Sealed]]:
    decoders = codec.decoders
    row: Row = (0, "", 0, "", b"", b"")
    try:
        for row in rows:
            yield row, decoders[row[3]](row[4])
    except _UNDECODABLE as error:
        raise _undecodable(codec, row[0], row[3], error, path) from error


def _undecodable(codec: Codec, position: int, topic: str, error: Exception, path: str) -> StoreError:
    if topic in codec.decoders:
        return LogBroken(path=path, position=position, problem=f"it cannot be decoded: {error}")
    unknown: UnknownEvent = codec.unknown(topic)
    return LogNewer(path=path, found=unknown.topic, known=unknown.known, position=position)
