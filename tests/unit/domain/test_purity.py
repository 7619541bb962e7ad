"""The domain reads no clock, id, file, process or environment: it imports pure parts of the library alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool import domain

PURE = frozenset(
    {
        "__future__",
        "bisect",
        "collections",
        "collections.abc",
        "dataclasses",
        "difflib",
        "datetime",  # for the calendar; what asks a clock is barred below
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "math",
        "re",
        "struct",
        "typing",
    }
)
AGGREGATES = frozenset({"pool", "slot", "task", "chain"})
IMPURE_METHODS = frozenset({"now", "utcnow", "today"})
IMPURE_CALLS = frozenset({"open", "input", "print", "eval", "exec", "__import__", "id", "hash", "breakpoint"})
HOME = Path(next(iter(domain.__path__)))
MODULES = sorted(HOME.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module's name within the domain."""
    return ".".join(path.relative_to(HOME).with_suffix("").parts)


def imports(tree: ast.AST) -> Iterator[tuple[int, str, list[str]]]:
    """Level (0: absolute), module and names of every import, also of those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]


def test_there_are_modules_to_look_at() -> None:
    assert {"world.py", "coordination.py", "policies.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_its_neighbours_and_pure_parts_of_the_library(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    foreign = [module for level, module, _ in imports(tree) if level == 0 and module not in PURE]
    deep = len(path.relative_to(HOME).parts)
    outside = [module for level, module, _ in imports(tree) if level > deep]
    assert (foreign, outside) == ([], [])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_calls_nothing_that_depends_on_the_process(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS
    }
    assert called == set()
    methods = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
    }
    assert methods & IMPURE_METHODS == set()


@pytest.mark.parametrize("name", sorted(AGGREGATES))
def test_an_aggregate_imports_no_other_aggregate(name: str) -> None:
    own = [path for path in MODULES if path.relative_to(HOME).parts[0].removesuffix(".py") == name]
    assert own
    others = AGGREGATES - {name}
    for path in own:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        used = {word for _, module, names in imports(tree) for word in (module, *names)}
        assert not used & {*others, *(f"{other}_events" for other in others)}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_iterates_over_a_set(path: Path) -> None:
    """The order of a set differs from process to process."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loops = [node.iter for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension))]
    assert not [loop for loop in loops if isinstance(loop, (ast.Set, ast.SetComp))]
