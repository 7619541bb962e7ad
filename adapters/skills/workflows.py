"""Reads workflows: one YAML file each, checked in full, every fault with its line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from claude_pool.domain.skills import Source, is_skill_name
from claude_pool.domain.workflows import Value, Workflow

from ..config.amounts import ATTEMPT_SECONDS, DOLLARS, Range
from ..config.options import EFFORTS, MODES
from ..config.values import closest
from .faults import Fault, Problem
from .folders import MOST_ENTRIES, directory, read_text
from .frontmatter import read_arguments
from .yaml_nodes import (
    Fields,
    Items,
    Node,
    Scalar,
    fields_of,
    flag_of,
    items_of,
    json_of,
    number_of,
    read_yaml,
    text_of,
    whole_of,
)

MOST_STEPS = 100

_KEYS = ("name", "description", "arguments", "steps")
_TAKEN_NAMES = ("previous_output", "error", "steps")
_STEP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_REFERENCE = re.compile(r"\{steps\.([^{}.]+)\.[^{}]+\}")


@dataclass(frozen=True, slots=True)
class RegisteredWorkflow:
    """A workflow and where it comes from."""

    workflow: Workflow
    source: Source
    path: str


def load_workflows(root: str, source: Source) -> tuple[dict[str, RegisteredWorkflow], tuple[Problem, ...]]:
    """The workflows in the folder `root`, by name, and what is wrong there."""
    found: dict[str, RegisteredWorkflow] = {}
    problems: list[Problem] = []
    try:
        names = sorted(os.listdir(root))
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        return {}, (Problem(root, 0, error.strerror or str(error)),)
    for name in names[:MOST_ENTRIES]:
        if name.startswith(".") or not name.endswith((".yaml", ".yml")):
            continue
        path = os.path.join(root, name)
        try:
            with directory(os.path.realpath(root)) as folder:
                text = read_text(name, folder)
            workflow = parse_workflow(text, name.rpartition(".")[0])
            first = found.setdefault(workflow.name, RegisteredWorkflow(workflow, source, path))
            if first.path != path:
                raise Fault(0, f"is named {workflow.name} like the workflow in {first.path}")
        except Fault as fault:
            problems.append(Problem(path, fault.line, fault.problem))
        except OSError as error:
            problems.append(Problem(path, 0, error.strerror or str(error)))
    return found, tuple(problems)


def parse_workflow(text: str, file: str) -> Workflow:
    """The workflow in the text of a file named `file` (without its end), which is its default name.

    Raises:
        Fault: it cannot be used.
    """
    table = fields_of(read_yaml(text), "a workflow", _KEYS)
    name = text_of(table.nodes["name"], "name") if "name" in table.nodes else file
    if not is_skill_name(name):
        line = table.key_lines.get("name", 0)
        raise Fault(line, f"cannot be named {name[:64]!r}: use 1 to 64 of a-z, 0-9, _ and -, no sign first")
    for key in ("description", "steps"):
        if key not in table.nodes:
            raise Fault(table.line, f"needs {key}")
    description = text_of(table.nodes["description"], "description").strip()
    arguments = read_arguments(table.nodes["arguments"]) if "arguments" in table.nodes else ()
    for each in arguments:
        if each.name in _TAKEN_NAMES:
            line = table.key_lines["arguments"]
            raise Fault(line, f"has an argument named {each.name}, which is a word of chains")
    return Workflow(name, description, arguments, _steps(table.nodes["steps"]))


def _steps(node: Node) -> tuple[dict[str, Value], ...]:
    nodes = items_of(node, "steps")
    if not 1 <= len(nodes) <= MOST_STEPS:
        raise Fault(node.line, f"has {len(nodes)} steps; 1 to {MOST_STEPS} will do")
    earlier: dict[str, int] = {}
    steps: list[dict[str, Value]] = []
    for each in nodes:
        table = fields_of(each, "a step", tuple(_STEP))
        step: dict[str, Value] = {key: _STEP[key](value, key) for key, value in table.nodes.items()}
        name = _named(step, table, earlier)
        _check_step(step, table, earlier)
        earlier[name] = table.line
        steps.append(step)
    return tuple(steps)


def _named(step: dict[str, Value], table: Fields, earlier: dict[str, int]) -> str:
    name = step.get("name")
    if not isinstance(name, str):
        raise Fault(table.line, "has a step without a name")
    if not _STEP_NAME.fullmatch(name):
        raise Fault(table.key_lines["name"], f"has a step named {name[:64]!r}; use letters, digits, _ and -")
    if name in earlier:
        raise Fault(table.key_lines["name"], f"has two steps named {name}, first in line {earlier[name]}")
    return name


def _check_step(step: dict[str, Value], table: Fields, earlier: dict[str, int]) -> None:
    """What a step says of others must be there: they stand before it."""
    if ("prompt" in step) == ("skill" in step):
        raise Fault(table.line, f"step {step['name']} needs either a prompt or a skill")
    if "arguments" in step and "skill" not in step:
        raise Fault(table.key_lines["arguments"], "has arguments without a skill")
    needs = step.get("needs")
    for need in needs if isinstance(needs, list) else ():
        if need not in earlier:
            raise Fault(
                table.key_lines["needs"],
                f"needs {need!r}, which is no step before it{closest(str(need), earlier)}",
            )
    for key, node in table.nodes.items():
        for text, line in _texts(node):
            for reference in _REFERENCE.finditer(text):
                if reference[1] not in earlier and "{" not in reference[1]:
                    near = closest(reference[1], earlier)
                    raise Fault(line, f"{key} speaks of {reference[0]}, but no such step is before it{near}")


def _texts(node: Node) -> list[tuple[str, int]]:
    match node:
        case Scalar(text, _, line):
            return [(text, line)]
        case Items():
            return [found for each in node.nodes for found in _texts(each)]
        case Fields():
            return [found for each in node.nodes.values() for found in _texts(each)]


# ---------------------------------------------------------------------- values of a step


def _text(node: Node, key: str) -> Value:
    text = text_of(node, key)
    if not text.strip() or "\0" in text:
        raise Fault(node.line, f"{key} is empty or holds a NUL")
    return text


def _list(node: Node, key: str) -> Value:
    return [text_of(each, key) for each in items_of(node, key)]


def _mapping(node: Node, key: str) -> Value:
    return {name: text_of(each, key) for name, each in fields_of(node, key).nodes.items()}


def _json(node: Node, key: str) -> Value:
    value: Value = json_of(fields_of(node, key))  # type: ignore[assignment]  # JSON values, as json_of says
    return value


def _whole(least: int, most: int) -> Callable[[Node, str], Value]:
    return lambda node, key: whole_of(node, key, least, most)


def _number(allowed: Range) -> Callable[[Node, str], Value]:
    return lambda node, key: number_of(node, key, allowed)


def _one_of(*allowed: str) -> Callable[[Node, str], Value]:
    def read(node: Node, key: str) -> Value:
        text = text_of(node, key)
        if text not in allowed:
            raise Fault(node.line, f"{key} is none of {', '.join(allowed)}{closest(text[:60], allowed)}")
        return text

    return read


def _review(node: Node, key: str) -> Value:
    """Whether the result is reviewed, or with which rejection the step fails."""
    flag = isinstance(node, Scalar) and node.text in ("true", "false")
    return flag_of(node, key) if flag else whole_of(node, key, 1, 20)


_STEP: dict[str, Callable[[Node, str], Value]] = {
    "name": _text,
    "prompt": _text,
    "skill": _text,
    "arguments": _mapping,
    "needs": _list,
    "retries": _whole(0, 10),
    "backoff": _number(ATTEMPT_SECONDS),
    "recovery_prompt": _text,
    "on_failure": _one_of("stop", "continue", "skip_rest"),
    "output_vars": _mapping,
    "review": _review,
    "model": _text,
    "effort": _one_of(*EFFORTS),
    "system_prompt": _text,
    "permission_mode": _one_of(*MODES),
    "allowed_tools": _list,
    "disallowed_tools": _list,
    "tools": _list,
    "mcp_servers": _json,
    "json_schema": _json,
    "max_turns": _whole(1, 10_000),
    "fallback_model": _text,
    "max_budget_usd": _number(DOLLARS),
    "timeout_seconds": _number(ATTEMPT_SECONDS),
    "on_interrupt": _one_of("resume", "rerun", "ask"),
    "session": _text,
    "slot": _text,
    "priority": _whole(-1_000, 1_000),
    "tags": _list,
}
"""How each value of a step is read. What it means is the chain's business."""
