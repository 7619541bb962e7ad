"""Flags of a task as tool arguments: what is refused before an owner is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.cli.task_flags import task_arguments, with_review
from claude_pool.domain.errors import InvalidArgument


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("permission_mode", "plam", "--permission-mode: 'plam' is none of plan, default"),
        ("effort", "more", "--effort: 'more' is none of low, medium"),
        ("json_schema", "nowhere.json", "--json-schema: nowhere.json cannot be read"),
        ("json_schema", "{", "--json-schema: is not JSON"),
        ("json_schema", "list.json", "--json-schema: is not a JSON object"),
        ("mcp_servers", "list.json", "--mcp-servers: is not a JSON object"),
        ("timeout_seconds", float("nan"), "--task-timeout: nan is not seconds from 0.001 to 2592000"),
        ("max_budget_usd", float("inf"), "--task-budget-usd: inf is not dollars from 0.000001 to 1000000"),
        ("working_dir", "", "--working-dir: is empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[]")

    with pytest.raises(InvalidArgument) as refusal:
        task_arguments("x", {name: value})

    assert refusal.value.message.startswith(message)


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidArgument, match="prompt: is empty"):
        task_arguments(prompt, {})


def test_what_was_not_given_is_left_out() -> None:
    assert task_arguments("x", {"model": None, "tags": [], "retries": 0}) == {"prompt": "x", "retries": 0}


def test_servers_may_stand_alone_or_in_a_file_as_other_programs_have_it(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{"mcpServers": {"a": {"command": "b"}}}')

    for text in (str(file), '{"a": {"command": "b"}}'):
        assert task_arguments("x", {"mcp_servers": text})["mcp_servers"] == {"a": {"command": "b"}}


@pytest.mark.parametrize(
    ("words", "complete"),
    [
        ("submit --review look", "submit --review=3 look"),
        ("submit look --review", "submit look --review=3"),
        ("submit --review 2 look", "submit --review=2 look"),
        ("submit --review=5 look", "submit --review=5 look"),
        ("submit --review --review", "submit --review=3 --review=3"),
        ("submit -- --review 2", "submit -- --review 2"),
    ],
)
def test_a_review_may_name_its_last_rejection(words: str, complete: str) -> None:
    assert with_review(words.split()) == complete.split()
