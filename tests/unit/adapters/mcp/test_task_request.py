"""What the arguments of a task become: the domain's terms, and a fingerprint of what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.config.amounts import microdollars
from claude_pool.adapters.mcp.run_tools import RunArguments
from claude_pool.adapters.mcp.task_arguments import TaskArguments, task_request
from claude_pool.adapters.requests import TaskRequest
from claude_pool.domain.values import Options


def request(**given: Any) -> TaskRequest:
    task = TaskArguments.model_validate({"prompt": "x", **given})
    return task_request(task, task.prompt)


def test_a_task_without_options_leaves_everything_to_slot_and_pool() -> None:
    assert request().options == Options()


@pytest.mark.parametrize(
    ("usd", "expected"),
    [(0.1, 100_000), (0.29, 290_000), (1, 1_000_000), (0.000_001, 1), (0.000_001_9, 1), (4.35, 4_350_000)],
)
def test_money_becomes_whole_microdollars_and_never_more_than_was_said(usd: float, expected: int) -> None:
    assert microdollars(usd) == expected
    assert request(max_budget_usd=usd).options.max_budget == expected


def test_seconds_become_milliseconds() -> None:
    assert request(timeout_seconds=1.5).options.timeout_ms == 1_500


def test_servers_become_pairs_of_name_and_canonical_json_in_order_of_names() -> None:
    servers = {"b": {"url": "u", "type": "http"}, "a": {"command": "é"}}
    assert request(mcp_servers=servers).options.mcp_servers == (
        ("a", '{"command":"\\u00e9"}'),
        ("b", '{"type":"http","url":"u"}'),
    )


def test_a_schema_becomes_canonical_json() -> None:
    assert request(json_schema={"type": "object", "a": 1}).options.json_schema == '{"a":1,"type":"object"}'


def test_no_tools_differ_from_all_tools() -> None:
    assert (request(tools=[]).options.tools, request().options.tools) == ((), None)


def test_a_directory_loses_its_detours(tmp_path: Path) -> None:
    detour = f"{tmp_path}/../{tmp_path.name}/."
    assert request(working_dir=detour).options.working_dir == str(tmp_path)


def test_what_is_left_out_and_what_is_left_at_its_default_have_one_fingerprint() -> None:
    plain, spelt = request(), request(retries=0, on_interrupt="resume", priority=0, tags=[], model=None)
    assert plain.fingerprint == spelt.fingerprint


def test_another_option_has_another_fingerprint() -> None:
    assert request(model="haiku").fingerprint != request(model="opus").fingerprint


def test_how_long_a_caller_waits_and_its_key_are_not_part_of_the_task() -> None:
    run = RunArguments.model_validate({"prompt": "x", "wait_seconds": 3, "idempotency_key": "k"})
    assert task_request(run, run.prompt).fingerprint == request().fingerprint
