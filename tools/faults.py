"""The table of docs/faults.md: what may go wrong, what the pool then does, and the test that shows it.

It comes from docs/faults/<area>.toml: `title`, `text`, once an area is complete `ids` (its closed list, as
`X01-X18 Y03`), and one table a fault:

    [X01]
    fault = "what goes wrong, in a few words"
    here = "what the pool does then"
    tests = ["tests/unit/…/test_it.py::test_a_sentence", "features/…/it.feature::a title", "tools/sim"]
    open = "what is not built or not shown yet"
    left = "what is deliberately not done, and why"

A row has tests, or says what is open or left alone, or both.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "docs" / "faults"
ORDER = (
    "slot", "api", "server", "store", "client", "git", "money", "chains", "skills", "security", "invariants",
)  # fmt: skip
"""The areas, in reading order."""

KEYS = {"fault", "here", "tests", "open", "left"}
SCENARIO = re.compile(r"^\s*Scenario(?: Outline)?:\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Fault:
    """One row. `open` and `left` are empty where nothing is."""

    name: str
    fault: str
    here: str
    tests: tuple[str, ...]
    open: str
    left: str


@dataclass(frozen=True)
class Area:
    """Rows of one kind. `names` is the closed list of what must have a row; empty while it is filled."""

    name: str
    title: str
    text: str
    names: tuple[str, ...]
    rows: tuple[Fault, ...]


def areas() -> tuple[Area, ...]:
    """What the sources say, in reading order.

    Raises:
        ValueError: a row has a key that means nothing.
    """
    found = sorted(SOURCES.glob("*.toml"), key=lambda path: ORDER.index(path.stem))
    return tuple(_area(path) for path in found)


def _area(path: Path) -> Area:
    source: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    title, text, ids = source.pop("title"), source.pop("text"), source.pop("ids", "")
    return Area(path.stem, title, text, spread(ids), tuple(_row(*item) for item in source.items()))


def _row(name: str, fields: dict[str, Any]) -> Fault:
    if unknown := set(fields) - KEYS:
        raise ValueError(f"{name} has {', '.join(sorted(unknown))}")
    said = {key: fields.get(key, "") for key in ("fault", "here", "open", "left")}
    tests = tuple(fields.get("tests", ()))
    return Fault(name, said["fault"], said["here"], tests, said["open"], said["left"])


def spread(ids: str) -> tuple[str, ...]:
    """The names of a list such as `X01-X03 Y1`."""
    names: list[str] = []
    for part in ids.split():
        first, dash, last = part.partition("-")
        if not dash:
            names.append(first)
            continue
        letters = first.rstrip("0123456789")
        low, high = (re.sub(r"\D", "", text) for text in (first, last))
        names += [f"{letters}{number:0{len(low)}}" for number in range(int(low), int(high) + 1)]
    return tuple(names)


def problems() -> list[str]:
    """What is wrong with the rows: a list that is not met, nothing shown, or a test that is not there."""
    wrong: list[str] = []
    for area in areas():
        named = [row.name for row in area.rows]
        if area.names and sorted(named) != sorted(area.names):
            odd = sorted(set(named) ^ set(area.names))
            wrong.append(f"{area.name}: not as its list says: {', '.join(odd)}")
        for row in area.rows:
            if not row.fault or not (row.here or row.open or row.left):
                wrong.append(f"{area.name}.{row.name}: says too little")
            if not row.tests and not row.open and not row.left:
                wrong.append(f"{area.name}.{row.name}: neither tests nor what is open or left alone")
            wrong += [f"{area.name}.{row.name}: no {test}" for test in row.tests if not exists(test)]
    return wrong


def exists(test: str) -> bool:
    """Whether a test function, a scenario or a program of this name is there."""
    name, _, title = test.partition("::")
    path = ROOT / name
    if not path.is_file():
        return False
    return not title or title.partition("[")[0] in _titles(path)


@cache
def _titles(path: Path) -> frozenset[str]:
    text = path.read_text("utf-8")
    if path.suffix == ".feature":
        return frozenset(SCENARIO.findall(text))
    found = {
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    # a state machine becomes a test by assignment
    found |= {
        target.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return frozenset(found)


def page() -> str:
    """The page, as Markdown."""
    parts = [
        "# Faults", "",
        "What may go wrong with a pool, what it does then, and the test that shows it.",
        "Generated by `tools/docs.py` from `docs/faults/*.toml`; every test named here exists.",
        "*Open* says what is not built or not shown yet, *Left alone* what is not done on purpose and why.",
        "",
    ]  # fmt: skip
    for area in areas():
        parts += [f"## {area.title}", "", area.text.strip(), ""]
        parts += ["| | fault | what the pool does | shown by |", "| --- | --- | --- | --- |"]
        parts += [_line(row) for row in area.rows]
        parts.append("")
    return "\n".join(parts)


def _line(row: Fault) -> str:
    marked = (("Open", row.open), ("Left alone", row.left))
    here = " ".join(filter(None, (row.here, *(f"*{name}:* {text}" for name, text in marked if text))))
    tests = ", ".join(_link(test) for test in row.tests)
    return (
        "| "
        + " | ".join(cell.replace("|", "\\|").strip() for cell in (row.name, row.fault, here, tests))
        + " |"
    )


def _link(test: str) -> str:
    name, _, title = test.partition("::")
    return f"[{title or name}](../{name})"
