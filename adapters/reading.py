"""The pool read from its log alone, for when no owner runs: the same folds, another cursor."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from claude_pool.domain import chain, task
from claude_pool.domain.errors import InvalidArgument, NotFound
from claude_pool.domain.ports import Replayed
from claude_pool.domain.prices import PriceList
from claude_pool.domain.records import Recorded
from claude_pool.domain.values import Text, is_chain_id, is_task_id, kind_of
from claude_pool.domain.world import World

from .places import Places
from .store.blobs import BlobStore
from .store.past import Past, position_at
from .store.reader import SqliteReader, open_reader
from .store.registry import default_codec
from .store.snapshots import load_snapshot
from .streams import chain_of, task_of
from .views import View, chain_view, message_view, status_view, task_view

if TYPE_CHECKING:
    from claude_pool.domain.chain_board import ChainCard
    from claude_pool.domain.costs import By
    from claude_pool.domain.task_board import TaskCard

TERMINAL_STATES = ("completed", "failed", "cancelled")


class At(NamedTuple):
    """Where a log is to end: after a position, or after the last event at or before a moment (ms).

    `argument` is what errors call it.
    """

    position: int | None
    moment: int | None
    argument: str = "--at"


class LogReader:
    """Views of a pool that is not running, or as it stood. Nothing is written; close it when done."""

    def __init__(self, places: Places, version: str, at: At | None = None) -> None:
        """Open the log of `places`, and let it end where `at` says.

        Raises:
            StoreUnreadable, LogNewer, LogBroken: it cannot be read.
            InvalidArgument: the log has no such position, or began later.
        """
        self._log: SqliteReader | Past = open_reader(Path(places.log), default_codec())
        self._moment: int | None = None
        if at is not None:
            self._log, self._moment = _cut(self._log, at)
        self._texts = BlobStore(places.blobs)
        self._version = version
        self._world: World | None = None

    def close(self) -> None:
        """Release the log."""
        self._log.close()

    def _now(self) -> int:
        return time.time_ns() // 1_000_000 if self._moment is None else self._moment

    def world(self) -> World:
        """The live view at the end of the log."""
        if self._world is None:
            self._world = folded(self._log)
        return self._world

    def status(self) -> View:
        """The pool as the log leaves it."""
        from claude_pool.domain.pool_status import pool_status

        return status_view(pool_status(self.world(), self._version))

    def budget(self) -> View:
        """The budget, today by this machine's clock."""
        from .budgets import budget_view

        return budget_view(self.world(), self._now())

    def slots(self) -> list[View]:
        """The slots that are not retired."""
        found: list[View] = self.status()["slots"]
        return found

    def context(self) -> View:
        """The shared context."""
        at = self.world().open_pool()
        return {"values": dict(sorted(at.context.items())), "version": at.context_version}

    def messages(self, owner: str) -> View:
        """The latest messages of an inbox, oldest first, and how many wait.

        Raises:
            NotFound: there is no such slot.
        """
        from claude_pool.domain.inbox import latest
        from claude_pool.domain.messaging import inbox_of

        inbox = inbox_of(self.world(), owner)
        shown = [message_view(owner, each, self._texts.get(each.content)) for each in latest(inbox)]
        return {"messages": shown, "waiting": len(inbox.waiting)}

    def task(self, task_id: str) -> View:
        """A task's view.

        Raises:
            InvalidArgument: not a task's id. NotFound: there is no such task.
        """
        return task_view(self.task_card(task_id), self._texts.get)

    def task_card(self, task_id: str) -> TaskCard:
        """A task as its callers see it; errors as of `task`."""
        from claude_pool.domain.task_board import task_card

        if not is_task_id(task_id):
            raise InvalidArgument(argument="task_id", problem="a task's id is task- and 16 letters or digits")
        state = task_of(self._log.read_stream(task_id))
        if isinstance(state, task.Absent):
            raise self._missing("task", task_id)
        return task_card(state, self._now(), self.world())

    def task_cards(self) -> Iterator[TaskCard]:
        """All tasks as their callers see them, in the order of their submission."""
        for row in reversed(self._log.index.list_tasks(limit=-1)):
            yield self.task_card(row.task_id)

    def tasks(
        self,
        state: str | None = None,
        tag: str | None = None,
        slot: str | None = None,
        limit: int = 50,
        cursor: int | None = None,
    ) -> View:
        """Tasks of all times, the latest first, with the cursor of the next page."""
        rows = self._log.index.list_tasks(
            state=state, tag=tag, slot=slot, limit=limit + 1, before_position=cursor
        )
        more = rows[limit - 1].submitted_position if len(rows) > limit else None
        return {"tasks": [self.task(row.task_id) for row in rows[:limit]], "cursor": more}

    def chain(self, chain_id: str) -> View:
        """A chain's view.

        Raises:
            InvalidArgument: not a chain's id. NotFound: there is no such chain.
        """
        return chain_view(self.chain_card(chain_id), self._texts.get)

    def diff(self, chain_id: str) -> str:
        """What a chain changed in its copy of the repository; empty where it changed nothing."""
        found = self.chain_card(chain_id).diff
        return "" if found is None else self._texts.get(found)

    def chain_card(self, chain_id: str) -> ChainCard:
        """A chain as its callers see it; errors as of `chain`."""
        from claude_pool.domain.chain_board import chain_card

        if not is_chain_id(chain_id):
            raise InvalidArgument(
                argument="chain_id", problem="a chain's id is chain- and 16 letters or digits"
            )
        state = chain_of(self._log.read_stream(chain_id))
        if isinstance(state, chain.Absent):
            raise NotFound(kind="chain", id=chain_id, hint="`claude-pool chain list` lists what there is.")
        return chain_card(state, self._now(), self.world())

    def chain_cards(self) -> Iterator[ChainCard]:
        """All chains as their callers see them, in the order of their submission."""
        for row in reversed(self._log.index.list_chains(limit=-1)):
            yield self.chain_card(row.chain_id)

    def text(self, text: Text) -> str:
        """A text of an event, wherever it lies."""
        return self._texts.get(text)

    def chains(self, state: str | None, limit: int) -> list[View]:
        """Chains of all times, the latest first."""
        return [self.chain(row.chain_id) for row in self._log.index.list_chains(state, limit)]

    def costs(
        self,
        by: By,
        *,
        since: int | None = None,
        until: int | None = None,
        model: str | None = None,
        tag: str | None = None,
        chain: str | None = None,
        task: str | None = None,
        limit: int | None = None,
    ) -> View:
        """Who spent what in [`since`, `until`] (ms): `limit` rows at most, and one for all others.

        Raises:
            InvalidArgument, NotFound: there is no such chain or task.
        """
        from claude_pool.domain.costs import report

        from .costs import costs_view
        from .store.index_costs import Wanted

        for kind, subject in (("chain", chain), ("task", task)):
            if subject is not None:
                self._require(kind, subject)
        index = self._log.index.costs
        attempts = index.attempts(Wanted(since, until, model, tag, chain, task))
        all_of_them = model is tag is chain is task is None
        charges = index.charges(since, until) if all_of_them else ()
        return costs_view(report(by, attempts, charges, limit), index.allowance())

    def forecast(self, owned: bool, slots: int | None = None, limit: int | None = None) -> View:
        """What will become of the present queue, or would with so many slots and so high a limit.

        `owned` says whether an owner is at work; `limit` is in microdollars.
        """
        from .forecast import WhatIf, forecast_view, foreseen

        now, what_if = self._now(), WhatIf(slots, limit)
        return forecast_view(
            foreseen(self.world(), self._log.index.samples(), now, owned=owned, what_if=what_if)
        )  # fmt: skip

    def _require(self, kind: str, subject: str) -> None:
        if kind_of(subject) != kind:
            problem = f"a {kind}'s id is {kind}- and 16 letters or digits"
            raise InvalidArgument(argument=kind, problem=problem)
        if not self._log.read_stream(subject):
            raise self._missing(kind, subject)

    def _missing(self, kind: str, subject: str) -> NotFound:
        """What to say of a subject without events: in the past it may only have come later."""
        later = self._log.later(subject) if isinstance(self._log, Past) else None
        if later is not None:
            hint = f"It came later: its first event is {later.position}."
        else:
            verb = {"task": "tasks", "chain": "chain list"}.get(kind, "slots")
            hint = f"`claude-pool {verb}` lists what there is."
        return NotFound(kind=kind, id=subject, hint=hint)

    def events(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """Events by position, in (after, until]."""
        return self._log.read_all(after, until)

    def facts(self, after: int = 0, until: int | None = None) -> Iterator[Replayed]:
        """What `events` gives, in the cheapest form that a fold can do with."""
        return self._log.read_events(after, until)

    def end(self) -> int:
        """The position of the last event."""
        return self._log.head().position

    def snapshot(self, position: int) -> World | None:
        """The live view as it was kept at some event up to `position`, if it was; it is the caller's."""
        kept = load_snapshot(self._log.path, self._log, position)
        return None if kept is None else kept.world

    def why(self, subject: str, prices: PriceList) -> View:
        """Why a task, chain, slot, the pool or money is as it is, at `prices`: see `explanations`.

        Raises:
            InvalidArgument, NotFound: there is no such thing.
        """
        from .explanations import evidence, subject_of, why_view

        asked = subject_of(subject)
        version = self.world().versions.get(asked.name, 0) if asked.kind == "slot" else 0
        try:
            found = evidence(self._log, asked, version)
        except NotFound:
            raise self._missing(asked.kind, asked.name) from None
        world = World() if _is_over(asked.kind, found.own) else self.world()
        return why_view(asked, found, world, self._now(), prices)


def _is_over(kind: str, events: Sequence[Recorded]) -> bool:
    """Whether nothing of the present is needed to tell why."""
    if kind == "task":
        return isinstance(task_of(events), (task.Completed, task.Failed, task.Cancelled))
    return kind == "chain" and isinstance(chain_of(events), (chain.Completed, chain.Failed, chain.Cancelled))


def _cut(log: SqliteReader, at: At) -> tuple[Past, int]:
    try:
        past = Past(log, position_at(log, at.position, at.moment, at.argument))
    except BaseException:
        log.close()
        raise
    return past, past.moment if at.moment is None else max(at.moment, past.moment)


def folded(log: SqliteReader | Past) -> World:
    """The live view at the end of a log, folded from its snapshot on where there is one that counts.

    Without one, what finished tasks did is counted from the log's index, or in the past, for which there is
    none yet, folded.
    """
    snapshot = load_snapshot(log.path, log, log.head().position)
    if snapshot is None and isinstance(log, SqliteReader):
        return _alive(log)
    if snapshot is None:
        from .store.folding import whole_view

        return whole_view(log.path, log.head().position)
    world = snapshot.world
    for position, stream, version, event, *_ in log.read_events(world.position):
        world.apply(position, stream, version, event)
    return world


def _alive(log: SqliteReader) -> World:
    world, head, index = World(), log.head(), log.index
    for position, stream, version, event, *_ in log.read_alive():
        world.apply(position, stream, version, event)
    world.position = head.position
    world.completed, world.failed, world.cancelled = (index.count(state) for state in TERMINAL_STATES)
    return world
