"""YAML as plain data: texts, lists and mappings with line numbers, and nothing that surprises.

Values are the texts that stand in the file: `no` is no false and `1:30` no ninety. Aliases, anchors,
tags, duplicate keys, several documents and deep nesting are refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from ..config.amounts import Range
from ..config.values import closest
from .faults import Fault

MOST_BYTES = 64 * 1024
MOST_DEPTH = 20
MOST_NODES = 10_000

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(slots=True)
class Scalar:
    """A text. `plain`: it stands in the file without quotes."""

    text: str
    plain: bool
    line: int


@dataclass(slots=True)
class Items:
    """A list."""

    line: int
    nodes: list[Node] = field(default_factory=list["Node"])


@dataclass(slots=True)
class Fields:
    """A mapping of texts. `key_lines` has the line of each key."""

    line: int
    nodes: dict[str, Node] = field(default_factory=dict[str, "Node"])
    key_lines: dict[str, int] = field(default_factory=dict[str, int])


Node = Scalar | Items | Fields


def read_yaml(text: str, first_line: int = 1) -> Node:
    """The one document in `text`, which begins at `first_line` of its file.

    Raises:
        Fault: it is no YAML, or holds what is refused.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise Fault(first_line, f"has more than {MOST_BYTES // 1024} KB of YAML")
    try:
        return _document(_events(text), first_line)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark is not None else 0
        problem = str(error.problem or error.context)
        hint = "; put a text with a colon in quotes" if "mapping values" in problem else ""
        raise Fault(first_line + line, f"is not YAML: {problem}{hint}") from None
    except yaml.reader.ReaderError as error:
        line = first_line + text[: error.position].count("\n")
        raise Fault(line, f"holds the character U+{ord(text[error.position]):04X}") from None


def _events(text: str) -> Iterator[yaml.Event]:
    # The events of the parser, and not its objects: nothing is built that was not looked at.
    return yaml.parse(text, Loader=yaml.SafeLoader)


def _document(events: Iterator[yaml.Event], first_line: int) -> Node:
    root: Node | None = None
    path: list[tuple[Items | Fields, list[Scalar]]] = []  # with the key that waits for its value
    documents = nodes = 0
    for event in events:
        line = first_line + (event.start_mark.line if event.start_mark is not None else 0)
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1 or event.version or event.tags:
                    raise Fault(line, "holds several documents or a directive")
                continue
            case yaml.AliasEvent():
                raise Fault(line, f"holds an alias (*{event.anchor}); write the value out")
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                path.pop()
                continue
            case yaml.ScalarEvent():
                node: Node = Scalar(event.value, event.implicit[0] and event.style is None, line)
                tagged = event.tag is not None
            case yaml.SequenceStartEvent():
                node, tagged = Items(line), event.tag is not None
            case yaml.MappingStartEvent():
                node, tagged = Fields(line), event.tag is not None
            case _:
                continue
        nodes += 1
        if event.anchor is not None:
            raise Fault(line, f"holds an anchor (&{event.anchor}); write the value where it belongs")
        if tagged:
            raise Fault(line, f"holds a tag ({event.tag}); plain values only")
        if len(path) >= MOST_DEPTH or nodes > MOST_NODES:
            raise Fault(line, f"is nested more than {MOST_DEPTH} deep, or has more than {MOST_NODES} values")
        if path:
            _add(path, node)
        else:
            root = node
        if not isinstance(node, Scalar):
            path.append((node, []))
    if root is None:
        raise Fault(first_line, "is empty")
    return root


def _add(path: list[tuple[Items | Fields, list[Scalar]]], node: Node) -> None:
    parent, waiting = path[-1]
    if isinstance(parent, Items):
        parent.nodes.append(node)
    elif waiting:
        parent.nodes[waiting.pop().text] = node
    elif not isinstance(node, Scalar):
        raise Fault(node.line, "has a key that is no text")
    elif node.text in parent.key_lines:
        raise Fault(
            node.line, f"has the key {node.text!r} twice, first in line {parent.key_lines[node.text]}"
        )
    else:
        parent.key_lines[node.text] = node.line
        waiting.append(node)


def fields_of(node: Node, what: str, known: tuple[str, ...] | None = None) -> Fields:
    """`node` as a mapping; with `known`, of these keys only.

    Raises:
        Fault: it is none, or has an unknown key.
    """
    if not isinstance(node, Fields):
        raise Fault(node.line, f"{what} should be a mapping (key: value)")
    for key in node.nodes if known is not None else ():
        if known is not None and key not in known:
            raise Fault(node.key_lines[key], f"{what} has no key {key[:60]!r}{closest(key[:60], known)}")
    return node


def items_of(node: Node, what: str) -> list[Node]:
    """`node` as a list.

    Raises:
        Fault: it is none.
    """
    if not isinstance(node, Items):
        raise Fault(node.line, f"{what} should be a list")
    return node.nodes


def text_of(node: Node, what: str) -> str:
    """`node` as a text, as it stands in the file.

    Raises:
        Fault: it is none.
    """
    if not isinstance(node, Scalar):
        raise Fault(node.line, f"{what} should be a text")
    return node.text


def flag_of(node: Node, what: str) -> bool:
    """`node` as a truth value.

    Raises:
        Fault: it is neither true nor false.
    """
    if not isinstance(node, Scalar) or node.text not in ("true", "false"):
        raise Fault(node.line, f"{what} should be true or false")
    return node.text == "true"


def number_of(node: Node, what: str, allowed: Range) -> float:
    """`node` as a number in that range.

    Raises:
        Fault: it is none, or out of bounds.
    """
    text = node.text if isinstance(node, Scalar) else ""
    try:
        return allowed.read(text)
    except ValueError as error:
        raise Fault(node.line, f"{what} {error}") from None


def whole_of(node: Node, what: str, least: int, most: int) -> int:
    """`node` as a whole number.

    Raises:
        Fault: it is none, or out of bounds.
    """
    text = node.text if isinstance(node, Scalar) else ""
    if not re.fullmatch(r"-?[0-9]{1,18}", text) or not least <= int(text) <= most:
        raise Fault(node.line, f"{what} should be a whole number from {least} to {most}")
    return int(text)


def json_of(node: Node) -> object:
    """`node` as a JSON value: `true`, `false`, `null` and JSON's numbers without quotes, else texts.

    Raises:
        Fault: a number in it is too large.
    """
    match node:
        case Items():
            return [json_of(each) for each in node.nodes]
        case Fields():
            return {key: json_of(each) for key, each in node.nodes.items()}
        case Scalar(text, True) if text in ("true", "false", "null", ""):
            return {"true": True, "false": False}.get(text)
        case Scalar(text, True) if _JSON_NUMBER.fullmatch(text):
            number: float = json.loads(text) if len(text) <= 40 else math.inf
            if not math.isfinite(number):
                raise Fault(node.line, "holds a number that is too large")
            return number
        case Scalar():
            return node.text
