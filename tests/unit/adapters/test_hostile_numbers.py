"""Whatever number is written, wherever: it has one exact meaning, or is refused with its name and range."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from claude_pool.adapters.claude.slot_server import TOOLS as SLOT_TOOLS
from claude_pool.adapters.cli.app import build
from claude_pool.adapters.config.amounts import DOLLARS, microdollars, milliseconds
from claude_pool.adapters.config.model import PoolOptions, resolve
from claude_pool.adapters.config.options import OPTIONS
from claude_pool.adapters.mcp.arguments import Arguments, read_arguments
from claude_pool.adapters.mcp.auto_tools import AutoArguments
from claude_pool.adapters.mcp.chain_arguments import ChainArguments
from claude_pool.adapters.mcp.pool_tools import BudgetArguments, WaitArguments
from claude_pool.adapters.mcp.task_arguments import TaskArguments, task_request
from claude_pool.adapters.skills.config import read_config
from claude_pool.adapters.skills.faults import Fault
from claude_pool.adapters.skills.workflows import parse_workflow
from claude_pool.adapters.skills.yaml_nodes import read_yaml
from claude_pool.adapters.wiring import open_pool
from claude_pool.domain.errors import InvalidArgument
from typer.testing import CliRunner

WRONG_TEXTS = (
    "NaN", "inf", "-inf", "Infinity", "-1", "0", "-0.0", "1e-30", "1e30", "1e400", "1:30", "1_000", "٣", "五",
    "true", "null", "[]", "0x10", "1,5", "1 0", "5s", "$5", "9" * 5000,
)  # fmt: skip
"""No budget and no time limit is written like this."""

WRONG_VALUES: tuple[object, ...] = (
    math.nan, math.inf, -math.inf, -1, 0, -0.0, 1e-30, 1e30, 10**400, "1:30", "1_000", True, False, [], "5",
)  # fmt: skip
"""The same as JSON or TOML values; texts are no numbers in tool calls."""

APP = build()

DOLLAR_RANGE = "dollars from 0.000001 to 1000000"
SECOND_RANGE = "seconds from 0.001 to 2592000"


def refusal(read: Callable[[], object]) -> str:
    """What a reader says of what it must not take."""
    with pytest.raises(InvalidArgument) as refused:
        read()
    return refused.value.message


# ---------------------------------------------------------------------------- what a number means


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.000001", 1), ("0.0000019", 1), ("1000000", 10**12), (" 5 ", 5_000_000), ("+5", 5_000_000),
        ("1e-6", 1), ("0.1", 100_000), ("2.675", 2_675_000), (".5", 500_000), ("5.", 5_000_000),
    ],
)  # fmt: skip
def test_dollars_are_whole_microdollars_and_never_more_than_was_said(text: str, amount: int) -> None:
    assert microdollars(DOLLARS.read(text)) == amount


@pytest.mark.parametrize(
    ("seconds", "amount"), [(0.001, 1), (0.0014, 1), (90.0, 90_000), (2_592_000, 2_592_000_000)]
)
def test_seconds_are_the_nearest_milliseconds(seconds: float, amount: int) -> None:
    assert milliseconds(seconds) == amount


def test_every_option_that_is_a_number_has_a_range() -> None:
    numbers = [option for option in OPTIONS if option.kind in ("number", "money", "seconds")]
    assert [option.name for option in numbers if option.range is None] == []


# ---------------------------------------------------------------------------- options of the pool


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_RUNTIME_DIR": str(tmp_path)}


@pytest.mark.parametrize("text", [*WRONG_TEXTS, ""])
@pytest.mark.parametrize(
    ("name", "allowed"),
    [("budget_usd", DOLLAR_RANGE), ("task_timeout", SECOND_RANGE), ("slots", "1 to 1000")],
)
def test_flags(tmp_path: Path, environ: dict[str, str], name: str, allowed: str, text: str) -> None:
    message = refusal(lambda: resolve({name: text}, environ, str(tmp_path)))
    assert message.startswith(f"--{name.replace('_', '-')}: ")
    assert allowed in message and len(message) < 200


@pytest.mark.parametrize("text", WRONG_TEXTS)
@pytest.mark.parametrize(
    ("name", "allowed"), [("BUDGET_USD", DOLLAR_RANGE), ("QUEUE_TIMEOUT", "0.001 to 604800")]
)
def test_variables(tmp_path: Path, environ: dict[str, str], name: str, allowed: str, text: str) -> None:
    variable = f"CLAUDE_POOL_{name}"
    message = refusal(lambda: resolve({}, {**environ, variable: text}, str(tmp_path)))
    assert message.startswith(f"{variable}: ") and allowed in message


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path, environ: dict[str, str]) -> None:
    assert resolve({}, {**environ, "CLAUDE_POOL_BUDGET_USD": ""}, str(tmp_path)).options.budget is None


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-1", "0", "-0.0", "1e-30", "1e30", "true", "[]", '"1:30"', "'٣'", "''"]
)
@pytest.mark.parametrize("project", [False, True])
def test_files(tmp_path: Path, environ: dict[str, str], value: str, project: bool) -> None:
    user = tmp_path / "c" / "claude-pool" / "config.toml"
    user.parent.mkdir(parents=True)
    file = tmp_path / "claude-pool.toml" if project else user
    file.write_text(f"[pool]\nbudget_usd = {value}\n", "utf-8")
    message = refusal(lambda: resolve({}, environ, str(tmp_path)))
    assert message.startswith(f"{file} [pool] budget_usd: ") and DOLLAR_RANGE in message


@pytest.mark.parametrize("number", [0, -0.0])
def test_nothing_is_an_amount_only_where_it_says_so(number: float) -> None:
    options = PoolOptions(question_seconds=number, idle_exit=number)
    assert (str(options.question_seconds), str(options.idle_exit)) == ("0.0", "0.0")
    with pytest.raises(ValueError, match=r"0 or seconds from 0\.001"):
        PoolOptions(question_seconds=1e-30)


# ---------------------------------------------------------------------------- the shell


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1:30", "1_000", "٣", "true", "", "1e400"])
@pytest.mark.parametrize(
    "words", [["wait", "--timeout"], ["drain", "--timeout"], ["tasks", "--limit"], ["run", "x", "--retries"]]
)
def test_flags_of_verbs(words: list[str], text: str) -> None:
    wrong = [*words[:-1], f"{words[-1]}={text}"]
    if words[-1] == "--retries" and text == "-1":
        return  # the tool says its range
    ended = CliRunner().invoke(APP, wrong)
    assert ended.exit_code == 2
    assert words[-1] in ended.output and "number" in ended.output and "Traceback" not in ended.output


# ---------------------------------------------------------------------------- tool calls


@pytest.mark.parametrize("value", WRONG_VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize(
    ("model", "others", "field", "allowed"),
    [
        (TaskArguments, {"prompt": "x"}, "max_budget_usd", DOLLAR_RANGE),
        (TaskArguments, {"prompt": "x"}, "timeout_seconds", SECOND_RANGE),
        (ChainArguments, {"steps": [{"name": "a", "prompt": "x"}]}, "max_budget_usd", DOLLAR_RANGE),
        (ChainArguments, {"steps": [{"name": "a", "prompt": "x"}]}, "timeout_seconds", SECOND_RANGE),
        (AutoArguments, {"prompt": "x"}, "router_max_budget_usd", DOLLAR_RANGE),
        (BudgetArguments, {}, "set_usd", DOLLAR_RANGE),
    ],
)
def test_arguments_of_tools(
    model: type[Arguments], others: dict[str, object], field: str, allowed: str, value: object
) -> None:
    message = refusal(lambda: read_arguments(model, {**others, field: value}, "auto"))
    assert message == f"{field}: should be {allowed}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, 1e30, "1", True, None, []])
def test_waits(value: object) -> None:
    message = refusal(lambda: read_arguments(WaitArguments, {"wait_seconds": value}, "auto"))
    assert message == "wait_seconds: should be seconds from 0 to 1000000000"


@pytest.mark.parametrize("value", [math.nan, 1e30, -1, 1.5, "1", True, None])
def test_counts(value: object) -> None:
    given = {"prompt": "x", "retries": value}
    message = refusal(lambda: read_arguments(TaskArguments, given, "auto"))
    assert message == "retries: should be a whole number from 0 to 10"


def test_a_tool_call_takes_what_is_written_as_a_number() -> None:
    given = {"prompt": "x", "max_budget_usd": 5, "timeout_seconds": 0.001}
    options = task_request(read_arguments(TaskArguments, given, "auto"), "x").options
    assert (options.max_budget, options.timeout_ms) == (5_000_000, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "5", [], {}])
def test_numbers_of_the_slots_own_tools(value: object) -> None:
    ask = next(tool for tool in SLOT_TOOLS if tool.name == "slot_ask_coordinator")
    message = refusal(lambda: ask.read({"question": "?", "wait_seconds": value}))
    assert message == "wait_seconds: must be a number"


# ---------------------------------------------------------------------------- skills, workflows, library


@pytest.mark.parametrize("text", WRONG_TEXTS)
@pytest.mark.parametrize(
    ("key", "allowed"), [("max_budget_usd", DOLLAR_RANGE), ("timeout_seconds", SECOND_RANGE)]
)
def test_configs_of_skills(key: str, allowed: str, text: str) -> None:
    with pytest.raises(Fault) as fault:
        read_config(read_yaml(f"{key}: {json.dumps(text)}\n"))
    assert fault.value.problem == f"config.{key} should be {allowed}"


@pytest.mark.parametrize("text", WRONG_TEXTS)
@pytest.mark.parametrize(
    ("key", "allowed"),
    [("max_budget_usd", DOLLAR_RANGE), ("timeout_seconds", SECOND_RANGE), ("backoff", SECOND_RANGE)],
)
def test_steps_of_workflows(key: str, allowed: str, text: str) -> None:
    document = f"name: w\ndescription: d\nsteps:\n- name: a\n  prompt: x\n  {key}: {json.dumps(text)}\n"
    with pytest.raises(Fault) as fault:
        parse_workflow(document, "w")
    assert fault.value.problem == f"{key} should be {allowed}"


@pytest.mark.parametrize("number", [math.nan, math.inf, -1, 0, 1e-30, 1e30])
@pytest.mark.parametrize("name", ["budget_usd", "question_seconds"])
def test_the_library(tmp_path: Path, name: str, number: float) -> None:
    if name == "question_seconds" and number == 0:
        return  # which denies at once

    async def opened() -> None:
        more: dict[str, float] = {name: number}
        async with open_pool(working_dir=str(tmp_path), environ={"PATH": ""}, **more):  # type: ignore[arg-type]  # one of two numbers
            pass

    assert refusal(lambda: asyncio.run(opened())).startswith(f"{name}: should be ")
