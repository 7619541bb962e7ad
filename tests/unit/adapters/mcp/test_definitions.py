"""What clients are told of the tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from claude_pool.adapters.config.options import TOOLSETS
from claude_pool.adapters.mcp.tool import Tool
from claude_pool.adapters.mcp.tools import TOOLS, tools_of
from claude_pool.adapters.mcp.toolsets import DEFAULT_TOOLSETS, chosen_toolsets

LISTING_BYTES = 40_000

AnyTool = Tool[Any]

INTERFACE = {
    "core": "pool_run pool_submit pool_result pool_wait pool_fan_out pool_cancel pool_list_tasks pool_status "
    "pool_session_metrics pool_drain pool_resume pool_budget",
    "chains": "pool_chain pool_submit_chain pool_fan_out_chains pool_chain_result pool_cancel_chain "
    "pool_invoke_workflow pool_list_workflows",
    "skills": "pool_skill_run pool_skill_list pool_skill_get pool_skill_add pool_skill_remove "
    "pool_skill_save pool_skill_eject",
    "context": "context_set context_get context_delete context_list",
    "slots": "pool_configure_slot pool_find_slots pool_claim pool_scale_up pool_scale_down "
    "pool_set_target_slots",
    "messages": "pool_send_message pool_broadcast pool_read_messages pool_peek_messages",
    "auto": "pool_auto pool_route",
    "debug": "pool_why pool_replay pool_fork",
}

READING = (
    "pool_result pool_wait pool_list_tasks pool_status pool_session_metrics context_get context_list "
    "pool_find_slots pool_peek_messages pool_why pool_replay pool_chain_result pool_list_questions "
    "pool_skill_list pool_skill_get pool_list_workflows"
)

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def wire(tool: AnyTool) -> dict[str, Any]:
    return tool.definition.model_dump(mode="json", by_alias=True, exclude_none=True)


def nodes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found = [schema]
    for each in schema.get("properties", {}).values():
        found += nodes(each)
    if isinstance(schema.get("items"), dict):
        found += nodes(schema["items"])
    return found


@pytest.mark.parametrize("toolset", INTERFACE)
def test_a_toolset_has_the_tools_of_the_interface(toolset: str) -> None:
    assert {tool.name for tool in tools_of(frozenset({toolset}))} == set(INTERFACE[toolset].split())


def test_the_default_listing_stays_within_40_kilobytes() -> None:
    listing = json.dumps(
        {"tools": [wire(tool) for tool in tools_of(DEFAULT_TOOLSETS)]}, separators=(",", ":")
    )
    assert len(listing) <= LISTING_BYTES


@each_tool
def test_a_tool_is_described_in_one_short_paragraph(tool: AnyTool) -> None:
    assert 20 < len(tool.description.encode()) < 2_048
    assert "\n" not in tool.description


@each_tool
def test_every_argument_is_typed_and_described(tool: AnyTool) -> None:
    for name, field in wire(tool)["inputSchema"]["properties"].items():
        assert field.get("description"), name
        assert field.get("type"), name


@each_tool
def test_arguments_are_closed_and_told_without_waste(tool: AnyTool) -> None:
    schema = wire(tool)["inputSchema"]
    for node in nodes(schema):
        assert "title" not in node
        assert "anyOf" not in node
        assert node.get("default", 0) is not None
        assert node.get("additionalProperties") is False or "properties" not in node
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False


@each_tool
def test_results_are_open_objects(tool: AnyTool) -> None:
    schema = wire(tool)["outputSchema"]
    assert schema["type"] == "object"
    assert "additionalProperties" not in schema


@each_tool
def test_only_what_changes_nothing_says_that_it_reads_only(tool: AnyTool) -> None:
    said = wire(tool)["annotations"].get("readOnlyHint", False)
    assert said == (tool.name in READING.split())


@each_tool
def test_what_ends_or_removes_something_says_that_it_destroys(tool: AnyTool) -> None:
    destroying = (
        "pool_cancel pool_drain pool_budget context_delete pool_scale_down pool_set_target_slots "
        "pool_cancel_chain pool_skill_remove pool_skill_save pool_answer_question"
    )
    said = wire(tool)["annotations"].get("destructiveHint", False)
    assert said == (tool.name in destroying.split())


def test_the_default_leaves_out_what_few_need() -> None:
    assert chosen_toolsets("default") == frozenset(TOOLSETS) - {"auto", "messages", "debug"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", set(TOOLSETS)),
        ("core", {"core"}),
        ("core, debug", {"core", "debug"}),
        ("default,debug", set(TOOLSETS) - {"auto", "messages"}),
        ("nonsense", set[str]()),
    ],
)
def test_a_connection_chooses_its_toolsets_by_a_comma_list(text: str, expected: set[str]) -> None:
    assert chosen_toolsets(text) == expected
