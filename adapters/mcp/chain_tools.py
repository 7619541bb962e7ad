"""Toolset chains: steps that wait for each other."""

from __future__ import annotations

from typing import Annotated, Any, cast

from claude_pool.domain.errors import InvalidArgument, PoolError
from pydantic import BeforeValidator, Field, WithJsonSchema

from ..requests import ChainRequest
from ..views import View
from .arguments import Arguments, read_arguments
from .chain_arguments import ChainArguments, SubmitChainArguments, chain_request
from .fields import Line, Wait, refusal
from .schemas import arguments_schema, result_schema
from .shortening import shortened_chain, shortened_chains
from .tool import Call, Tool

INPUTS = 100
"""A fan-out takes no more chains at once."""

CHAIN = result_schema(
    "chain_id",
    "state",
    "steps",
    chain_id=["string", "null"],
    state="string",
    steps="array",
    final_output=["string", "null"],
    error=["object", "null"],
    cost_microdollars="integer",
)
"""A chain's view. A refused input of a fan-out has no `chain_id`."""


class RunChainArguments(ChainArguments):
    """A chain, and how long to wait for it."""

    wait_seconds: Wait = Field(default=50, description="Seconds to wait for its end, 600 at most.")


class OneChain(Arguments):
    """Names a chain."""

    chain_id: str = Field(description="As pool_submit_chain gave it.")


def _unread(inputs: object) -> object:
    """Each chain is read by itself, so that a wrong one is refused alone."""
    if not isinstance(inputs, list):
        raise refusal("should be a list of chains")
    return cast("list[object]", inputs)


def _chains_schema() -> dict[str, Any]:
    schema = arguments_schema(ChainArguments)
    schema["properties"]["steps"] = {
        "type": "array",
        "items": {"type": "object"},
        "description": "As in pool_chain.",
    }
    return {"type": "array", "items": schema}


ChainInputs = Annotated[
    list[Any],
    BeforeValidator(_unread),
    Field(min_length=1, max_length=INPUTS),
    WithJsonSchema(_chains_schema()),
]


class FanOutChainsArguments(Arguments):
    """Many chains at once."""

    chains: ChainInputs = Field(description="Chains, each with its steps and options.")
    wait_seconds: Wait = Field(default=0, description="Seconds to wait for all of them, 600 at most.")
    idempotency_key: Line | None = Field(default=None, description="The same key gives the same chains.")


async def _run(call: Call, given: RunChainArguments) -> View:
    request = await chain_request(given, call)
    return shortened_chain(await call.application.chains.run(request, call.origin, given.wait_seconds))


async def _submit(call: Call, given: ChainArguments) -> View:
    request = await chain_request(given, call)
    return {"chain_id": await call.application.chains.submit(request, call.origin)}


async def _fan_out(call: Call, given: FanOutChainsArguments) -> View:
    requests = [await _input(call, each) for each in given.chains]
    answer = await call.application.chains.fan_out(
        requests, call.origin, given.wait_seconds, given.idempotency_key
    )
    return {**answer, "results": shortened_chains(answer["results"])}


async def _input(call: Call, given: object) -> ChainRequest | PoolError:
    if not isinstance(given, dict):
        return InvalidArgument(argument="chains", problem="each should be an object with steps")
    try:
        read = read_arguments(ChainArguments, cast("dict[str, object]", given), call.highest_mode)
        return await chain_request(read, call)
    except PoolError as error:
        return error


async def _result(call: Call, given: OneChain) -> View:
    return shortened_chain(await call.application.chains.view(given.chain_id))


async def _cancel(call: Call, given: OneChain) -> View:
    return shortened_chain(await call.application.chains.cancel(given.chain_id, call.origin))


CHAIN_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_chain",
        "chains",
        "Run steps that wait for each other and see each other's outputs, independent ones at once, and "
        "wait for the end: each step's state, output and cost. If it takes longer than wait_seconds it "
        "goes on, and you are given its chain_id for pool_wait or pool_chain_result. Costs money.",
        RunChainArguments,
        CHAIN,
        _run,
        works=True,
    ),
    Tool(
        "pool_submit_chain",
        "chains",
        "Accept a chain, as pool_chain does, and return its chain_id at once. Costs money.",
        SubmitChainArguments,
        result_schema("chain_id", chain_id="string"),
        _submit,
        works=True,
    ),
    Tool(
        "pool_fan_out_chains",
        "chains",
        "Accept up to 100 chains at once. results has one view for each, in order, refused ones with "
        "their error. Costs money.",
        FanOutChainsArguments,
        result_schema("results", results="array", waited_cap="number"),
        _fan_out,
        works=True,
    ),
    Tool(
        "pool_chain_result",
        "chains",
        "Show one chain as it is now: every step with its state, output, error and cost, why it waits, "
        "and in isolation the branch with its work, files_changed and diff_ref. Does not wait.",
        OneChain,
        CHAIN,
        _result,
        reads=True,
    ),
    Tool(
        "pool_cancel_chain",
        "chains",
        "Cancel a chain that has not ended: what runs is interrupted, what waits is skipped, and work "
        "done in isolation is kept on its branch. Returns its view.",
        OneChain,
        CHAIN,
        _cancel,
        destroys=True,
        repeats=True,
    ),
)
