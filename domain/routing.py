"""Routing: whether work is one task, several side by side, or a chain; and what a caller allows of it.

A model, the *router*, reads the work and answers with a route. Its answer is data to be checked: what it
may not be, or does not say clearly, becomes a single task with the prompt as it was given. That one is
always allowed and loses nothing, so a router can be wrong but never in the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never, cast

from .chain_graph import Draft, places
from .errors import InvalidArgument
from .templates import PREVIOUS, placeholders

MOST_PARTS = 10
"""A route has no more prompts or steps, unless the caller's hints say so."""

ROUTABLE_CHARACTERS = 50_000
"""A longer prompt is run as it is: its parts would have to hold most of it once more."""

_SEEN = f"What the step before this one said:\n\n{{{PREVIOUS}}}"


@dataclass(frozen=True, slots=True)
class Single:
    """One task, with the prompt as it was given."""


@dataclass(frozen=True, slots=True)
class Parallel:
    """Tasks that do not need each other, side by side."""

    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RouteStep:
    """A step of a chain: it waits for the one before it."""

    name: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps, one after the other, each of which may see what those before it said."""

    steps: tuple[RouteStep, ...]


Route: TypeAlias = Single | Parallel | Chain


@dataclass(frozen=True, slots=True)
class Answer:
    """A route as the router gave it, and its reason."""

    route: Route
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Hints:
    """What the caller allows, and what it says to help.

    `max_parallel` and `max_chain_steps` bound the parts (1: that route is not allowed). `prefer` is
    `prefer_single`, `prefer_parallel` or `prefer_chain`: that route or a single task, never the third.
    `domain` and `decomposition_hints` are told to the router; nothing follows from them.
    """

    max_parallel: int = MOST_PARTS
    max_chain_steps: int = MOST_PARTS
    prefer: str | None = None
    domain: str | None = None
    decomposition_hints: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The route to take. `fallback` says that it is not the router's own, and `reason` then says why."""

    route: Route
    reason: str | None = None
    fallback: bool = False


def kind(route: Route) -> str:
    """The route in one word: single, parallel or chain."""
    match route:
        case Single():
            return "single"
        case Parallel():
            return "parallel"
        case Chain():
            return "chain"
        case _ as never:
            assert_never(never)


def choices(hints: Hints) -> tuple[str, ...]:
    """The routes that the hints allow, single among them. Where it is the only one, nobody need be asked."""
    allowed = ["single"]
    if hints.max_parallel > 1 and hints.prefer in (None, "prefer_parallel"):
        allowed.append("parallel")
    if hints.max_chain_steps > 1 and hints.prefer in (None, "prefer_chain"):
        allowed.append("chain")
    return tuple(allowed)


def decided_at_once(hints: Hints, prompt: str) -> Decision | None:
    """The decision for which no router is needed, or None where there is something to ask."""
    if choices(hints) == ("single",):
        return Decision(Single(), "the hints allow nothing else")
    if len(prompt) > ROUTABLE_CHARACTERS:
        return fallen_back(f"prompts of more than {ROUTABLE_CHARACTERS} characters are not routed")
    return None


def fallen_back(why: str) -> Decision:
    """A single task, because of `why`."""
    return Decision(Single(), why, fallback=True)


def read_answer(found: Mapping[str, object]) -> Answer | None:
    """The route that a JSON object means, or None where it has not the shape of one."""
    said = found.get("reason")
    reason = said if isinstance(said, str) and said.strip() else None
    match found.get("route"):
        case "single":
            return Answer(Single(), reason)
        case "parallel":
            prompts = _texts(found.get("prompts"))
            return None if prompts is None else Answer(Parallel(prompts), reason)
        case "chain":
            steps = _steps(found.get("steps"))
            return None if steps is None else Answer(Chain(steps), reason)
        case _:
            return None


def settle(objects: Sequence[Mapping[str, object]], hints: Hints) -> Decision:
    """The decision that follows from the JSON `objects` in a router's answer.

    Objects that are no route are passed over; two different routes are no answer.
    """
    answers = [answer for each in objects if (answer := read_answer(each)) is not None]
    if not answers:
        return fallen_back("the router's answer holds no route")
    if any(answer.route != answers[0].route for answer in answers):
        return fallen_back("the router's answer holds more than one route")
    return enforce(answers[0], hints)


def enforce(answer: Answer, hints: Hints) -> Decision:
    """The route of `answer` if it is allowed, else a single task and why.

    Of one part only, a route is a single task. A step that speaks of no earlier output is given that of
    the step before it.
    """
    route = answer.route
    if (name := kind(route)) not in choices(hints):
        return fallen_back(f"the router chose {name}, which the hints do not allow")
    match route:
        case Single():
            return Decision(route, answer.reason)
        case Parallel(prompts):
            problem = _too_many(len(prompts), hints.max_parallel, "prompts") or _empty(prompts)
            one = len(prompts) == 1
        case Chain(steps):
            route = _seeing(steps)
            problem = _too_many(len(steps), hints.max_chain_steps, "steps") or _no_chain(route.steps)
            one = len(steps) == 1
        case _ as never:
            assert_never(never)
    if problem is not None:
        return fallen_back(problem)
    return Decision(Single() if one else route, answer.reason)


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    items = cast("list[object]", value)
    texts = tuple(item for item in items if isinstance(item, str))
    return texts if len(texts) == len(items) else None


def _steps(value: object) -> tuple[RouteStep, ...] | None:
    if not isinstance(value, list):
        return None
    steps: list[RouteStep] = []
    for item in cast("list[object]", value):
        if not isinstance(item, dict):
            return None
        step = cast("dict[str, object]", item)
        name, prompt = step.get("name"), step.get("prompt")
        if not isinstance(name, str) or not isinstance(prompt, str):
            return None
        steps.append(RouteStep(name, prompt))
    return tuple(steps)


def _too_many(count: int, most: int, what: str) -> str | None:
    return f"the router's {count} {what} are more than the {most} allowed" if count > most else None


def _empty(prompts: Sequence[str]) -> str | None:
    if not prompts:
        return "the router gave no prompts"
    return None if all(prompt.strip() for prompt in prompts) else "one of the router's prompts is empty"


def _no_chain(steps: Sequence[RouteStep]) -> str | None:
    if problem := _empty([step.prompt for step in steps]):
        return problem
    try:
        places([Draft(step.name, step.prompt) for step in steps])
    except InvalidArgument as error:
        return f"the router's steps make no chain: {error.message}"
    return None


def _seeing(steps: tuple[RouteStep, ...]) -> Chain:
    """The steps, each but the first speaking of an earlier output."""
    return Chain(
        tuple(
            RouteStep(step.name, f"{step.prompt}\n\n{_SEEN}")
            if number and step.prompt.strip() and not placeholders(step.prompt)
            else step
            for number, step in enumerate(steps)
        )
    )
