"""Reads `SKILL.md`: front matter between two lines `---`, and the prompt below."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from claude_pool.domain.skills import (
    KINDS,
    SCOPES,
    Skill,
    SkillArgument,
    is_argument_name,
    is_skill_name,
)

from ..config.values import closest
from .config import read_config, read_names
from .faults import Fault
from .yaml_nodes import (
    Fields,
    Node,
    fields_of,
    flag_of,
    items_of,
    json_of,
    read_yaml,
    text_of,
)

_USED = ("name", "description", "argument-hint", "allowed-tools", "arguments", "model", "effort", "metadata")
_KEPT = (
    "license", "compatibility", "version", "when_to_use", "disable-model-invocation", "user-invocable",
    "context", "agent", "hooks", "paths", "shell",
)  # fmt: skip
"""Keys that other readers of the format know, and that mean nothing here."""

_METADATA = ("scope", "arguments", "config")
_PREFIXES = {"cps-coordinator-": "coordinator", "cps-chain-": "chain"}
_BARE_HINT = re.compile(r"^(argument-hint:[ \t]*)(\[.*?)[ \t]*$", re.MULTILINE)
_BLANK_EDGES = re.compile(r"\A(?:[ \t]*\n)+|\s+\Z")
_MOST_DESCRIPTION = 2_000


@dataclass(frozen=True, slots=True)
class Parsed:
    """A skill as its file says it, and what is odd about the file: lines with clauses."""

    skill: Skill
    warnings: tuple[tuple[int, str], ...] = ()


def parse_skill(text: str, folder: str) -> Parsed:
    """The skill in the text of a `SKILL.md` that lies in `folder` (a name, which is the skill's default).

    Raises:
        Fault: it cannot be used.
    """
    matter, prompt = _parts(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    table = fields_of(read_yaml(_with_quoted_hint(matter), 2), "the front matter")
    warnings = [
        (table.key_lines[key], f"has an unknown key {key[:60]!r}{closest(key[:60], (*_USED, *_KEPT))}")
        for key in table.nodes
        if key not in (*_USED, *_KEPT)
    ]
    name = text_of(table.nodes["name"], "name") if "name" in table.nodes else folder
    if not is_skill_name(name):
        line = table.key_lines.get("name", 0)
        raise Fault(line, f"cannot be named {name[:64]!r}: use 1 to 64 of a-z, 0-9, _ and -, no sign first")
    if name != folder:
        warnings.append((table.key_lines["name"], f"is named {name} but lies in {folder}"))
    skill = Skill(name, _description(table), prompt, extra=_extra(table))
    if "argument-hint" in table.nodes:
        skill = replace(skill, argument_hint=text_of(table.nodes["argument-hint"], "argument-hint"))
    skill = _with_metadata(skill, table, warnings)
    return Parsed(skill, tuple(sorted(warnings)))


def _parts(text: str) -> tuple[str, str]:
    """Front matter and prompt."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        raise Fault(1, "should begin with a line ---, then name and description, then another line ---")
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() == "---":
            prompt = _BLANK_EDGES.sub("", "\n".join(lines[number + 1 :]))
            if not prompt:
                raise Fault(number + 1, "has no prompt below its front matter")
            if "\0" in prompt:
                raise Fault(number + 1, "holds a NUL character")
            return "\n".join(lines[1:number]), prompt
    raise Fault(1, "has front matter without an end: a line --- is missing")


def _description(table: Fields) -> str:
    if "description" not in table.nodes:
        raise Fault(1, "needs a description: what it does, and when to use it")
    text = text_of(table.nodes["description"], "description").strip()
    if not 0 < len(text) <= _MOST_DESCRIPTION:
        raise Fault(
            table.key_lines["description"], f"needs a description of 1 to {_MOST_DESCRIPTION} characters"
        )
    return text


def _with_quoted_hint(matter: str) -> str:
    """`argument-hint: [file] [goal]` is no YAML, but is how everybody writes it."""
    return _BARE_HINT.sub(lambda hint: hint[1] + "'" + hint[2].replace("'", "''") + "'", matter)


def _extra(table: Fields) -> tuple[tuple[str, str], ...]:
    found = {key: node for key, node in table.nodes.items() if key not in _USED}
    metadata = table.nodes.get("metadata")
    if isinstance(metadata, Fields):
        found |= {f"metadata.{key}": node for key, node in metadata.nodes.items() if key not in _METADATA}
    return tuple(sorted((key, json.dumps(json_of(node), sort_keys=True)) for key, node in found.items()))


def _with_metadata(skill: Skill, table: Fields, warnings: list[tuple[int, str]]) -> Skill:
    metadata = fields_of(table.nodes["metadata"], "metadata") if "metadata" in table.nodes else Fields(1)
    for key in metadata.nodes:
        if key not in _METADATA and (near := closest(key[:60], _METADATA)):
            warnings.append((metadata.key_lines[key], f"has an unknown key {key[:60]!r} in metadata{near}"))
    options = read_config(metadata.nodes["config"]) if "config" in metadata.nodes else skill.options
    for key in ("model", "effort"):
        # Where other readers of the format look; `inherit` is their word for none.
        if key in table.nodes and getattr(options, key) is None:
            value = text_of(table.nodes[key], key)
            one = Fields(table.key_lines[key], {key: table.nodes[key]}, {key: table.key_lines[key]})
            options = (
                options if value == "inherit" else replace(options, **{key: getattr(read_config(one), key)})
            )
    if "allowed-tools" in table.nodes:
        options = replace(options, allowed_tools=read_names(table.nodes["allowed-tools"], "allowed-tools"))
    scope = next((scope for prefix, scope in _PREFIXES.items() if skill.name.startswith(prefix)), "task")
    if "scope" in metadata.nodes:
        scope = text_of(metadata.nodes["scope"], "scope")
        if scope not in SCOPES:
            raise Fault(
                metadata.key_lines["scope"],
                f"has the scope {scope[:60]!r}; say {', '.join(SCOPES)}{closest(scope[:60], SCOPES)}",
            )
    return replace(skill, options=options, scope=scope, arguments=_arguments(table, metadata))


def _arguments(table: Fields, metadata: Fields) -> tuple[SkillArgument, ...]:
    if "arguments" in metadata.nodes:
        return read_arguments(metadata.nodes["arguments"])
    if "arguments" in table.nodes:
        # Names only, as other readers of the format have them.
        node = table.nodes["arguments"]
        names = read_names(node, "arguments")
        return _distinct([(node.line, SkillArgument(name)) for name in names])
    return ()


def read_arguments(node: Node) -> tuple[SkillArgument, ...]:
    """Declared arguments: a list of mappings with `name`, `description`, `required` and `type`.

    Raises:
        Fault: something else, a bad name, or one name twice.
    """
    return _distinct([(each.line, _argument(each)) for each in items_of(node, "arguments")])


def _argument(node: Node) -> SkillArgument:
    given = fields_of(node, "an argument", ("name", "description", "required", "type")).nodes
    if "name" not in given:
        raise Fault(node.line, "has an argument without a name")
    kind = text_of(given["type"], "type") if "type" in given else "string"
    if kind not in KINDS:
        raise Fault(
            given["type"].line,
            f"has the type {kind[:60]!r}; say {', '.join(KINDS)}{closest(kind[:60], KINDS)}",
        )
    return SkillArgument(
        text_of(given["name"], "name"),
        text_of(given["description"], "description") if "description" in given else "",
        flag_of(given["required"], "required") if "required" in given else False,
        kind,
    )


def _distinct(found: Sequence[tuple[int, SkillArgument]]) -> tuple[SkillArgument, ...]:
    names: set[str] = set()
    for line, argument in found:
        if not is_argument_name(argument.name):
            raise Fault(line, f"has an argument named {argument.name[:64]!r}; use letters, digits, - and _")
        if argument.name in names:
            raise Fault(line, f"declares the argument {argument.name} twice")
        names.add(argument.name)
    return tuple(argument for _, argument in found)
