"""Writes `SKILL.md`, so that reading it gives the same skill with every field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import cast

from claude_pool.domain.skills import Skill

from .config import split_names, written_config

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./()*-]*(?: [A-Za-z0-9_./()*,-]+)*")


def write_skill(skill: Skill) -> str:
    """The text of a `SKILL.md` that reads as `skill`."""
    extra = {key: cast("object", json.loads(text)) for key, text in skill.extra}
    metadata: dict[str, object] = {"scope": skill.scope}
    metadata |= {
        key.removeprefix("metadata."): value for key, value in extra.items() if key.startswith("metadata.")
    }
    if skill.arguments:
        metadata["arguments"] = [
            {"name": each.name, "description": each.description, "required": each.required}
            | ({} if each.kind == "string" else {"type": each.kind})
            for each in skill.arguments
        ]
    if config := written_config(skill.options):
        metadata["config"] = config
    lines = [f"name: {skill.name}", f"description: {_quoted(skill.description)}"]
    if skill.argument_hint is not None:
        lines.append(f"argument-hint: {_quoted(skill.argument_hint)}")
    if tools := skill.options.allowed_tools:
        joined = ", ".join(tools)
        lines.append(
            f"allowed-tools: {_quoted(joined) if split_names(joined) == tools else _flow(list(tools))}"
        )
    lines += [f"{_quoted(key)}: {_flow(value)}" for key, value in extra.items() if "metadata." not in key]
    lines += ["metadata:", *_block(metadata, "  ")]
    return "\n".join(("---", *lines, "---", "", skill.prompt, ""))


def digest_of(skill: Skill) -> str:
    """SHA-256 (hex) of the text that `write_skill` gives: the same for the same skill, however it came."""
    return sha256(write_skill(skill).encode("utf-8", "surrogatepass")).hexdigest()


def _block(table: Mapping[str, object], indent: str) -> list[str]:
    """Two levels are written out; what lies deeper stands on one line."""
    lines: list[str] = []
    for key, value in table.items():
        if key == "config" and isinstance(value, dict):
            lines += [f"{indent}config:", *_block(cast("dict[str, object]", value), indent + "  ")]
        elif key == "arguments" and isinstance(value, list):
            lines.append(f"{indent}arguments:")
            for each in cast("list[dict[str, object]]", value):
                one = _block(each, indent + "    ")
                lines += [f"{indent}  - {one[0].strip()}", *one[1:]]
        else:
            lines.append(f"{indent}{_quoted(key)}: {_flow(value)}")
    return lines


def _flow(value: object) -> str:
    """A JSON value on one line of YAML."""
    return _quoted(value) if isinstance(value, str) else _double(value)


def _double(value: object) -> str:
    match value:
        case str():
            return '"' + "".join(_escaped(character) for character in value) + '"'
        case list():
            return "[" + ", ".join(_double(each) for each in cast("list[object]", value)) + "]"
        case dict():
            pairs = cast("dict[str, object]", value).items()
            return "{" + ", ".join(f"{_double(key)}: {_double(each)}" for key, each in pairs) + "}"
        case _:
            return json.dumps(value)


def _quoted(text: str) -> str:
    """A text that reads as itself: bare where it is a few plain words."""
    if _PLAIN.fullmatch(text) and text not in ("true", "false", "null"):
        return text
    return _double(text)


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    if character.isprintable() and code < 0xD800:
        return character
    if character == "\n":
        return "\\n"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
