"""The command line of a slot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.claude.argv import LaunchFiles, build_argv
from claude_pool.domain.ports import Launch, SlotFailure

_SESSION = "0b0e2a5c-1111-4222-8333-444455556666"
_OTHER = "0b0e2a5c-1111-4222-8333-777788889999"


def a_launch(folder: Path, **changes: Any) -> Launch:
    """A launch in `folder` with nothing chosen but `changes`."""
    return replace(Launch("slot-0", 1, _SESSION, str(folder)), **changes)


def argv(
    folder: Path, *, trust_project: bool = False, can_drop_snapshot: bool = True, **changes: Any
) -> list[str]:
    """The words for a launch with `changes`."""
    return build_argv(
        "/bin/claude",
        a_launch(folder, **changes),
        LaunchFiles(folder),
        trust_project=trust_project,
        can_drop_snapshot=can_drop_snapshot,
    )


def value(words: list[str], option: str) -> str | None:
    """What `option` is set to, None where it is not there."""
    return next((word.partition("=")[2] for word in words if word.startswith(option + "=")), None)


def test_a_plain_launch_has_the_safe_defaults_and_nothing_else(tmp_path: Path) -> None:
    assert argv(tmp_path) == [
        "/bin/claude",
        "-p",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--verbose",
        "--include-partial-messages",
        "--permission-mode=plan",
        "--permission-prompt-tool=stdio",
        "--setting-sources=user",
        "--strict-mcp-config",
        f"--session-id={_SESSION}",
        "--disallowedTools=SendMessage,ListAgents,AskUserQuestion,ExitPlanMode",
        "--allowedTools=mcp__pool",
    ]


def test_a_trusted_project_loads_its_own_settings_and_servers(tmp_path: Path) -> None:
    words = argv(tmp_path, trust_project=True)
    assert value(words, "--setting-sources") is None
    assert "--strict-mcp-config" not in words


def test_a_task_that_allows_it_by_name_may_ask_its_user_but_never_leave_plan_mode(tmp_path: Path) -> None:
    words = argv(tmp_path, allowed_tools=("AskUserQuestion", "ExitPlanMode"))
    assert value(words, "--disallowedTools") == "SendMessage,ListAgents,ExitPlanMode"


def test_every_choice_becomes_one_word(tmp_path: Path) -> None:
    words = argv(
        tmp_path,
        model="haiku",
        effort="high",
        permission_mode="acceptEdits",
        allowed_tools=("Bash(git log *)", "Read"),
        disallowed_tools=("WebFetch",),
        tools=("Bash", "Read"),
        json_schema='{"type":"object"}',
        max_turns=3,
        fallback_model="sonnet,opus",
    )
    chosen = {
        "--model": "haiku",
        "--effort": "high",
        "--permission-mode": "acceptEdits",
        "--allowedTools": "mcp__pool,Bash(git log *),Read",
        "--disallowedTools": "SendMessage,ListAgents,AskUserQuestion,ExitPlanMode,WebFetch",
        "--tools": "Bash,Read",
        "--json-schema": '{"type":"object"}',
        "--max-turns": "3",
        "--fallback-model": "sonnet,opus",
    }
    assert {option: value(words, option) for option in chosen} == chosen


def test_no_tools_at_all_differs_from_no_choice_of_tools(tmp_path: Path) -> None:
    assert value(argv(tmp_path, tools=()), "--tools") == ""
    assert value(argv(tmp_path), "--tools") is None


def test_a_resumed_conversation_keeps_its_id_and_takes_the_present_system_prompt(tmp_path: Path) -> None:
    words = argv(tmp_path, resume=_SESSION)
    assert value(words, "--resume") == _SESSION
    assert value(words, "--session-id") is None
    assert value(words, "--system-prompt-snapshot") == "off"


def test_an_older_cli_is_not_told_of_snapshots(tmp_path: Path) -> None:
    words = argv(tmp_path, resume=_SESSION, can_drop_snapshot=False)
    assert value(words, "--system-prompt-snapshot") is None


def test_a_fork_gets_an_id_of_its_own(tmp_path: Path) -> None:
    words = argv(tmp_path, resume=_OTHER, fork=True)
    assert (value(words, "--resume"), value(words, "--session-id")) == (_OTHER, _SESSION)
    assert "--fork-session" in words


def test_prompts_and_servers_lie_in_files_that_only_their_owner_reads(tmp_path: Path) -> None:
    secret = "sk-very-secret"
    server = json.dumps({"command": "server", "env": {"TOKEN": secret}})
    words = argv(
        tmp_path,
        system_prompt=f"be {secret}",
        append_system_prompt=f"and {secret}",
        mcp_servers=(("files", server),),
    )
    assert secret not in " ".join(words)
    options = ("--system-prompt-file", "--append-system-prompt-file", "--mcp-config")
    paths = [Path(value(words, option) or "") for option in options]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 3
    assert [path.read_text() for path in paths[:2]] == [f"be {secret}", f"and {secret}"]
    assert json.loads(paths[2].read_text()) == {"mcpServers": {"files": json.loads(server)}}


def test_a_link_in_the_private_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "system-prompt.txt").symlink_to(victim)
    argv(tmp_path, system_prompt="text")
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("session", "not-a-uuid"),
        ("session", _SESSION.upper()),
        ("resume", "../../etc/passwd"),
        ("fork", True),
        ("model", "--dangerously-skip-permissions"),
        ("model", ""),
        ("model", "haiku\n--x"),
        ("model", "hai ku"),
        ("fallback_model", "haiku,,opus"),
        ("fallback_model", ""),
        ("effort", "extreme"),
        ("permission_mode", "everything"),
        ("allowed_tools", ("",)),
        ("allowed_tools", ("Bash\x00",)),
        ("disallowed_tools", ("Bash\n",)),
        ("tools", ("x" * 2001,)),
        ("max_turns", 0),
        ("json_schema", "{"),
        ("json_schema", "[]"),
        ("json_schema", '{"description":"' + "x" * 100_000 + '"}'),
        ("mcp_servers", (("po ol", "{}"),)),
        ("mcp_servers", (("files", "[]"),)),
        ("mcp_servers", (("files", "{"),)),
        ("mcp_servers", (("pool", "{}"),)),
        ("cwd", "relative"),
        ("cwd", "/does/not/exist"),
    ],
)
def test_a_value_that_no_option_may_have_is_refused(tmp_path: Path, field: str, bad: Any) -> None:
    with pytest.raises(SlotFailure) as failure:
        argv(tmp_path, **{field: bad})
    assert failure.value.code == "invalid_argument"


@pytest.mark.parametrize(
    "model",
    [
        "haiku",
        "claude-opus-5-5[1m]",
        "us.anthropic.claude-v1:0",
        "arn:aws:bedrock:eu:1:profile/x",
        "claude@2026",
    ],
)
def test_the_names_of_models_on_all_platforms_pass(tmp_path: Path, model: str) -> None:
    assert value(argv(tmp_path, model=model), "--model") == model
