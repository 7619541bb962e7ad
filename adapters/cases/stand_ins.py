"""A clock and a git that say what was recorded."""

from __future__ import annotations

from collections.abc import Iterable

from claude_pool.domain.records import Recorded
from claude_pool.domain.values import Part

from ..attempts import Note
from .recording import heads


class RecordedTime:
    """A `System` whose clock shows the recorded times, and whose names are the recorded ones."""

    def __init__(self) -> None:
        """The clock has not been set."""
        self.time = 0
        self.command = ""
        self._messages: list[str] = []
        self._made = 0

    def expect(self, message_ids: Iterable[str]) -> None:
        """These ids of slots' messages come next."""
        self._messages += message_ids

    def now(self) -> int:
        """See `System.now`."""
        return self.time

    def begin_after(self, recorded: int) -> int:
        """See `System.begin_after`."""
        self.time = max(self.time, recorded)
        return 0

    def catch_up(self) -> None:
        """See `System.catch_up`."""

    def of_wall(self, moment: int) -> int:
        """See `System.of_wall`."""
        return moment

    def new_id(self, kind: str) -> str:
        """See `System.new_id`."""
        if kind == "msg" and self._messages:
            return self._messages.pop(0)
        if kind == "cmd" and self.command:
            name, self.command = self.command, ""
            return name
        self._made += 1
        digits = [self._made >> shift & 31 for shift in range(75, -1, -5)]
        return f"{kind}-" + "".join("abcdefghijklmnopqrstuvwxyz234567"[digit] for digit in digits)


def recorded_heads(events: Iterable[Recorded]) -> Note:
    """What git did is told by the recording: the commits with what attempts left in their chains' copies."""
    by_attempt = heads(events)

    async def note(attempt: str, _part: Part) -> str:
        return by_attempt.get(attempt, "")

    return note
