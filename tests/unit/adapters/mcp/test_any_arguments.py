"""Whatever a caller sends as arguments is answered by a result or by a refusal that says what is wrong."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from pathlib import Path
from typing import Any

from claude_pool.adapters.mcp.arguments import read_arguments
from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.tools import TOOLS
from claude_pool.adapters.mcp.toolsets import chosen_toolsets
from claude_pool.domain.errors import CODES, InvalidArgument
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scripted_pool import scripted_pool, server_of, wired

NUMBERS = st.sampled_from([0, 1, -1, 3, 1e30, -1e30, 0.5, 10**30, math.nan, math.inf, -math.inf, True, 2**53])
TEXTS = st.sampled_from(
    ["", "x", "../../etc", "slot-0", "task-aaaaaaaaaaaaaaaa", "1:30", "\0", "é\n", "none"]
)
LEAVES = st.one_of(NUMBERS, TEXTS, st.none(), st.text(max_size=5))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
CALLS = st.sampled_from(TOOLS).flatmap(
    lambda tool: st.tuples(
        st.just(tool),
        st.dictionaries(st.sampled_from([*tool.arguments.model_fields, "nonsense"]), VALUES, max_size=5),
    )
)


@given(CALLS)
@settings(max_examples=300, deadline=None)
def test_reading_arguments_ends_in_arguments_or_in_a_refusal(call: tuple[Any, dict[str, Any]]) -> None:
    tool, arguments = call
    try:
        read = read_arguments(tool.arguments, arguments, "auto")
    except InvalidArgument:
        return
    assert "nonsense" not in arguments
    assert set(read.model_fields_set) == set(arguments)


@given(st.lists(CALLS, min_size=20, max_size=20))
@settings(max_examples=10, deadline=None)
def test_no_call_ends_in_an_internal_error(calls: list[tuple[Any, dict[str, Any]]]) -> None:
    async def body() -> None:
        with tempfile.TemporaryDirectory() as folder:
            everything = Connection(toolsets=chosen_toolsets("all"))
            async with scripted_pool(Path(folder)) as running, wired(server_of(running), everything) as wire:
                for tool, arguments in calls:
                    fields = tool.arguments.model_fields
                    quick = {name: 0.01 for name in ("wait_seconds", "timeout_seconds") if name in fields}
                    params = {"name": tool.name, "arguments": arguments | quick}
                    number = next(wire.numbers)
                    request = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
                    await wire.send(json.dumps(request).encode())
                    result = (await wire.answer(number))["result"]
                    text: str = result["content"][0]["text"]
                    code = text[1:].partition("]")[0]
                    assert not result["isError"] or code in CODES, text
                    assert code != "internal", (tool.name, arguments)

    asyncio.run(body())
