"""The log in memory: for programs and tests that keep nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from claude_pool.domain.ports import Head, Replayed
from claude_pool.domain.records import Event, Fact, Meta, Recorded

from .chain import EMPTY, Row, chained, check_chain, check_expected, decoded, drafts, replayed, verified
from .codec import Codec, topic_of
from .index import Index
from .wakes import Wakes

_NAME = "memory"


class MemoryEventLog:
    """The port `EventLog` without a file. Events go through the same bytes and the same chain."""

    def __init__(self, codec: Codec) -> None:
        """Begin empty."""
        self._codec = codec
        self._rows: list[Row] = []
        self._versions: dict[str, int] = {}
        self._wakes = Wakes()
        self._index = Index.in_memory()

    @property
    def index(self) -> Index:
        """Lists over history, as of the last append."""
        return self._index

    def append(self, facts: Sequence[Fact], expected: Mapping[str, int], meta: Meta) -> tuple[Recorded, ...]:
        """See `EventLog.append`."""
        entries = drafts(self._codec, facts, expected, meta, _NAME)
        if not entries:
            return ()
        check_expected(expected, {stream: self._versions.get(stream, 0) for stream in expected})
        rows = chained(entries, self.head())
        recorded = tuple(decoded(self._codec, rows, _NAME))
        self._index.extend(
            (r.position, r.stream, r.event, meta.recorded_at, row[4])
            for r, row in zip(recorded, rows, strict=True)
        )
        self._rows += rows
        self._versions |= {row[1]: row[2] for row in rows}
        self._wakes.ring(self.head())
        return recorded

    def read_stream(self, stream: str, after: int = 0) -> tuple[Recorded, ...]:
        """See `EventLog.read_stream`."""
        rows = (row for row in self._rows if row[1] == stream and row[2] > after)
        return tuple(decoded(self._codec, rows, _NAME))

    def read_all(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """See `EventLog.read_all`."""
        return decoded(self._codec, self._rows[after:until], _NAME)

    def read_latest(
        self, kinds: Sequence[type[Event]], after: int, until: int, limit: int
    ) -> tuple[Recorded, ...]:
        """See `EventLog.read_latest`."""
        topics = {topic_of(kind) for kind in kinds}
        rows = [row for row in self._rows[after:until] if row[3] in topics]
        return tuple(decoded(self._codec, rows[-limit:], _NAME))

    def read_events(
        self, after: int = 0, until: int | None = None, *, check: bool = False
    ) -> Iterator[Replayed]:
        """What `read_all` gives, without most metadata; `check` verifies the chain on the way."""
        rows = self._rows[after:until]
        return replayed(self._codec, (verified(rows, self.head_at(after), _NAME) if check else rows,), _NAME)

    def head(self) -> Head:
        """See `EventLog.head`."""
        return self.head_at(len(self._rows))

    def verify(self, tail: int | None = None) -> Head:
        """Check the chain of the last `tail` events, or of all; the head checked."""
        after = 0 if tail is None else max(0, len(self._rows) - tail)
        return check_chain(self._rows[after:], self.head_at(after), _NAME)

    def on_append(self, wake: Callable[[Head], None]) -> Callable[[], None]:
        """See `EventLog.on_append`."""
        return self._wakes.add(wake)

    def close(self) -> None:
        """Release the index."""
        self._index.close()

    def head_at(self, position: int) -> Head:
        return Head(position, self._rows[position - 1][5]) if position else EMPTY
