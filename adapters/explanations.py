"""Why something is as it is: which events answer that, and the answer as callers see it.

Events are looked for in streams, around appends, and in bounded stretches of the log, never in all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Protocol

from claude_pool.domain import chain, slot, task
from claude_pool.domain.answers import Answer
from claude_pool.domain.causes import concerns, tree
from claude_pool.domain.chain_board import chain_card
from claude_pool.domain.chain_events import StepStarted
from claude_pool.domain.errors import InvalidArgument, NotFound
from claude_pool.domain.ledger import DAY, TAG, WHOLE
from claude_pool.domain.pool_events import FundsToppedUp
from claude_pool.domain.ports import Head
from claude_pool.domain.prices import PriceList
from claude_pool.domain.records import Event, Recorded
from claude_pool.domain.story import story
from claude_pool.domain.task_board import task_card
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
)
from claude_pool.domain.values import is_task_id, kind_of
from claude_pool.domain.why_chain import chain_answer
from claude_pool.domain.why_money import LIMIT_TURNS, money_answer
from claude_pool.domain.why_pool import POOL_TURNS, pool_answer
from claude_pool.domain.why_slot import slot_answer
from claude_pool.domain.why_task import task_answer
from claude_pool.domain.world import POOL, World

from .streams import chain_of, task_of
from .views import View

SLOT_EVENTS = 200
"""So many of a slot's latest events are told."""

STRETCH = 100_000
"""So many positions back the turns of the pool and of its limits are looked for."""

BEGINNING = 1_000
"""Where there are none, they are looked for among so many first positions: there the first start set them."""

AROUND = 16
"""So far from an attempt's event those of the same append are looked for."""

TOP_UPS_SOUGHT = 20_000
"""So many positions of attempts, the last ones, are searched for money that was added."""

_ENDS = (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed)
_TAG = re.compile(r"tag:.+", re.DOTALL)
_TURNS_TOLD = 20


