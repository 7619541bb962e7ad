"""A recorded past beside the same with other settings, as callers see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.funding import Price, Quote
from claude_pool.domain.prices import PriceList
from claude_pool.domain.records import Recorded
from claude_pool.domain.values import is_chain_id

from ..views import View, usd
from .changes import ARGUMENT, Changes
from .course import Course
from .reading import appends, read
from .record import Append, Record
from .sums import Fate, Sums

_WAITING = ("pending", "parked", "running", "sealed", "pending_review")
_REFUSED = "refused"
_ABSENT = "not submitted"
_ACCEPTED = "accepted"

Tell = Callable[[str, int, int], None]
"""Hears what goes on, how much of it is done, and how much there is (0: not known)."""


def what_if(events: Iterable[Recorded], changes: Changes, prices: PriceList, tell: Tell) -> View:
    """Replay `events` as they were and with `changes`, and hold both against what happened.

    Raises:
        InvalidArgument: nothing was submitted in them, or the changes cannot hold.
    """
    was = Sums()
    record = read(_counted(appends(events), was, tell))
    if not was.fates:
        problem = "no task was submitted in this log up to there, so there is nothing to replay"
        raise InvalidArgument(argument=ARGUMENT, problem=problem)
    if not record.lives:
        problem = "no owner has run in this log up to there, so nothing tells what tasks would take"
        raise InvalidArgument(argument=ARGUMENT, problem=problem)

    def quote(model: str | None, context: int, permission_mode: str | None) -> Quote:
        return Quote(
            prices.least_call(model, context, permission_mode),
            prices.next_call(model, context, permission_mode),
        )

    again, _ = _played(record, Changes(), prices, quote, tell, "replaying it as it was")
    other, substitutes = (
        _played(record, changes, prices, quote, tell, "replaying it with other settings")
        if changes
        else (None, 0)
    )
    return view(changes, record, was, again, other, substitutes)


def _counted(log: Iterable[Append], sums: Sums, tell: Tell) -> Iterable[Append]:
    read = 0
    for number, append in enumerate(log):
        if number % 1000 == 0:
            tell("reading the log", read, 0)
        read += len(append.facts)
        sums.take(append.at, append.facts)
        yield append


def _played(
    record: Record, changes: Changes, prices: PriceList, price: Price, tell: Tell, what: str
) -> tuple[Sums, int]:
    course = Course(record, changes, prices, price, lambda done: tell(what, done, len(record.specs)))
    tell(what, 0, len(record.specs))
    sums = course.run()
    return sums, course.substitutes


def view(
    changes: Changes, record: Record, was: Sums, again: Sums, other: Sums | None, substitutes: int
) -> View:
    """What came of the record, of its replay, and (None: nothing was to be otherwise) of the scenario."""
    moved = [] if other is None else list(_changed(was, again, other))
    return {
        "settings": {**changes.given, **{f"{scope}": amount for scope, amount in changes.scopes.items()}},
        "tasks": len(was.fates),
        "live_tasks": record.live,
        "as_it_was": _sums_view(was),
        "replayed": _sums_view(again),
        "what_if": None if other is None else _sums_view(other),
        "deviation": deviation(was, again),
        "substitutes": substitutes,
        "changed": moved,
    }


def deviation(was: Sums, again: Sums) -> View:
    """How far the replay with nothing changed is from what happened: shares of the elapsed time and of the
    spend, and how many of the tasks that ended did so otherwise."""
    ended = [(name, fate) for name, fate in was.fates.items() if fate.ended is not None]
    return {
        "finish": _share(_elapsed(was), _elapsed(again)),
        "spend": _share(was.spent, again.spent),
        "tasks": sum(_word(fate) != _word_of(again, name) for name, fate in ended),
    }


def _share(was: int | None, now: int | None) -> float | None:
    if was is None or now is None:
        return None
    return round((now - was) / was, 6) if was else float(now != was)


def _elapsed(sums: Sums) -> int | None:
    return None if sums.finished is None or sums.began is None else sums.finished - sums.began


def _sums_view(sums: Sums) -> View:
    waits = sums.waits()
    used = sums.utilisation()
    return {
        "finished_at": sums.finished,
        "elapsed_ms": _elapsed(sums),
        "spent_microdollars": sums.spent,
        "spent_usd": usd(sums.spent),
        "reserved_peak_microdollars": sums.reserved_peak,
        "attempts": sums.attempts,
        "completed_tasks": sums.count("completed"),
        "failed_tasks": sums.count("failed"),
        "cancelled_tasks": sums.count("cancelled"),
        "refused_tasks": len(sums.refused),
        "unfinished_tasks": sums.count(*_WAITING),
        "waited_p50_ms": _rank(waits, 50),
        "waited_p95_ms": _rank(waits, 95),
        "slot_utilisation": None if used is None else round(used, 4),
    }


def _rank(ordered: Sequence[int], percent: int) -> int | None:
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)] if ordered else None


def _changed(was: Sums, again: Sums, other: Sums) -> Iterable[View]:
    """The tasks that end otherwise because of the settings: what the replay alone changes is none of them."""
    for name in dict.fromkeys((*was.fates, *other.fates, *other.refused)):
        before, after = was.fates.get(name), other.fates.get(name)
        if before is None or before.ended is None:
            before = again.fates.get(name)
        old = _ACCEPTED if is_chain_id(name) else _word(before)
        new = _word_of(other, name)
        if old == new or new == _word_of(again, name):
            continue
        yield {
            "task_id": name,
            "from": old,
            "to": new,
            "why": other.refused.get(name) or _why(after, new) or _why(before, old),
        }


def _why(fate: Fate | None, word: str) -> str:
    return "" if fate is None or word == "completed" else fate.why


def _word(fate: Fate | None) -> str:
    return _ABSENT if fate is None else fate.state


def _word_of(sums: Sums, name: str) -> str:
    return _REFUSED if name in sums.refused else _word(sums.fates.get(name))
