"""A clock and a git that say what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from claude_pool.domain.values import TaskSpec

from ..isolating import ChainIsolation
from ..runtime import Runtime


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


class NoIsolation(ChainIsolation):
    """What git did for chains is told by the recording."""

    async def prepare(self, chain_id: str, cause: int) -> None:
        """Nothing is made."""

    async def close(self, chain_id: str, cause: int) -> None:
        """Nothing is kept."""

    async def remove(self, chain_id: str) -> None:
        """There is nothing to take away."""


class WithoutGit(Runtime):
    """The runtime, but what git did is told by the recording."""

    def without_git(self, isolation: NoIsolation, heads: Mapping[str, str]) -> None:
        """Chains get no copies, either. `heads` are the commits that attempts left, as recorded."""
        self._isolation = isolation
        self._heads = heads

    async def _noted(self, attempt: str, spec: TaskSpec) -> str:  # noqa: ARG002
        return self._heads.get(attempt, "")

    async def _make_workplace(self, slot_id: str, cause: int) -> None:
        pass

    async def _keep_work(self, slot_id: str, remove: bool, cause: int) -> None:
        pass
