"""Toolset chains: workflows, which are chains with a name."""

from __future__ import annotations

import asyncio
from typing import Any

from ..skills.views import workflow_view
from ..views import View
from .arguments import NoArguments
from .schemas import result_schema
from .tool import Call, Tool


async def _list(call: Call, _given: NoArguments) -> View:
    library = call.application.library
    await asyncio.to_thread(library.refresh)
    return {
        "workflows": [workflow_view(each) for each in library.workflows().values()],
        "problems": [str(problem) for problem in library.problems],
    }


WORKFLOW_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_list_workflows",
        "chains",
        "List the workflows, which are chains with arguments. problems: files that could not be used.",
        NoArguments,
        result_schema("workflows", workflows="array"),
        _list,
        reads=True,
    ),
)
