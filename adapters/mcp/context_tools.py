"""Toolset context: values that every conversation of the pool is shown."""

from __future__ import annotations

from typing import Annotated, Any

from claude_pool.domain.pool import CONTEXT_BYTES
from pydantic import Field

from ..views import View
from .arguments import Arguments, NoArguments
from .fields import Line
from .schemas import result_schema
from .tool import Call, Tool

_KEY = "Name of the value."


class OneValue(Arguments):
    """Names a value."""

    key: Line = Field(description=_KEY)


class SetArguments(OneValue):
    """A value and its name."""

    value: Annotated[str, Field(max_length=CONTEXT_BYTES)] = Field(
        description=f"Text; all values together have at most {CONTEXT_BYTES} bytes."
    )


async def _set(call: Call, given: SetArguments) -> View:
    return await call.application.context.set(given.key, given.value, call.origin)


async def _get(call: Call, given: OneValue) -> View:
    return call.application.context.get(given.key)


async def _delete(call: Call, given: OneValue) -> View:
    return await call.application.context.delete(given.key, call.origin)


async def _list(call: Call, _given: NoArguments) -> View:
    return call.application.context.list()


CONTEXT_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "context_set",
        "context",
        "Set a value that all slots share. Each conversation is shown the values with its next prompt.",
        SetArguments,
        result_schema("key", key="string", value="string", version="integer"),
        _set,
        repeats=True,
    ),
    Tool(
        "context_get",
        "context",
        "Get one shared value.",
        OneValue,
        result_schema("key", "value", key="string", value="string"),
        _get,
        reads=True,
    ),
    Tool(
        "context_delete",
        "context",
        "Remove one shared value; an unknown key is an error.",
        OneValue,
        result_schema("key", key="string", deleted="boolean"),
        _delete,
        destroys=True,
    ),
    Tool(
        "context_list",
        "context",
        "List all shared values by key.",
        NoArguments,
        result_schema("values", values="object", version="integer"),
        _list,
        reads=True,
    ),
)
