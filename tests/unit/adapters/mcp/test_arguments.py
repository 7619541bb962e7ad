"""Arguments of tools: what is wrong is refused, by the name of its field, before anything happens."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.mcp.arguments import SHOWN_PROBLEMS, Arguments, read_arguments
from claude_pool.adapters.mcp.run_tools import RunArguments
from claude_pool.adapters.mcp.task_arguments import TaskArguments
from claude_pool.adapters.mcp.tools import TOOLS
from claude_pool.adapters.requests import PROMPT_BYTES
from claude_pool.domain.errors import InvalidArgument

SESSION = "5f0c1d52-2d2f-4c53-9d9f-0f1f6d0a7a10"


def refused(model: type[Arguments], highest_mode: str = "auto", /, **given: Any) -> str:
    with pytest.raises(InvalidArgument) as refusal:
        read_arguments(model, given, highest_mode)
    return refusal.value.message


NUMBERS = [
    (tool.arguments, name, field)
    for tool in TOOLS
    for name, field in tool.definition.input_schema["properties"].items()
    if field.get("type") in ("number", "integer")
]


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, name, _ in NUMBERS])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 1e30, -1e30, True, "1:30", "5", [], {}])
def test_no_number_takes_what_is_no_sensible_number(model: type[Arguments], name: str, wrong: object) -> None:
    assert f"{name}: " in refused(model, **{name: wrong})


@pytest.mark.parametrize(("model", "name", "schema"), NUMBERS)
def test_no_number_goes_below_its_least_value(
    model: type[Arguments], name: str, schema: dict[str, Any]
) -> None:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    assert least is not None
    message = refused(model, **{name: type(least)(least - 1)})
    assert re.search(rf"{name}: should be (greater than|.+ from -?\d)", message)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_refuses_an_argument_that_it_does_not_know(tool: Any) -> None:
    assert "nonsense: there is no such argument" in refused(tool.arguments, nonsense=1)


def test_a_misspelt_argument_is_told_its_likely_name() -> None:
    assert refused(TaskArguments, prompt="x", modle="haiku") == (
        "modle: there is no such argument; did you mean 'model'?"
    )


def test_a_missing_argument_is_named() -> None:
    assert refused(TaskArguments) == "prompt: is required"


def test_all_problems_are_told_at_once() -> None:
    message = refused(RunArguments, prompt="", retries=True, wait_seconds=math.nan, tags=["", "ok"])
    assert all(field in message for field in ("prompt: ", "retries: ", "wait_seconds: ", "tags.0: ")), message


def test_very_many_problems_are_told_in_a_short_message() -> None:
    message = refused(TaskArguments, prompt="x", **{f"wrong_{n}": n for n in range(500)})
    assert message.endswith(f"and {500 - SHOWN_PROBLEMS} more")
    assert len(message) < 2_000


@pytest.mark.parametrize("prompt", ["", " \n\t "])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    assert refused(TaskArguments, prompt=prompt) == "prompt: a prompt cannot be empty"


def test_a_prompt_of_20_megabytes_is_refused_without_repeating_it() -> None:
    message = refused(TaskArguments, prompt="x" * 20_000_000)
    assert message == f"prompt: 20000000 bytes are more than the {PROMPT_BYTES} that a task can carry"


def test_a_long_name_of_an_unknown_argument_is_not_repeated() -> None:
    assert len(refused(TaskArguments, prompt="x", **{"a" * 100_000: 1})) < 200


def test_the_name_of_an_unknown_argument_cannot_bring_lines_of_its_own() -> None:
    assert "\n" not in refused(TaskArguments, prompt="x", **{"a\n[internal] b": 1})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("effort", "min", "'low', 'medium', 'high', 'xhigh' or 'max'"),
        (
            "permission_mode",
            "yolo",
            "say one of plan, default, dontAsk, acceptEdits, auto, bypassPermissions",
        ),
        ("permission_mode", "Plan", "say one of plan"),
        ("on_interrupt", "shrug", "'resume', 'rerun' or 'ask'"),
        ("session", "resume:../../etc", "say fresh, slot, resume:<session id> or fork:<session id>"),
        ("session", "new", "say fresh, slot"),
        ("model", "--dangerously-skip-permissions", "say a model's name or alias"),
        ("model", "", "say a model's name or alias"),
        ("fallback_model", "haiku,,opus", "say models' names or aliases, by comma"),
        ("allowed_tools", "Read", "should be a valid list"),
        ("allowed_tools", ["Read\n--x"], "must not hold control characters"),
        ("tags", ["x"] * 21, "at most 20 items"),
        ("tags", ["x" * 65], "at most 64 characters"),
        ("working_dir", "relative/path", "say an absolute path"),
        ("working_dir", "/no/such/directory", "there is no such directory"),
        ("working_dir", "/\0", "say an absolute path"),
        ("json_schema", "{}", "should be a valid dictionary"),
        ("json_schema", {"a": math.nan}, "must be plain JSON"),
        ("json_schema", {"a": "x" * 200_000}, "is longer than 100000 bytes"),
        ("mcp_servers", {"a b": {}}, "a server's name has 1 to 64 letters, digits, - and _"),
        ("mcp_servers", {"a": "npx"}, "should be a valid dictionary"),
        ("mcp_servers", {"a": {"timeout": math.inf}}, "must be plain JSON"),
        ("retries", 11, "from 0 to 10"),
        ("priority", 1_001, "from -1000 to 1000"),
        ("max_budget_usd", 0, "dollars from 0.000001 to 1000000"),
        ("max_budget_usd", 1e-9, "dollars from 0.000001 to 1000000"),
        ("idempotency_key", "", "at least 1 character"),
        ("system_prompt", "a\0b", "holds a NUL"),
    ],
)
def test_a_wrong_option_is_refused_with_what_would_be_right(name: str, value: object, problem: str) -> None:
    message = refused(TaskArguments, prompt="x", **{name: value})
    assert message.startswith(name)
    assert problem in message


def test_json_that_is_nested_without_end_is_refused() -> None:
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(100_000):
        inner["a"] = inner = {}
    assert refused(TaskArguments, prompt="x", json_schema=deep) == (
        "json_schema: must be plain JSON: finite numbers, no endless nesting"
    )


def test_a_caller_may_not_raise_a_task_above_the_mode_that_the_pool_allows() -> None:
    message = refused(TaskArguments, "auto", prompt="x", permission_mode="bypassPermissions")
    assert (
        message
        == "permission_mode: bypassPermissions is more than this pool allows its callers; auto is the most"
    )


def test_a_caller_may_use_the_highest_mode_that_the_pool_allows() -> None:
    given = {"prompt": "x", "permission_mode": "bypassPermissions"}
    assert read_arguments(TaskArguments, given, "bypassPermissions").permission_mode == "bypassPermissions"


def test_null_means_not_given() -> None:
    nothing = {name: None for name in TaskArguments.model_fields if name not in ("prompt", "retries", "tags")}
    nothing = {name: None for name in nothing if name not in ("on_interrupt", "priority")}
    assert read_arguments(TaskArguments, {"prompt": "x"} | nothing, "auto") == TaskArguments(prompt="x")


def test_good_options_are_taken(tmp_path: Path) -> None:
    given = {
        "prompt": "x", "model": "claude-opus-4[1m]", "effort": "xhigh", "permission_mode": "acceptEdits",
        "allowed_tools": ["Bash(git log:*)"], "tools": [], "mcp_servers": {"a-b_1": {"command": "npx"}},
        "json_schema": {"type": "object"}, "max_turns": 3, "fallback_model": "haiku, sonnet",
        "max_budget_usd": 0.25, "timeout_seconds": 90, "retries": 10, "on_interrupt": "ask",
        "session": f"fork:{SESSION}", "slot": "reviewer", "priority": -1000, "tags": ["é"],
        "working_dir": str(tmp_path), "idempotency_key": "k",
    }  # fmt: skip
    read = read_arguments(TaskArguments, json.loads(json.dumps(given)), "auto")
    assert read.model_dump(exclude_unset=True) == given
