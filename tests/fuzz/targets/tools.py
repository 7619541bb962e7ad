"""The arguments of every tool, through the server, on a pool in memory."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.tools import BY_NAME
from claude_pool.adapters.mcp.toolsets import chosen_toolsets
from claude_pool.adapters.skills.library import Folders, Library
from claude_pool.domain.errors import CODES

from tests.fuzz.engine import Probe, Target, changed, text, value, written
from tests.support.scripted_pool import Wire, scripted_pool, server_of, wired

_DEFINITIONS = {
    name: cast("dict[str, Any]", tool.definition.model_dump(by_alias=True)["inputSchema"])
    for name, tool in sorted(BY_NAME.items())
}
_PATIENT = ("wait_seconds", "timeout_seconds")
_ERROR = re.compile(r"\[([a-z_]+)\] ")
_POOL_LASTS = 250
"""So many calls are made to one pool: what they leave behind makes each later one slower."""

_LONGEST = 200_000
"""Longer calls say most about how fast this program itself writes and reads JSON."""


def make(chance: Random) -> bytes:
    """A call whose arguments are of its schema, but for some."""
    name = chance.choice(list(_DEFINITIONS))
    schema = _DEFINITIONS[name]
    given = _valid(chance, schema, schema, 0)
    if chance.random() < 0.6:
        given = changed(chance, given)
    if isinstance(given, dict):
        fields = cast("dict[str, Any]", given)
        for field in _PATIENT:
            if field in schema["properties"] and _would_wait(fields.get(field, 0)):
                fields[field] = chance.choice((0, 0.001, 0.02))
    call = written(chance, {"name": name, "arguments": given})
    return call if len(call) < _LONGEST else written(chance, {"name": name, "arguments": {}})


def _would_wait(asked: object) -> bool:
    """Whether a call that asks for so long a wait may wait; what is no number at all is refused at once."""
    return not isinstance(asked, float) or 0 < asked < 1e9


def _valid(chance: Random, schema: dict[str, Any], root: dict[str, Any], depth: int) -> Any:
    """Something like what a schema describes."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        schema = chance.choice(schema["anyOf"])
        return _valid(chance, schema, root, depth)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            needed = schema.get("required", ())
            found = {
                key: _valid(chance, each, root, depth + 1)
                for key, each in schema.get("properties", {}).items()
                if key in needed or chance.random() < 0.25
            }
            if not schema.get("properties"):
                found = {text(chance): value(chance) for _ in range(chance.randrange(3))}
            return found
        case "array":
            items = schema.get("items", {})
            return [_valid(chance, items, root, depth + 1) for _ in range(chance.choice((0, 1, 1, 2, 3)))]
        case "string":
            return (
                text(chance) if chance.random() < 0.6 else chance.choice(("a", "opus", "fresh", "plan", "s1"))
            )
        case "integer":
            return chance.choice((0, 1, 2, 3, 7, 100))
        case "number":
            return chance.choice((0, 0.01, 1, 2.5))
        case "boolean":
            return chance.random() < 0.5
        case "null":
            return None
        case _:
            return value(chance)


class _Pools:
    """A connection to a pool, and another one to another pool when that one is worn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._stack = AsyncExitStack()
        self._left = 0
        self._wire: Wire | None = None

    async def wire(self) -> Wire:
        if self._wire is None or self._left == 0:
            await self.close()
            place = self._folder / f"pool-{next(self._numbers)}"
            skills = place / "skills"
            skills.mkdir(parents=True)
            library = Library(Folders(project_skills=str(skills), root=str(place)))
            running = await self._stack.enter_async_context(
                scripted_pool(place, library=library, limit=50_000_000, question_ms=1_000)
            )
            everything = Connection(toolsets=chosen_toolsets("all"))
            self._wire = await self._stack.enter_async_context(wired(server_of(running), everything))
            self._left = _POOL_LASTS
        self._left -= 1
        return self._wire

    async def close(self) -> None:
        await self._stack.aclose()
        self._wire = None


@contextmanager
def ground(folder: Path) -> Generator[Probe]:
    """Calls go to one pool until it is worn. After each the pool still tells its status."""
    with asyncio.Runner() as runner:
        pools = _Pools(folder)

        async def call(data: bytes) -> None:
            try:
                asked = json.loads(data.decode("utf-8", "surrogatepass"))
                name, arguments = str(asked["name"]), asked["arguments"]
            except (ValueError, KeyError, TypeError, RecursionError):
                return
            wire = await pools.wire()
            number = next(wire.numbers)
            params = {"name": name, "arguments": arguments}
            line = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
            await wire.send(line.encode())
            answer = await wire.answer(number)
            wire.heard.clear()
            if "error" in answer:  # what the protocol does not take for a call
                assert not isinstance(arguments, dict) or _depth(cast("object", arguments)) > 50, answer
                assert answer["error"]["code"] in (-32600, -32602), answer
            elif answer["result"].get("isError"):
                said = answer["result"]["content"][0]["text"]
                code = _ERROR.match(said)
                assert code and code[1] in CODES and code[1] != "internal", said
                assert "Traceback" not in said and len(said) < 20_000, said
            else:
                assert isinstance(answer["result"]["structuredContent"], dict), answer
            status = await wire.view("pool_status")
            assert status["total_slots"] >= 0

        try:
            yield lambda data: runner.run(call(data))
        finally:
            runner.run(pools.close())


def _depth(given: object) -> int:
    """How deeply lists and objects are nested."""
    depth, level = 0, [given]
    while level:
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below += cast("dict[str, object]", each).values()
            elif isinstance(each, list):
                below += cast("list[object]", each)
        depth, level = depth + 1, below
    return depth


TARGET = Target("tools", make, ground)
