"""Workflows: chains with a name and arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import InvalidArgument
from .skills import Skill, SkillArgument, render

_PLACE = re.compile(r"(?<!\$)\{(?P<name>[A-Za-z_][A-Za-z0-9_-]*)\}")
# What chains replace, and what they refuse because it looks as if it were meant to be replaced.
_OF_CHAINS = re.compile(r"\{(?=\s*(?:prev(?:ious)?|steps?|error)(?:[._][^{}]*)?\s*\})")
_ZERO_WIDTH_SPACE = "\u200b"

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
"""What a step says: JSON values."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A chain with placeholders. `steps` are as `pool_chain` takes them, but for `{argument}` in texts."""

    name: str
    description: str
    arguments: tuple[SkillArgument, ...]
    steps: tuple[dict[str, Value], ...]


def instantiate(workflow: Workflow, arguments: Mapping[str, str]) -> list[dict[str, Value]]:
    """The steps with `arguments` in place, in one pass.

    What chains replace (`{previous_output}`, `{steps.NAME.output}`, `{error}`) is left to them where the
    workflow says it. Where a value says it, alone or together with what stands beside it, it is broken
    up: a value adds no placeholder.

    Raises:
        InvalidArgument: an argument is unknown, missing, or not of its type.
    """
    if not workflow.arguments and arguments:
        name = next(iter(arguments))
        raise InvalidArgument(argument=f"arguments.{name}", problem=f"{workflow.name} takes no arguments")
    # A workflow's arguments are checked as a skill's are.
    render(Skill(workflow.name, workflow.description, "", workflow.arguments), arguments)
    values = {each.name: arguments.get(each.name, "") for each in workflow.arguments}
    return [
        {key: value if key in ("name", "skill") else _fill(value, values) for key, value in step.items()}
        for step in workflow.steps
    ]


def _fill(value: Value, values: Mapping[str, str]) -> Value:
    match value:
        case str():
            return filled(value, values)
        case list():
            return [_fill(each, values) for each in value]
        case dict():
            return {key: _fill(each, values) for key, each in value.items()}
        case _:
            return value


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{name}` that `values` know replaced, adding no placeholder of chains."""
    parts: list[str] = []
    put: list[tuple[int, int]] = []
    end, length = 0, 0
    for place in _PLACE.finditer(text):
        if place["name"] not in values:
            continue
        before, value = text[end : place.start()], values[place["name"]]
        put.append((length + len(before), length + len(before) + len(value)))
        parts += [before, value]
        length += len(before) + len(value)
        end = place.end()
    whole = "".join([*parts, text[end:]])

    def broken(opening: re.Match[str]) -> str:
        first, last = opening.start(), whole.index("}", opening.start())
        ours = any(start <= last and stop > first for start, stop in put)
        return "{" + _ZERO_WIDTH_SPACE if ours else "{"

    return _OF_CHAINS.sub(broken, whole)
