"""JSON Schemas of arguments and results, as short as they can be: every client is sent all of them."""

from __future__ import annotations

from typing import Any, cast

from .arguments import Arguments

Schema = dict[str, Any]

_LEFT_OUT = frozenset({"title", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"})
"""Keywords that cost more room than they help: who meets such a limit is told it in the refusal."""

_LARGEST_TOLD = 10_000
"""A bound above this one is there against mistakes, and is not worth telling."""


def arguments_schema(model: type[Arguments]) -> Schema:
    """The schema of a tool's arguments: required ones first, no titles, no `null` alternatives.

    A null is still accepted where an argument may be left out, but nobody need be told.
    """
    schema = model.model_json_schema()
    schema.pop("description", None)
    definitions = cast("dict[str, Schema]", schema.pop("$defs", {}))
    compact = _compact(schema, definitions)
    required: list[str] = compact.get("required", [])
    properties = cast("dict[str, Schema]", compact.get("properties", {}))
    first = {name: properties[name] for name in required}
    compact["properties"] = first | properties
    return {"type": "object"} | compact


def _compact(node: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" in node:
        target = definitions[str(node["$ref"]).removeprefix("#/$defs/")]
        return _compact(target | {key: value for key, value in node.items() if key != "$ref"}, definitions)
    short: Schema = {}
    for key, value in node.items():
        if key in _LEFT_OUT or _says_nothing(key, value):
            continue
        match key:
            case "properties":
                short[key] = {name: _compact(each, definitions) for name, each in value.items()}
            case "anyOf":
                kinds = [_compact(each, definitions) for each in value if each != {"type": "null"}]
                short |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
            case "items" | "additionalProperties" if isinstance(value, dict):
                short[key] = _compact(cast(Schema, value), definitions)
            case _:
                short[key] = value
    return short


def _says_nothing(key: str, value: object) -> bool:
    match key, value:
        case ("default", None | []) | ("additionalProperties", True):
            return True
        case "maximum", int() | float():
            return value > _LARGEST_TOLD
        case _:
            return False


def result_schema(*required: str, **properties: str | list[str]) -> Schema:
    """An open schema of a result: JSON types of its main properties, and which of them are always there."""
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(required),
    }


TASK = result_schema(
    "task_id",
    "state",
    task_id=["string", "null"],
    state="string",
    success=["boolean", "null"],
    output=["string", "null"],
    error=["object", "null"],
    cost_microdollars="integer",
)
"""A task's view. A refused input of a fan-out has no `task_id`."""

STATE = result_schema("task_id", "state", task_id="string", state="string")
"""A task's view, told by what tools that decide on one change about it."""
