"""Labelled cases for a router: work, and the routes that are right for it; and how well a router did."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from claude_pool.domain.errors import InvalidArgument

from ..config.values import closest

ROUTES = ("single", "parallel", "chain")
HINTS = ("max_parallel", "max_chain_steps", "prefer", "domain", "decomposition_hints")

OWN = "own"
"""Names the cases that come with the program."""

_SHIPPED = "route_cases.json"
_FIELDS = ("label", "prompt", "expected", "hints")


@dataclass(frozen=True, slots=True)
class Case:
    """Work to be routed. `expected` are the routes that are right; `hints` are arguments of pool_route."""

    label: str
    prompt: str
    expected: tuple[str, ...]
    hints: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case: a route, or an error (`[code] message`), and what it cost (microdollars).

    `reason` is the router's or, for a `fallback`, why its own answer was not taken.
    """

    case: Case
    route: str | None
    error: str | None = None
    reason: str | None = None
    fallback: bool = False
    cost: int = 0

    @property
    def right(self) -> bool | None:
        """Whether the router itself chose an expected route; None: there is nothing to judge."""
        if self.error is not None:
            return None
        return not self.fallback and self.route in self.case.expected


@dataclass(frozen=True, slots=True)
class Score:
    """Several verdicts in numbers. `accuracy` is of those without an error; None: all had one."""

    cases: int
    right: int
    errors: int
    cost: int

    @property
    def accuracy(self) -> float | None:
        """The share of right routes, from 0 to 1."""
        judged = self.cases - self.errors
        return self.right / judged if judged else None


def score(verdicts: Sequence[Verdict]) -> Score:
    """What the verdicts come to."""
    return Score(
        len(verdicts),
        sum(verdict.right is True for verdict in verdicts),
        sum(verdict.error is not None for verdict in verdicts),
        sum(verdict.cost for verdict in verdicts),
    )


def by_label(verdicts: Sequence[Verdict]) -> dict[str, Score]:
    """The score of each label, in the order in which the labels first appear."""
    labels = dict.fromkeys(verdict.case.label for verdict in verdicts)
    return {label: score([each for each in verdicts if each.case.label == label]) for label in labels}


def read_cases(source: str) -> list[Case]:
    """The cases in the JSON file `source`, or those of the program where that is `own`.

    Raises:
        InvalidArgument: it cannot be read, or a case is wrong; with its place.
    """
    if source == OWN:
        return parse_cases(files("claude_pool.adapters.cli").joinpath(_SHIPPED).read_text("utf-8"), _SHIPPED)
    try:
        return parse_cases(Path(source).read_text("utf-8"), source)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(argument=source, problem=f"cannot be read: {error}") from None


def parse_cases(text: str, where: str) -> list[Case]:
    """The cases in a JSON list of objects with label, prompt, expected and perhaps hints.

    Raises:
        InvalidArgument: it is something else; `where` names the text.
    """
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(argument=where, problem=f"is not JSON: {error}") from None
    if not isinstance(document, list) or not document:
        raise InvalidArgument(argument=where, problem="should be a JSON list of cases")
    return [_case(each, f"{where}: case {n}") for n, each in enumerate(cast("list[object]", document), 1)]


def _case(given: object, where: str) -> Case:
    if not isinstance(given, dict):
        raise InvalidArgument(argument=where, problem="should be an object")
    case = cast("dict[str, object]", given)
    _known(case, _FIELDS, where)
    label, prompt = (case.get(name) for name in ("label", "prompt"))
    if not isinstance(label, str) or not isinstance(prompt, str) or not label.strip() or not prompt.strip():
        raise InvalidArgument(argument=where, problem="needs a label and a prompt, which are texts")
    expected = case.get("expected")
    routes = cast("list[object]", expected) if isinstance(expected, list) else []
    if not routes or any(route not in ROUTES for route in routes):
        raise InvalidArgument(
            argument=where, problem=f"expected should be a list of routes: {', '.join(ROUTES)}"
        )
    hints = case.get("hints", {})
    if not isinstance(hints, dict):
        raise InvalidArgument(argument=where, problem="hints should be an object")
    _known(cast("dict[str, object]", hints), HINTS, where)
    return Case(label, prompt, tuple(map(str, routes)), cast("dict[str, Any]", hints))


def _known(given: Mapping[str, object], names: Sequence[str], where: str) -> None:
    for name in given:
        if name not in names:
            raise InvalidArgument(argument=where, problem=f"has no field {name!r}{closest(name, names)}")
