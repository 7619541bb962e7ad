"""The settings of a what-if: options of `[pool]` that the core knows, and limits of money beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from claude_pool.domain import ledger
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.pool import StartOwner
from claude_pool.domain.pool_events import Settings

from ..config.amounts import DOLLARS, microdollars, milliseconds
from ..config.options import OPTIONS
from ..config.values import closest, read

ARGUMENT = "--what-if"
NONE = "none"
"""Lifts what may be without a limit."""

POSSIBLE = (
    "slots", "min_slots", "max_slots", "budget_usd", "soft_budget_usd", "task_budget_usd", "task_timeout",
    "queue_timeout", "question_seconds", "session", "model",
)  # fmt: skip
"""The options of the pool that change what the core decides."""
LIFTED = (
    "budget_usd", "soft_budget_usd", "task_budget_usd", "task_timeout", "queue_timeout", "model",
)  # fmt: skip
DAY = "day_usd"
TAG = "tag:"
"""The limits of a day (`day_usd`) and of a tag (`tag:NAME`), which `claude-pool budget set` sets."""

_OPTIONS = {option.name: option for option in OPTIONS}


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be otherwise. `given` are options by name (None: lifted), `scopes` limits of days and tags
    (microdollars; None: lifted)."""

    given: dict[str, object] = field(default_factory=dict[str, object])
    scopes: dict[str, int | None] = field(default_factory=dict[str, int | None])

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.given or self.scopes)

    @property
    def limits_pool(self) -> bool:
        """Whether the pool's own limit is among it."""
        return "budget_usd" in self.given

    @property
    def sets_slots(self) -> bool:
        """Whether the number of slots is."""
        return "slots" in self.given

    def settings(self, was: Settings) -> Settings:
        """An owner's settings with the changes.

        Raises:
            InvalidArgument: together they make no sense.
        """
        least, most = self._whole("min_slots", was.min_slots), self._whole("max_slots", was.max_slots)
        slots = self._whole("slots", was.slots)
        if self.sets_slots:
            # whoever says only how many means them, whatever the bounds of scaling were
            least = least if "min_slots" in self.given else min(least, slots)
            most = most if "max_slots" in self.given else max(most, slots)
        elif self.given.keys() & {"min_slots", "max_slots"}:
            slots = min(max(slots, least), most)
        if not least <= slots <= most:
            problem = f"{slots} slots are not between min_slots {least} and max_slots {most}"
            raise InvalidArgument(argument=ARGUMENT, problem=problem)
        options = was.options
        if "model" in self.given:
            options = replace(options, model=self._text("model"))
        session = was.session if "session" not in self.given else str(self.given["session"])
        return replace(
            was, slots=slots, min_slots=least, max_slots=most, options=options, session=session,
            task_budget=self._amount("task_budget_usd", was.task_budget),
            task_timeout_ms=self._time("task_timeout", was.task_timeout_ms),
            queue_timeout_ms=self._time("queue_timeout", was.queue_timeout_ms),
            question_ms=self._time("question_seconds", was.question_ms) or 0,
        )  # fmt: skip

    def start(self, was: StartOwner) -> StartOwner:
        """An owner's start with the changes."""
        limit, given = was.limit, was.limit_given
        if self.limits_pool:
            limit, given = self._amount("budget_usd", None), True
        soft = self._amount("soft_budget_usd", was.soft)
        if limit is not None and soft is not None and soft > limit:
            soft = limit  # the hard one goes first anyway
        return replace(was, settings=self.settings(was.settings), limit=limit, limit_given=given, soft=soft)

    def money(self) -> list[ledger.SetLimits]:
        """The limits of days and tags, to be set when the first owner starts."""
        return [ledger.SetLimits(scope, limit, None) for scope, limit in self.scopes.items()]

    def question_ms(self) -> int | None:
        """How long somebody may take to answer a slot; None: as in the record."""
        return self._time("question_seconds", None) if "question_seconds" in self.given else None

    def _whole(self, name: str, was: int) -> int:
        value = self.given.get(name, was)
        return value if isinstance(value, int) else was

    def _text(self, name: str) -> str | None:
        value = self.given[name]
        return None if value is None else str(value)

    def _amount(self, name: str, was: int | None) -> int | None:
        value = self.given.get(name, NONE)
        if value == NONE:
            return was
        return microdollars(value) if isinstance(value, (int, float)) else None

    def _time(self, name: str, was: int | None) -> int | None:
        value = self.given.get(name, NONE)
        if value == NONE:
            return was
        return milliseconds(value) if isinstance(value, (int, float)) else None


def parse(said: Sequence[str]) -> Changes:
    """The changes that `NAME=VALUE` texts mean, each name once.

    Raises:
        InvalidArgument: one is none of these, or its value is none for it; the error names what may be said.
    """
    given: dict[str, object] = {}
    scopes: dict[str, int | None] = {}
    for text in said:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or not value:
            raise _wrong(f"{text!r} is no NAME=VALUE; say slots=8")
        if name in given or _scope(name) in scopes:
            raise _wrong(f"{name} is said twice; one scenario has one value of it")
        if (scope := _scope(name)) is not None:
            scopes[scope] = None if value == NONE else microdollars(_dollars(name, value))
        elif name not in POSSIBLE:
            raise _wrong(_unknown(name))
        elif value == NONE and name in LIFTED:
            given[name] = None
        else:
            given[name] = read(_OPTIONS[name], value, f"{ARGUMENT} {name}", "/", "/")
    soft, hard = given.get("soft_budget_usd"), given.get("budget_usd")
    if isinstance(soft, (int, float)) and isinstance(hard, (int, float)) and soft > hard:
        raise _wrong(f"soft_budget_usd {soft} is above budget_usd {hard}")
    return Changes(given, scopes)


def _scope(name: str) -> str | None:
    """The scope of money that `name` limits; None: it is another setting."""
    if name == DAY:
        return ledger.DAY
    return name if name.startswith(TAG) and len(name) > len(TAG) else None


def _dollars(name: str, value: str) -> float:
    try:
        return DOLLARS.read(value)
    except ValueError as error:
        raise InvalidArgument(argument=f"{ARGUMENT} {name}", problem=str(error)) from None


def _unknown(name: str) -> str:
    possible = f"what can be otherwise is {', '.join(POSSIBLE)}, {DAY} and {TAG}NAME"
    if name in _OPTIONS:
        return f"{name} changes nothing that the log can tell; {possible}"
    return f"there is no setting {name!r}{closest(name, (*POSSIBLE, DAY))}; {possible}"


def _wrong(problem: str) -> InvalidArgument:
    return InvalidArgument(argument=ARGUMENT, problem=problem)
