"""The command line that the fake accepts: the options of the real one that a slot may be given."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.fakecli.schema import schema_problem

VERSION = "2.1.330"
OLD_VERSION = "2.1.197"
PERMISSION_MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SHORT = {"-p": "--print", "-r": "--resume", "-v": "--version", "-n": "--name"}
_SWITCHES = frozenset(
    [
        "--print",
        "--verbose",
        "--include-partial-messages",
        "--fork-session",
        "--strict-mcp-config",
        "--no-session-persistence",
        "--disable-slash-commands",
        "--bare",
        "--safe-mode",
        "--restricted",
        "--version",
        "--dangerously-skip-permissions",
        "--replay-user-messages",
    ]
)
_VALUES = frozenset(
    [
        "--input-format",
        "--output-format",
        "--session-id",
        "--resume",
        "--model",
        "--fallback-model",
        "--effort",
        "--permission-mode",
        "--system-prompt",
        "--system-prompt-file",
        "--append-system-prompt",
        "--append-system-prompt-file",
        "--json-schema",
        "--max-turns",
        "--max-budget-usd",
        "--allowedTools",
        "--allowed-tools",
        "--disallowedTools",
        "--disallowed-tools",
        "--tools",
        "--mcp-config",
        "--setting-sources",
        "--settings",
        "--add-dir",
        "--permission-prompt-tool",
        "--permission-prompts",
        "--agents",
        "--system-prompt-snapshot",
        "--name",
        "--betas",
        "--fake-persona",
        "--fake-calls",
    ]
)


class Refused(Exception):
    """The command line cannot be served; the text goes to stderr and the exit code is 1."""


@dataclass(frozen=True)
class Options:
    """What the command line says, with the real one's defaults."""

    switches: frozenset[str]
    values: dict[str, str]

    def text(self, name: str) -> str | None:
        """The value of an option without its dashes, or None."""
        return self.values.get(f"--{name}")

    def on(self, name: str) -> bool:
        """Whether a switch was given."""
        return f"--{name}" in self.switches

    def list(self, *names: str) -> tuple[str, ...]:
        """The rules of an option with one or two spellings; commas inside brackets belong to a rule."""
        text = ",".join(self.values.get(f"--{name}", "") for name in names)
        return tuple(rule for rule in re.findall(r"[^,\s(]+(?:\([^)]*\))?", text) if rule)

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema that answers must have."""
        text = self.text("json-schema")
        return None if text is None else json.loads(text)

    def system_prompt(self) -> str:
        """All of the system prompt that the command line gives."""
        texts = [self.text("system-prompt"), self.text("append-system-prompt")]
        for name in ("system-prompt-file", "append-system-prompt-file"):
            path = self.text(name)
            texts.append(Path(path).read_text("utf-8") if path is not None else None)
        return "\n".join(text for text in texts if text)


def parse_options(words: Sequence[str]) -> Options:
    """The options in `words`.

    Raises:
        Refused: the real CLI would refuse them too.
    """
    switches: set[str] = set()
    values: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        name = _SHORT.get(name, name)
        if name in _SWITCHES and not equals:
            switches.add(name)
        elif name in _VALUES and equals:
            values[name] = value
        elif name in _VALUES and rest:
            values[name] = rest.pop(0)
        else:
            raise Refused(f"error: unknown option '{word}'")
    options = Options(frozenset(switches), values)
    if not options.on("version"):
        _check(options)
    return options


def _check(options: Options) -> None:
    if options.text("output-format") == "stream-json" and not options.on("verbose"):
        raise Refused("Error: When using --print, --output-format=stream-json requires --verbose")
    if options.text("input-format") != "stream-json" or options.text("output-format") != "stream-json":
        raise Refused("Error: the fake speaks stream-json only")
    session, resume = options.text("session-id"), options.text("resume")
    if session is not None and not _UUID.fullmatch(session):
        raise Refused("Error: Invalid session ID. Must be a valid UUID.")
    if session is not None and resume is not None and not options.on("fork-session"):
        raise Refused("Error: --session-id with --continue or --resume also needs --fork-session.")
    mode = options.text("permission-mode")
    if mode is not None and mode not in (*PERMISSION_MODES, "manual"):
        raise Refused(f"error: option '--permission-mode <mode>' argument '{mode}' is invalid.")
    turns = options.text("max-turns")
    if turns is not None and not turns.isdecimal():
        raise Refused(f"error: option '--max-turns <turns>' argument '{turns}' is invalid.")
    _check_schema(options.text("json-schema"))


def _check_schema(text: str | None) -> None:
    if text is None:
        return
    try:
        problem = schema_problem(json.loads(text))
    except ValueError as error:
        raise Refused(f"Error: --json-schema is not valid JSON: {error}") from error
    if problem:
        raise Refused(f"Error: --json-schema is not a valid JSON Schema: {problem}")
