"""Whether steps make a chain: names, needs, cycles, and what their prompts may speak of.

Everything is refused at the submission, by the place where it stands and with what was probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from .errors import InvalidArgument
from .templates import ERROR, PREVIOUS, near_misses, placeholders

MAX_STEPS = 1_000
"""A chain has no more steps."""

_SHOWN = 100
"""So many characters of what is no name are repeated."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller says of a step, as far as its place in the chain goes.

    `needs` None means: the step before it. `variables` are the names in its `output_vars`.
    """

    name: str
    prompt: str
    needs: tuple[str, ...] | None = None
    recovery_prompt: str | None = None
    variables: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Place:
    """A step's place: what it needs, and the placeholders of its prompt and of its recovery prompt."""

    needs: tuple[str, ...]
    uses: tuple[str, ...]
    recovery_uses: tuple[str, ...]


def places(drafts: Sequence[Draft]) -> tuple[Place, ...]:
    """The place of each step, in order.

    Raises:
        InvalidArgument: no steps or too many, a wrong or double name, an unknown need, a cycle (with its
            path), or a placeholder that names nothing that the step may see.
    """
    if not drafts:
        raise InvalidArgument(argument="steps", problem="a chain has at least one step")
    if len(drafts) > MAX_STEPS:
        raise InvalidArgument(
            argument="steps", problem=f"{len(drafts)} are more than the {MAX_STEPS} that a chain can have"
        )
    _check_names(drafts)
    names = [draft.name for draft in drafts]
    known = set(names)
    needs: dict[str, tuple[str, ...]] = {}
    for number, draft in enumerate(drafts):
        usual = (names[number - 1],) if number else ()
        needs[draft.name] = usual if draft.needs is None else tuple(dict.fromkeys(draft.needs))
        for need in needs[draft.name]:
            if need not in known:
                shown = need[:_SHOWN]
                raise _wrong(number, "needs", f"there is no step {shown!r}{_perhaps(shown, names)}")
    before = _before(_in_order(names, needs), needs)
    seen = _Seen(before, {draft.name: draft.variables for draft in drafts})
    return tuple(
        Place(
            needs[draft.name],
            seen.check(number, "prompt", draft.name, draft.prompt, ()),
            seen.check(number, "recovery_prompt", draft.name, draft.recovery_prompt or "", (ERROR,)),
        )
        for number, draft in enumerate(drafts)
    )


def _wrong(number: int, field_name: str, problem: str) -> InvalidArgument:
    return InvalidArgument(argument=f"steps.{number}.{field_name}", problem=problem)


def _perhaps(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _check_names(drafts: Sequence[Draft]) -> None:
    known: set[str] = set()
    for number, draft in enumerate(drafts):
        if not _NAME.fullmatch(draft.name):
            raise _wrong(
                number, "name", "a step's name has 1 to 64 letters, digits, - and _, a letter or digit first"
            )
        if draft.name in known:
            raise _wrong(number, "name", f"there are two steps {draft.name!r}")
        known.add(draft.name)


def _in_order(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The steps, each after all that it needs. Without recursion: a chain may have a thousand steps."""
    finished: dict[str, None] = {}
    for start in names:
        path: dict[str, None] = {}
        trail: list[Iterator[str]] = [iter((start,))]
        while trail:
            step = next(trail[-1], None)
            if step is None:
                trail.pop()
                if path:
                    finished[path.popitem()[0]] = None
            elif step in path:
                walked = list(path)
                circle = " -> ".join([*walked[walked.index(step) :], step])
                raise InvalidArgument(argument="steps", problem=f"they need each other in a circle: {circle}")
            elif step not in finished:
                path[step] = None
                trail.append(iter(needs[step]))
    return list(finished)


@dataclass(frozen=True, slots=True)
class _Before:
    """Which steps come before which, as one set of bits a step: a thousand steps may all need each other."""

    bits: Mapping[str, int]
    all_of: Mapping[str, int]

    def __contains__(self, pair: tuple[str, str]) -> bool:
        """Whether the first step is one that the second needs, directly or not."""
        return bool(self.bits[pair[0]] & self.all_of[pair[1]])


def _before(order: Sequence[str], needs: Mapping[str, Sequence[str]]) -> _Before:
    bits = {name: 1 << number for number, name in enumerate(order)}
    all_of: dict[str, int] = {}
    for name in order:
        all_of[name] = 0
        for need in needs[name]:
            all_of[name] |= bits[need] | all_of[need]
    return _Before(bits, all_of)


class _Seen:
    """What each step may speak of: the steps that it needs, directly or not."""

    def __init__(self, before: _Before, variables: Mapping[str, Sequence[str]]) -> None:
        self._before = before
        self._variables = variables

    def check(
        self, number: int, where: str, name: str, template: str, also: Sequence[str]
    ) -> tuple[str, ...]:
        """The placeholders in `template`, all of which have a meaning there."""
        if near := near_misses(template):
            raise _wrong(
                number,
                where,
                f"{{{near[0]}}} is no placeholder; there are {{{PREVIOUS}}}, {{steps.NAME.output}} and "
                f"{{steps.NAME.VAR}}",
            )
        uses = placeholders(template)
        for use in uses:
            if use == ERROR and ERROR not in also:
                raise _wrong(number, where, "{error} has a meaning in a recovery_prompt only")
            if use.startswith("steps."):
                self._check_reference(number, where, name, use)
        return uses

    def _check_reference(self, number: int, where: str, name: str, use: str) -> None:
        _, step, *rest = use.split(".", 2)
        if step not in self._variables:
            raise _wrong(
                number, where, f"{{{use}}}: there is no step {step!r}{_perhaps(step, list(self._variables))}"
            )
        if (step, name) not in self._before:
            raise _wrong(number, where, f"{{{use}}}: {name} does not need {step}, so it may run before it")
        known = ("output", *self._variables[step])
        if not rest or rest[0] not in known:
            variable = rest[0] if rest else ""
            raise _wrong(
                number,
                where,
                f"{{{use}}}: {step} has no output variable {variable!r}{_perhaps(variable, known)}",
            )
