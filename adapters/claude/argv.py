"""The command line of a slot's CLI, built from a `Launch` by an allow-list.

Every option is one word, `--name=value`, so that a value can neither become an option nor swallow what
follows it. What is long or may hold a secret (system prompts, MCP servers) goes into files of the slot's
private folder, because every user of the machine can read a command line.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from claude_pool.domain.ports import SLOT_SERVER, Launch, SlotFailure
from claude_pool.domain.values import is_session_id

from .slot_server import ALLOWED

DEFAULT_PERMISSION_MODE = "plan"
PERMISSION_MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "manual", "plan")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
SNAPSHOT_OPTION = "--system-prompt-snapshot"

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,255}")
_SERVER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RULE_LENGTH = 2_000
_ARGUMENT_BYTES = 100_000  # Linux allows 131,072 for one argument
_PEER_TOOLS = ("SendMessage", "ListAgents")
_USER_TOOLS = ("AskUserQuestion", "ExitPlanMode")
"""Tools that exist only where a person may be asked. The first one is for tasks that allow it by name."""


@dataclass(frozen=True, slots=True)
class LaunchFiles:
    """What the command line refers to by path: where it lies, and who may name it."""

    folder: Path

    def write(self, name: str, text: str) -> str:
        """Write one file, readable by this user only; its path."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return str(path)


def build_argv(
    program: str,
    launch: Launch,
    files: LaunchFiles,
    *,
    trust_project: bool = False,
    can_drop_snapshot: bool = True,
) -> list[str]:
    """The words to execute.

    `trust_project` lets the CLI read the repository's own settings, hooks, servers and instructions.
    `can_drop_snapshot` says whether the CLI knows `--system-prompt-snapshot`.

    Raises:
        SlotFailure: `invalid_argument` for a value that no option may have.
    """
    check_launch(launch)
    argv = [
        program,
        "-p",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--verbose",
        "--include-partial-messages",
        f"--permission-mode={launch.permission_mode or DEFAULT_PERMISSION_MODE}",
        "--permission-prompt-tool=stdio",
    ]
    if not trust_project:
        argv += ["--setting-sources=user", "--strict-mcp-config"]
    argv += _session(launch, can_drop_snapshot)
    argv += _choices(launch)
    if launch.system_prompt is not None:
        argv.append(f"--system-prompt-file={files.write('system-prompt.txt', launch.system_prompt)}")
    if launch.append_system_prompt:
        path = files.write("append-system-prompt.txt", launch.append_system_prompt)
        argv.append(f"--append-system-prompt-file={path}")
    if launch.mcp_servers:
        servers = {name: json.loads(text) for name, text in launch.mcp_servers}
        argv.append(f"--mcp-config={files.write('mcp.json', json.dumps({'mcpServers': servers}))}")
    return argv


def _session(launch: Launch, can_drop_snapshot: bool) -> list[str]:
    if launch.resume is None:
        return [f"--session-id={launch.session}"]
    words = [f"--resume={launch.resume}"]
    if launch.fork:
        words += ["--fork-session", f"--session-id={launch.session}"]
    if can_drop_snapshot:
        # Without it a resumed conversation silently keeps the system prompt it was recorded with.
        words.append(f"{SNAPSHOT_OPTION}=off")
    return words


def _choices(launch: Launch) -> list[str]:
    nobodys = [name for name in _USER_TOOLS if name == "ExitPlanMode" or name not in launch.allowed_tools]
    words = [f"--disallowedTools={','.join((*_PEER_TOOLS, *nobodys, *launch.disallowed_tools))}"]
    if launch.model is not None:
        words.append(f"--model={launch.model}")
    if launch.effort is not None:
        words.append(f"--effort={launch.effort}")
    if launch.fallback_model is not None:
        words.append(f"--fallback-model={launch.fallback_model}")
    if launch.max_turns is not None:
        words.append(f"--max-turns={launch.max_turns}")
    if launch.tools is not None:
        words.append(f"--tools={','.join(launch.tools)}")
    words.append(f"--allowedTools={','.join((ALLOWED, *launch.allowed_tools))}")
    if launch.json_schema is not None:
        words.append(f"--json-schema={launch.json_schema}")
    return words


def check_launch(launch: Launch) -> None:
    """Refuse what no slot may be launched with.

    Raises:
        SlotFailure: `invalid_argument`, naming the field.
    """
    for name, session in (("session", launch.session), ("resume", launch.resume)):
        if session is not None and not is_session_id(session):
            raise _invalid(name, "must be a lower-case UUID")
    if launch.fork and launch.resume is None:
        raise _invalid("fork", "needs a conversation to branch off")
    if not os.path.isabs(launch.cwd) or not os.path.isdir(launch.cwd):
        raise _invalid("working_dir", f"{launch.cwd} is not an existing directory with an absolute path")
    check_model("model", launch.model)
    for name in (launch.fallback_model or "").split(",") if launch.fallback_model is not None else ():
        check_model("fallback_model", name)
    check_effort(launch.effort)
    check_permission_mode(launch.permission_mode)
    for field in ("allowed_tools", "disallowed_tools", "tools"):
        for rule in getattr(launch, field) or ():
            _check_rule(field, rule)
    if launch.max_turns is not None and launch.max_turns < 1:
        raise _invalid("max_turns", "must be at least 1")
    _check_json(launch)


def check_model(field: str, model: str | None) -> None:
    """Refuse a model name that could not be one. Raises `SlotFailure` (`invalid_argument`)."""
    if model is not None and not _MODEL.fullmatch(model):
        raise _invalid(field, "must be a model's name or alias, such as haiku")


def check_effort(effort: str | None) -> None:
    """Refuse an effort the CLI does not know; it would ignore it. Raises `SlotFailure`."""
    if effort is not None and effort not in EFFORTS:
        raise _invalid("effort", f"must be one of {', '.join(EFFORTS)}")


def check_permission_mode(mode: str | None) -> None:
    """Refuse an unknown permission mode. Raises `SlotFailure` (`invalid_argument`)."""
    if mode is not None and mode not in PERMISSION_MODES:
        raise _invalid("permission_mode", f"must be one of {', '.join(PERMISSION_MODES)}")


def _check_rule(field: str, rule: str) -> None:
    if not rule or len(rule) > _RULE_LENGTH or _CONTROL.search(rule):
        raise _invalid(
            field, f"holds a rule that is empty, too long or has control characters: {rule[:60]!r}"
        )


def _check_json(launch: Launch) -> None:
    for name, text in launch.mcp_servers:
        if name == SLOT_SERVER:
            raise _invalid("mcp_servers", f"must not name a server {SLOT_SERVER}: that is the slots' own")
        if not _SERVER.fullmatch(name):
            raise _invalid("mcp_servers", f"{name[:60]!r} is not a server's name (letters, digits, - and _)")
        if not isinstance(_parsed("mcp_servers", text), dict):
            raise _invalid("mcp_servers", f"{name} must be a JSON object")
    if launch.json_schema is not None:
        if not isinstance(_parsed("json_schema", launch.json_schema), dict):
            raise _invalid("json_schema", "must be a JSON object")
        if len(launch.json_schema.encode()) > _ARGUMENT_BYTES:
            raise _invalid("json_schema", f"must be at most {_ARGUMENT_BYTES} bytes")


def _parsed(field: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _invalid(field, f"is not JSON: {error}") from error


def _invalid(field: str, problem: str) -> SlotFailure:
    return SlotFailure("invalid_argument", f"{field} {problem}.")
