"""Toolset chains, second half: workflows, which are chains with a name."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import Field

from ..skills.views import workflow_view
from ..views import View
from .arguments import NoArguments, read_arguments
from .chain_arguments import ChainArguments, ChainOptions, chain_request
from .fields import Label
from .schemas import result_schema
from .skill_arguments import SkillValues, Values, as_texts
from .tool import Call, Tool


class InvokeArguments(ChainOptions):
    """A workflow with its arguments, and options of the chain."""

    workflow: Label = Field(description="Its name.")
    arguments: SkillValues = Field(default_factory=Values, description="By name.")


async def _invoke(call: Call, given: InvokeArguments) -> View:
    steps = await call.application.library.instantiate(given.workflow, as_texts(given.arguments))
    options = given.model_dump(include=set(ChainOptions.model_fields), exclude_defaults=True)
    # The steps are read as any caller's are: what a file says has no more rights than a call.
    chain = read_arguments(ChainArguments, {**options, "steps": steps}, call.highest_mode)
    request = await chain_request(chain, call)
    return {
        "chain_id": await call.application.chains.submit(request, call.origin, "invoke_workflow"),
        "workflow": given.workflow,
    }


async def _list(call: Call, _given: NoArguments) -> View:
    library = call.application.library
    await asyncio.to_thread(library.refresh)
    return {
        "workflows": [workflow_view(each) for each in library.workflows().values()],
        "problems": [str(problem) for problem in library.problems],
    }


WORKFLOW_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_invoke_workflow",
        "chains",
        "Accept a workflow as a chain, as pool_submit_chain does; its chain_id at once. Costs money.",
        InvokeArguments,
        result_schema("chain_id"),
        _invoke,
        works=True,
    ),
    Tool(
        "pool_list_workflows",
        "chains",
        "List the workflows, which are chains with arguments. problems: files that could not be used.",
        NoArguments,
        result_schema("workflows"),
        _list,
        reads=True,
    ),
)
