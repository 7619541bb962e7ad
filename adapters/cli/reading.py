"""What the shell needs of a log that it reads itself, because no owner runs or because nothing shall run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from claude_pool.domain.costs import By
from claude_pool.domain.records import Recorded

if TYPE_CHECKING:
    from claude_pool.domain.ports import Replayed
    from claude_pool.domain.prices import PriceList
    from claude_pool.domain.world import World

View = dict[str, Any]


class Reader(Protocol):
    """A pool's log, open for reading. Views have the names of the published interface."""

    def status(self) -> View:
        """The pool as the log leaves it."""
        ...

    def budget(self) -> View:
        """The budget, with every account that has limits."""
        ...

    def slots(self) -> list[View]:
        """The slots that are not retired."""
        ...

    def context(self) -> View:
        """The shared context: `values` and `version`."""
        ...

    def messages(self, owner: str) -> View:
        """The latest `messages` of an inbox, and how many are `waiting`.

        Raises:
            NotFound: there is no such slot.
        """
        ...

    def task(self, task_id: str) -> View:
        """A task's view.

        Raises:
            InvalidArgument, NotFound: there is no such task.
        """
        ...

    def tasks(
        self, state: str | None, tag: str | None, slot: str | None, limit: int, cursor: int | None
    ) -> View:
        """A page of `tasks`, the latest first, and the `cursor` of the next one."""
        ...

    def chain(self, chain_id: str) -> View:
        """A chain's view.

        Raises:
            InvalidArgument, NotFound: there is no such chain.
        """
        ...

    def chains(self, state: str | None, limit: int) -> list[View]:
        """Chains of all times, the latest first."""
        ...

    def diff(self, chain_id: str) -> str:
        """What a chain changed in its copy of the repository.

        Raises:
            InvalidArgument, NotFound: there is no such chain.
        """
        ...

    def costs(
        self,
        by: By,
        *,
        since: int | None,
        until: int | None,
        model: str | None,
        tag: str | None,
        chain: str | None,
        task: str | None,
        limit: int | None,
    ) -> View:
        """Who spent what in [`since`, `until`] (ms): `limit` `rows` and one for all others, and the `total`.

        Raises:
            InvalidArgument, NotFound: there is no such chain or task.
        """
        ...

    def forecast(self, owned: bool, slots: int | None = None, limit: int | None = None) -> View:
        """What will become of the present queue, or would with so many `slots` and so high a `limit`.

        `owned` says whether an owner is at work; `limit` is in microdollars.
        """
        ...

    def events(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """Events with positions in (`after`, `until`], in order."""
        ...

    def facts(self, after: int = 0, until: int | None = None) -> Iterator[Replayed]:
        """The same, in the cheapest form that a fold can do with."""
        ...

    def end(self) -> int:
        """The position of the last event."""
        ...

    def snapshot(self, position: int) -> World | None:
        """The live view as it was kept at some event up to `position`, if it was; it is the caller's."""
        ...

    def why(self, subject: str, prices: PriceList) -> View:
        """What led to the state of a task, chain or slot.

        Raises:
            NotFound: there is no such task or slot.
        """
        ...

    def close(self) -> None:
        """Release the log."""
        ...
