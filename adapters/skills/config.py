"""The table `metadata.config` of a skill: options of the task that it becomes."""

from __future__ import annotations

import json
from typing import Any

from claude_pool.domain.values import Options

from ..config.amounts import ATTEMPT_SECONDS, DOLLARS, microdollars, milliseconds
from ..config.options import EFFORTS, MODES
from ..config.values import closest
from .faults import Fault
from .yaml_nodes import (
    Items,
    Node,
    fields_of,
    items_of,
    json_of,
    number_of,
    text_of,
    whole_of,
)

CONFIG_KEYS = (
    "model", "effort", "system_prompt", "permission_mode", "allowed_tools", "disallowed_tools", "tools",
    "mcp_servers", "json_schema", "max_turns", "fallback_model", "max_budget_usd", "timeout_seconds",
)  # fmt: skip

_TEXTS = ("model", "system_prompt", "fallback_model")
_LISTS = ("allowed_tools", "disallowed_tools", "tools")


def read_config(node: Node) -> Options:
    """The options that the table sets.

    Raises:
        Fault: an unknown key, or a value of the wrong kind.
    """
    table = fields_of(node, "config", CONFIG_KEYS)
    return Options(**{_FIELDS.get(key, key): _value(key, each) for key, each in table.nodes.items()})


_FIELDS = {"max_budget_usd": "max_budget", "timeout_seconds": "timeout_ms"}


def _value(key: str, node: Node) -> Any:
    what = f"config.{key}"
    if key in _TEXTS:
        return _non_empty(node, what)
    if key in _LISTS:
        return read_names(node, what)
    match key:
        case "effort":
            return _one_of(node, what, EFFORTS)
        case "permission_mode":
            return _one_of(node, what, MODES)
        case "mcp_servers":
            servers = fields_of(node, what).nodes
            return tuple(sorted((name, _canonical(fields_of(each, name))) for name, each in servers.items()))
        case "json_schema":
            return _canonical(fields_of(node, what))
        case "max_turns":
            return whole_of(node, what, 1, 10_000)
        case "max_budget_usd":
            return microdollars(number_of(node, what, DOLLARS))
        case _:
            return milliseconds(number_of(node, what, ATTEMPT_SECONDS))


def read_names(node: Node, what: str) -> tuple[str, ...]:
    """Names of tools: a list, or a text with commas or spaces between them (`Read, Bash(git log:*)`).

    Raises:
        Fault: neither of them.
    """
    if isinstance(node, Items):
        return tuple(_non_empty(each, what) for each in items_of(node, what))
    return split_names(text_of(node, what))


def split_names(text: str) -> tuple[str, ...]:
    """The names in a text; commas and spaces inside of parentheses belong to a name."""
    names, name, depth = [""], "", 0
    for character in text:
        depth = max(0, depth + {"(": 1, ")": -1}.get(character, 0))
        if depth == 0 and (character == "," or character.isspace()):
            names.append(name)
            name = ""
        else:
            name += character
    return tuple(each for each in (*names, name) if each)


def written_config(options: Options) -> dict[str, object]:
    """The table that reads as `options`, but for `allowed_tools`, which has a place of its own.

    Money and times are texts of numbers; servers and the schema are JSON values.
    """
    found: dict[str, object] = {
        "model": options.model,
        "effort": options.effort,
        "system_prompt": options.system_prompt,
        "permission_mode": options.permission_mode,
        "disallowed_tools": list(options.disallowed_tools) or None,
        "tools": None if options.tools is None else list(options.tools),
        "mcp_servers": {name: json.loads(each) for name, each in options.mcp_servers} or None,
        "json_schema": None if options.json_schema is None else json.loads(options.json_schema),
        "max_turns": options.max_turns,
        "fallback_model": options.fallback_model,
        "max_budget_usd": _unscaled(options.max_budget, 1_000_000),
        "timeout_seconds": _unscaled(options.timeout_ms, 1_000),
    }
    return {key: value for key, value in found.items() if value is not None}


def _unscaled(number: int | None, factor: int) -> int | float | None:
    if number is None:
        return None
    return number // factor if number % factor == 0 else number / factor


def _canonical(node: Node) -> str:
    return json.dumps(json_of(node), sort_keys=True, separators=(",", ":"))


def _non_empty(node: Node, what: str) -> str:
    if text := text_of(node, what):
        return text
    raise Fault(node.line, f"{what} is empty")


def _one_of(node: Node, what: str, allowed: tuple[str, ...]) -> str:
    text = text_of(node, what)
    if text not in allowed:
        raise Fault(node.line, f"{what} is none of {', '.join(allowed)}{closest(text[:60], allowed)}")
    return text
