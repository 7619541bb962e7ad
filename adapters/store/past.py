"""A log as it stood after one of its appends, for whoever asks how things were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.ports import Head, Replayed
from claude_pool.domain.records import Event, Recorded

from .index import Index
from .reader import SqliteReader


class Past:
    """The reading half of a log, cut off after `position`. Lists over history are folded anew up to there."""

    def __init__(self, log: SqliteReader, position: int) -> None:
        """Take over `log`, which ends with `close`; `position` is one of its events'."""
        self._log = log
        self._position = position

    @property
    def moment(self) -> int:
        """When (ms) the last event was recorded."""
        return _recorded_at(self._log, self._position)

    @cached_property
    def index(self) -> Index:
        """Lists over history as of then, in memory. The first use takes time in proportion to the log."""
        return self._log.index_at(self._position)

    def read_stream(self, stream: str, after: int = 0) -> tuple[Recorded, ...]:
        """See `EventLog.read_stream`."""
        return tuple(r for r in self._log.read_stream(stream, after) if r.position <= self._position)

    def later(self, stream: str) -> Recorded | None:
        """The first event of a stream that began after the cut; None: it began before, or never."""
        first = next(iter(self._log.read_stream(stream)), None)
        return first if first is not None and first.position > self._position else None

    def read_all(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """See `EventLog.read_all`."""
        return self._log.read_all(after, self._position if until is None else min(until, self._position))

    def read_latest(
        self, kinds: Sequence[type[Event]], after: int, until: int, limit: int
    ) -> tuple[Recorded, ...]:
        """See `EventLog.read_latest`."""
        return self._log.read_latest(kinds, after, min(until, self._position), limit)

    def read_events(self, after: int = 0, until: int | None = None) -> Iterator[Replayed]:
        """What `read_all` gives, without most metadata, in less time: for folds."""
        return self._log.read_events(after, self._position if until is None else min(until, self._position))

    @property
    def path(self) -> Path:
        """The file of the whole log."""
        return self._log.path

    def head_at(self, position: int) -> Head:
        """The head as it was after the event at `position`; `LogBroken`: there is none."""
        return self._log.head_at(position)

    def head(self) -> Head:
        """The position, and the hash of its event."""
        return self._log.head_at(self._position)

    def close(self) -> None:
        """Release the log and what was made of it."""
        if "index" in self.__dict__:
            self.index.close()
        self._log.close()


def position_at(log: SqliteReader, position: int | None, moment: int | None, argument: str) -> int:
    """The end of the append that is meant: of this position, or the last one at or before `moment` (ms).

    A pool never stood between two facts of one append. `argument` is named in errors.

    Raises:
        InvalidArgument: the log has no such position, or began later.
    """
    end = log.head().position
    if not end:
        raise InvalidArgument(argument=argument, problem="the log holds no events yet")
    if position is not None:
        if not 1 <= position <= end:
            problem = f"{position} is no position of the log, which has 1 to {end}"
            raise InvalidArgument(argument=argument, problem=problem)
        return _whole(log, position)
    assert moment is not None
    if _recorded_at(log, 1) > moment:
        began = datetime.fromtimestamp(_recorded_at(log, 1) / 1000, UTC)
        problem = f"the log began later, at {began:%Y-%m-%dT%H:%M:%SZ}"
        raise InvalidArgument(argument=argument, problem=problem)
    low, high = 1, end  # times never go back from one event to the next
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _recorded_at(log, middle) <= moment else (low, middle - 1)
    return low


def _whole(log: SqliteReader, position: int) -> int:
    """The last position of the append that the event at `position` came in."""
    command = None
    for recorded in log.read_all(position - 1):
        if command is not None and recorded.meta.command_id != command:
            break
        command, position = recorded.meta.command_id, recorded.position
    return position


def _recorded_at(log: SqliteReader, position: int) -> int:
    return next(log.read_all(position - 1, position)).meta.recorded_at
