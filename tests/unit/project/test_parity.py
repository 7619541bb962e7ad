"""The tables of docs/parity.md are true: every name and every test in them exists."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from claude_pool.adapters.cli.app import build
from claude_pool.adapters.config.options import OPTIONS
from claude_pool.adapters.mcp.chain_arguments import StepArguments
from claude_pool.adapters.mcp.tools import BY_NAME
from claude_pool.domain.catalogue import EVENTS
from claude_pool.domain.errors import CODES
from claude_pool.domain.values import Outcome
from typer.main import get_command

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import Wire, use_pool

if TYPE_CHECKING:
    from tools import parity
    from tools.parity import Row, Table
else:  # the tools are programs, on nobody's path
    PLACE = Path(__file__).resolve().parents[3] / "tools" / "parity.py"
    spec = importlib.util.spec_from_file_location("tools.parity", PLACE)
    parity = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = parity
    spec.loader.exec_module(parity)

ROOT = parity.ROOT
TABLES = parity.tables()
EVERY_ROW = [row for table in TABLES for row in table.rows]

View = dict[str, Any]
Views = Mapping[str, set[str]]


def the(title: str) -> Table:
    """The table of this title."""
    return next(table for table in TABLES if table.title == title)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_every_name_of_a_closed_list_has_a_row(table: Table) -> None:
    assert sorted(table.names) == sorted(row.name for row in table.rows)


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.name)
def test_what_stands_for_a_name_is_here_and_is_shown_by_tests(row: Row, views: Views) -> None:
    missing = [
        part for part in row.here if not (part in (parity.NOTHING, parity.LATER) or exists(part, views))
    ]
    assert missing == []
    shown = bool(row.tests) or set(row.here) <= {parity.NOTHING, parity.LATER}
    assert shown, "no test shows it"
    assert [test for test in row.tests if not is_test(test)] == []


def test_every_option_of_the_pool_has_a_row() -> None:
    rows = [*the("Flags of the command").rows, *the("Options that only this program has").rows]
    told = {part for row in rows for part in row.here}
    assert {option.flag for option in OPTIONS} - told == set()


def test_the_page_is_what_the_tables_say() -> None:
    assert (ROOT / "docs" / "parity.md").read_text("utf-8") == parity.page()


def test_what_is_not_there_is_found_to_be_missing(views: Views) -> None:
    absent = (
        "pool_nothing", "pool_run(nothing)", "pool_status: nothing", "pool://nothing", "--nothing",
        "claude-pool nothing", "claude_pool.domain.nothing", "claude_pool.domain.values.Options.nothing",
        "[nothing]", "steps[].nothing", "skill nothing", "workflow nothing", "task.nothing",
        "docs/nothing.md",
    )  # fmt: skip
    assert [part for part in absent if exists(part, views)] == []
    assert not is_test("tests/unit/project/test_parity.py::test_nothing")


def exists(part: str, views: Views) -> bool:
    """Whether a name of a table is a name of this program; its form says of which kind."""
    for form, known in FORMS:
        if found := re.fullmatch(form, part):
            return known(views, found)
    return False


def _tool(_: Views, found: re.Match[str]) -> bool:
    name, arguments = str(found[1]), cast("str | None", found[2])
    if name not in BY_NAME:
        return False
    takes = cast("dict[str, Any]", BY_NAME[name].definition.input_schema.get("properties", {}))
    return arguments is None or set(arguments.split(", ")) <= set(takes)


def _field(views: Views, found: re.Match[str]) -> bool:
    return found[2] in views[found[1]]


def _flag(_: Views, found: re.Match[str]) -> bool:
    return any(found[1] in (option.flag, option.short) for option in OPTIONS)


def _verb(_: Views, found: re.Match[str]) -> bool:
    command: Any = get_command(build())
    for word in found[1].split():
        command = getattr(command, "commands", {}).get(word)
    return command is not None


def _python(_views: Views, found: re.Match[str]) -> bool:
    name = found[1]
    try:
        importlib.import_module(name)
    except ImportError:
        above, _, last = name.rpartition(".")
        return above != "" and _attribute(above, last)
    return True


def _attribute(above: str, last: str) -> bool:
    try:
        owner: Any = importlib.import_module(above)
    except ImportError:
        module, _, kind = above.rpartition(".")
        try:
            owner = getattr(importlib.import_module(module), kind, None)
        except ImportError:
            return False
    fields = (
        {field.name for field in dataclasses.fields(owner)} if dataclasses.is_dataclass(owner) else set[str]()
    )
    return hasattr(owner, last) or last in fields


FORMS: tuple[tuple[str, Callable[[Views, re.Match[str]], bool]], ...] = (
    (r"((?:pool|context)_\w+)(?:\((.*)\))?", _tool),
    (r"((?:pool|context)_\w+): ([\w.]+)", _field),
    (r"(pool://\S+)", lambda views, found: found[1] in views["addresses"]),
    (r"(--?[a-z-]+)", _flag),
    (r"\[(\w+)\]", lambda _, found: found[1] in CODES),
    (r"claude-pool (.+)", _verb),
    (r"(claude_pool\.[\w.]+)", _python),
    (r"steps\[\]\.(\w+)", lambda _, found: found[1] in StepArguments.model_fields),
    (r"skill (\w+)", lambda views, found: found[1] in views["prompts"]),
    (r"workflow (\w+)", lambda views, found: found[1] in views["workflows"]),
    (r"(docs/\w+\.md)", lambda _, found: (ROOT / found[1]).is_file()),
    (r"([a-z]+\.[a-z_]+)", lambda _, found: found[1] in {each.NAME for each in EVENTS}),
)
"""Forms of names, and how to look such a name up."""


@cache
def _tests_in(file: str) -> frozenset[str]:
    path = ROOT / file
    return frozenset(parity.tests_in(path)) if path.is_file() else frozenset()


def is_test(name: str) -> bool:
    """Whether a test of this name (`path::test`) exists."""
    file, _, function = name.partition("::")
    return function in _tests_in(file)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Views:
    """What each reading tool answers: the paths of its fields; and the addresses, prompts and workflows."""
    return use_pool(tmp_path_factory.mktemp("pool"), _looked_at, _script)


async def _script(turn: LiveTurn) -> Outcome:
    """One that is routed, one that says something and stays, and others that answer."""
    if "stay" in turn.prompt:
        turn.say("well,")
        await asyncio.Event().wait()
    return said('{"route": "single"}')


async def _looked_at(wire: Wire) -> View:
    seen: dict[str, set[str]] = {}

    async def look(tool: str, **arguments: Any) -> View:
        view = await wire.view(tool, **arguments)
        seen[tool] = seen.get(tool, set()) | set(_paths(view))
        return view

    await look("pool_run", prompt="hello")
    chain = await look("pool_chain", steps=[{"name": "a", "prompt": "one"}])
    await look("pool_chain_result", chain_id=chain["chain_id"])
    await look("pool_auto", prompt="route me")
    staying = await look("pool_submit", prompt="stay")
    while "progress" not in seen.get("pool_result", set()):
        await look("pool_result", task_id=staying["task_id"])
    for tool in ("pool_status", "pool_session_metrics", "pool_budget", "pool_find_slots", "pool_list_tasks"):
        await look(tool)
    await look("pool_peek_messages", slot_id="slot-0")
    await look("pool_drain", mode="cancel")
    fixed = (await wire.request("resources/list"))["result"]["resources"]
    templates = (await wire.request("resources/templates/list"))["result"]["resourceTemplates"]
    seen["addresses"] = {each["uri"] for each in fixed} | {each["uriTemplate"] for each in templates}
    seen["prompts"] = {each["name"] for each in (await wire.request("prompts/list"))["result"]["prompts"]}
    workflows = (await wire.view("pool_list_workflows"))["workflows"]
    seen["workflows"] = {each["name"] for each in workflows}
    return seen


def _paths(value: object, above: str = "") -> list[str]:
    """Every field in a view, as `outer.inner`; lists count as what they hold."""
    if isinstance(value, list):
        return [path for each in cast("list[object]", value) for path in _paths(each, above)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for name, inner in cast("dict[str, object]", value).items():
        found += [above + name, *_paths(inner, f"{above}{name}.")]
    return found