class Log(Protocol):
    """What of an `EventLog` answers take."""

    def read_stream(self, stream: str, after: int = 0) -> tuple[Recorded, ...]:
        """See `EventLog.read_stream`."""
        ...

    def read_all(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """See `EventLog.read_all`."""
        ...

    def read_latest(
        self, kinds: Sequence[type[Event]], after: int, until: int, limit: int
    ) -> tuple[Recorded, ...]:
        """See `EventLog.read_latest`."""
        ...

    def head(self) -> Head:
        """See `EventLog.head`."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: `kind` is task, chain, slot, pool or money; `scope` is money's."""

    name: str
    kind: str
    scope: str = WHOLE


@dataclass(frozen=True, slots=True)
class Evidence:
    """The events that answer: the subject's own, those with what else their appends held, and the steps'."""

    own: tuple[Recorded, ...]
    together: tuple[Recorded, ...]
    steps: dict[str, tuple[Recorded, ...]] = field(default_factory=dict[str, tuple[Recorded, ...]])


def subject_of(name: str) -> Subject:
    """What an id names; that of an attempt (`task-….1`) its task.

    Raises:
        InvalidArgument: nothing that can be asked about.
    """
    task_id, _, number = name.partition(".")
    if is_task_id(task_id) and number.isdecimal():
        name = task_id
    kind = kind_of(name)
    if kind is not None:
        return Subject(name, kind)
    if name == POOL:
        return Subject(name, "pool")
    if name in ("budget", "money"):
        return Subject("budget", "money")
    if _TAG.fullmatch(name):
        return Subject(name, "money", name)
    if name == DAY or name.startswith(f"{DAY}:"):
        return Subject(name, "money", DAY)
    problem = "say the id of a task, chain or slot, or pool, budget, day:YYYY-MM-DD or tag:NAME"
    raise InvalidArgument(argument="id", problem=problem)


def evidence(log: Log, subject: Subject, version: int) -> Evidence:
    """The events that tell why `subject` is as it is. `version` is that of a slot's
    stream; others may give 0. Blocks.

    Raises:
        NotFound: the log knows no such task, chain or slot.
    """
    if subject.kind in ("pool", "money"):
        end = log.head().position
        kinds = POOL_TURNS if subject.kind == "pool" else LIMIT_TURNS
        own = log.read_latest(kinds, max(0, end - STRETCH), end, _TURNS_TOLD)
        own = own or log.read_latest(kinds, 0, min(end, BEGINNING), _TURNS_TOLD)
        return Evidence(own, own)
    after = max(0, version - SLOT_EVENTS) if subject.kind == "slot" else 0
    own = log.read_stream(subject.name, after)
    if not own:
        verb = {"task": "tasks", "chain": "chain list"}.get(subject.kind, "slots")
        hint = f"`claude-pool {verb}` lists what there is."
        raise NotFound(kind=subject.kind, id=subject.name, hint=hint)
    if subject.kind == "task":
        return Evidence(own, _with_appends(log, subject.name, own))
    started = [each.event.task_id for each in own if isinstance(each.event, StepStarted)]
    return Evidence(own, own, {task_id: log.read_stream(task_id) for task_id in started})


def _with_appends(log: Log, task_id: str, own: tuple[Recorded, ...]) -> tuple[Recorded, ...]:
    """The events of a task, and those of slots and money that tell of its attempts."""
    found = {each.position: each for each in own}
    commands = {each.meta.command_id for each in own}
    for at in own:
        if isinstance(at.event, (AttemptStarted, *_ENDS)):
            near = log.read_all(max(0, at.position - AROUND), at.position + AROUND)
            mine = (
                n for n in near if n.meta.command_id in commands and concerns(n.stream, n.event) == task_id
            )
            found |= {each.position: each for each in mine}
    for each in _top_ups(log, own):
        if concerns(each.stream, each.event) == task_id:
            found[each.position] = each
    return tuple(found[position] for position in sorted(found))


def _top_ups(log: Log, own: tuple[Recorded, ...]) -> Iterator[Recorded]:
    end, left = log.head().position, TOP_UPS_SOUGHT
    for at in reversed(own):
        if isinstance(at.event, _ENDS):
            end = at.position
        elif isinstance(at.event, AttemptStarted) and left > 0:
            after = max(at.position, end - left)
            left -= end - after
            yield from log.read_latest((FundsToppedUp,), after, end, left + 1 if left > 0 else 1)


def why_view(subject: Subject, found: Evidence, world: World, now: int, prices: PriceList) -> View:
    """Why `subject` is as it is at `now` (ms), as callers see it. `prices` are those of now.

    Raises:
        NotFound, InvalidArgument: there is no such thing.
    """
    waits: View = {}
    match subject.kind:
        case "task":
            at = task_of(found.own)
            assert not isinstance(at, task.Absent)
            card = task_card(at, now, world)
            waits = {"reason": card.reason, "until": card.until}
            answer = task_answer(at, found.together, world, now, prices)
        case "chain":
            chained = chain_of(found.own)
            assert not isinstance(chained, chain.Absent)
            seen = chain_card(chained, now, world)
            waits = {"reason": seen.reason}
            answer = chain_answer(seen, found.own)
        case "slot":
            answer = slot_answer(_slot(world, subject.name), found.own, world, now)
        case "pool":
            answer = pool_answer(found.own, world, now)
        case _:
            _require_account(subject, world, now)
            answer = money_answer(subject.scope, found.own, world, now)
    said = {name: value for name, value in waits.items() if value is not None}
    return {**_answer_view(answer), **said, **_events_view(subject, found)}


def _slot(world: World, slot_id: str) -> slot.Present:
    try:
        return world.slots[slot_id]
    except KeyError:
        raise NotFound(kind="slot", id=slot_id, hint="`claude-pool slots` lists what there is.") from None


def _require_account(subject: Subject, world: World, now: int) -> None:
    budget = world.open_pool().budget
    if subject.scope == DAY and subject.name != DAY:
        try:
            date.fromisoformat(subject.name.partition(":")[2])
        except ValueError:
            raise InvalidArgument(argument="id", problem="a day is day:YYYY-MM-DD") from None
        today = budget.account_now(DAY, now)
        if subject.name != today:
            hint = f"Only {today} is open; `claude-pool cost --by day` tells of the others."
            raise NotFound(kind="open day", id=subject.name, hint=hint)
    if subject.scope.startswith(TAG) and subject.scope not in budget.scopes:
        hint = "No limit was ever set for it; `claude-pool cost --by tag` tells what it cost."
        raise NotFound(kind="account", id=subject.name, hint=hint)


def _answer_view(answer: Answer) -> View:
    view: View = {
        "id": answer.subject,
        "state": answer.state,
        "question": answer.question,
        "because": [asdict(each) for each in answer.because],
    }
    if answer.do is not None:
        view["do"] = answer.do
    if answer.ahead is not None:
        view["ahead"] = answer.ahead
    return view


def _events_view(subject: Subject, found: Evidence) -> View:
    rooted = subject.kind in ("task", "chain", "slot")
    branches = tree(subject.name, found.together, found.steps) if rooted else ()
    return {
        "story": [asdict(each) for each in story(found.own)],
        "tree": [asdict(each) for each in branches],
    }
