"""The flags that describe one task, on `run` and `submit`, and the tool arguments that they become."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from claude_pool.domain.errors import InvalidArgument

from ..config.layers import home
from ..config.options import OPTIONS, Option
from ..config.values import read, split_list
from .flags import number_metavar, parameter

REVIEW = "--review"
REJECTIONS = 3

_OF_POOL = {option.task: option for option in OPTIONS if option.task}

_HELP = {
    "model": "Model or alias.",
    "max_budget_usd": "What all attempts together may cost, in dollars.",
    "timeout_seconds": "Limit of one attempt, in seconds.",
    "session": "Conversation: fresh, slot, resume:<session> or fork:<session>.",
    "working_dir": "Directory it runs in.",
    "system_prompt": "Replaces the CLI's own system prompt.",
    "allowed_tools": "More tools that need no permission, by comma.",
    "disallowed_tools": "Tools that it does not get, by comma.",
}

TASK_FLAGS: tuple[inspect.Parameter, ...] = (
    *(
        parameter(
            name,
            list[str] if option.kind == "list" else str,
            _HELP.get(name, option.help),
            option.flag,
            *((option.short,) if option.short else ()),
            metavar=number_metavar(option),
        )
        for name, option in _OF_POOL.items()
    ),
    parameter("tools", str, "Its only built-in tools, by comma; an empty text for none.", "--tools"),
    parameter("mcp_servers", str, "More MCP servers: a file, or JSON text.", "--mcp-servers"),
    parameter("json_schema", str, "JSON Schema of its answer: a file, or JSON text.", "--json-schema"),
    parameter("max_turns", int, "Model turns at most.", "--max-turns"),
    parameter("fallback_model", str, "Used while the model is overloaded.", "--fallback-model"),
    parameter("retries", int, "Attempts more after a passing error.", "--retries"),
    parameter("on_interrupt", str, "If the pool dies while it runs: resume, rerun or ask.", "--on-interrupt"),
    parameter("max_rejections", int, f"Review its result: fail with this rejection [{REJECTIONS}].", REVIEW),
    parameter("slot", str, "Id of its slot, or role of its slots.", "--slot"),
    parameter("priority", int, "Higher runs earlier.", "--priority"),
    parameter("tags", list[str], "Label to find it by; may be repeated.", "--tag"),
    parameter("idempotency_key", str, "The same key gives the same task.", "--idempotency-key"),
)
"""Every argument of a task but its prompt."""


def with_review(words: Sequence[str]) -> list[str]:
    """The words of a command line, a bare `--review` completed by the number after it, or its usual one."""
    flags = words[: words.index("--")] if "--" in words else words
    complete: list[str] = []
    for word in flags:
        if complete and complete[-1] == REVIEW:
            complete[-1] = f"{REVIEW}={word}" if word.isdecimal() else f"{REVIEW}={REJECTIONS}"
            if word.isdecimal():
                continue
        complete.append(word)
    if complete and complete[-1] == REVIEW:
        complete[-1] = f"{REVIEW}={REJECTIONS}"
    return [*complete, *words[len(flags) :]]


def submission(arguments: Mapping[str, object]) -> str:
    """The tool that accepts a task with these arguments."""
    return "pool_submit_with_review" if "max_rejections" in arguments else "pool_submit"


def task_arguments(prompt: str, given: Mapping[str, object]) -> dict[str, object]:
    """The arguments of the tool that `submission` names. What was not given is left out.

    Raises:
        InvalidArgument: the prompt is empty, or a value cannot be what its flag wants.
    """
    if not prompt.strip():
        raise InvalidArgument(argument="prompt", problem="is empty")
    arguments: dict[str, object] = {"prompt": prompt}
    for name, value in given.items():
        if value is None or value == []:
            continue
        convert = _CONVERT.get(name)
        arguments[name] = _of_pool(name, value) if convert is None else convert(name, value)
    return arguments


def _of_pool(name: str, value: object) -> object:
    """A value as the pool's option of the same meaning reads it."""
    option: Option | None = _OF_POOL.get(name)
    if option is None:
        return value
    raw = ",".join(cast("list[str]", value)) if isinstance(value, list) else value
    found = read(option, raw, option.flag, os.getcwd(), home(os.environ))
    return list(cast("tuple[str, ...]", found)) if isinstance(found, tuple) else found


def _as_given(_name: str, value: object) -> object:
    return value


def _names(_name: str, value: object) -> list[str]:
    return list(split_list(cast("str", value)))


def json_object(name: str, value: object) -> dict[str, Any]:
    """JSON text, or the JSON that a file holds; `name` is the flag's.

    Raises:
        InvalidArgument: it cannot be read, or is no JSON object.
    """
    text, flag = cast("str", value).strip(), "--" + name.replace("_", "-")
    if not text.startswith("{"):
        try:
            with open(text, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidArgument(argument=flag, problem=f"{value} cannot be read: {error}") from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(argument=flag, problem=f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidArgument(argument=flag, problem="is not a JSON object")
    return cast("dict[str, Any]", found)


def _servers(name: str, value: object) -> dict[str, Any]:
    found = json_object(name, value)
    return cast("dict[str, Any]", found["mcpServers"]) if isinstance(found.get("mcpServers"), dict) else found


_CONVERT: dict[str, Callable[[str, object], object]] = {
    "session": _as_given,
    "tools": _names,
    "json_schema": json_object,
    "mcp_servers": _servers,
}
