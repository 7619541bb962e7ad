"""Reads the code as text: which functions make an event or a command, and which modules look at one."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Name = tuple[str, str]
"""A module, as `domain.task`, and what it defines."""


@dataclass
class Module:
    """One module: its tree, what its names stand for, and its functions by name."""

    name: str
    tree: ast.Module
    names: dict[str, Name] = field(default_factory=dict[str, Name])
    modules: dict[str, str] = field(default_factory=dict[str, str])
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict[str, ast.FunctionDef])
    nodes: list[ast.AST] = field(default_factory=list[ast.AST])
    package: bool = False

    @property
    def about(self) -> str:
        """The first sentence of its docstring."""
        text = " ".join((ast.get_docstring(self.tree) or "").split())
        return text.split(". ")[0].rstrip(".")

    def resolve(self, node: ast.expr) -> Name | None:
        """What a name, or a name in a module, stands for, where it is defined."""
        if isinstance(node, ast.Name):
            return origin(self.names.get(node.id, (self.name, node.id)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = self.modules.get(node.value.id)
            return origin((module, node.attr)) if module else None
        return None


def origin(name: Name) -> Name:
    """The name where it is defined: a package shows what its modules define."""
    module = modules().get(name[0])
    if module is not None and module.package and name[1] in module.names:
        return origin(module.names[name[1]])
    return name


@cache
def modules() -> Mapping[str, Module]:
    """All modules of the project, by their names below the root."""
    found: dict[str, Module] = {}
    for folder in ("domain", "adapters"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = path.read_text("utf-8")
            if folder == "domain" or "domain" in text:  # nobody else can know an event
                tree = ast.parse(text)
                found[name] = Module(name, tree, nodes=list(ast.walk(tree)), package=parts[-1] == "__init__")
    for module in found.values():
        _imports(module, found)
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef):
                module.functions.setdefault(node.name, node)
    return found


def _imports(module: Module, known: Mapping[str, Module]) -> None:
    package = module.name.split(".")
    for node in module.nodes:
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = package[: len(package) - node.level + module.package]
        elif node.module and node.module.startswith("claude_pool"):
            base = []
        else:
            continue
        where = ".".join([*base, *(node.module or "").removeprefix("claude_pool").strip(".").split(".")])
        where = where.rstrip(".")
        for each in node.names:
            own = each.asname or each.name
            if f"{where}.{each.name}" in known:
                module.modules[own] = f"{where}.{each.name}"
            else:
                module.names[own] = (where, each.name)


@cache
def aliases() -> Mapping[Name, tuple[Name, ...]]:
    """Names that stand for several others: unions and tuples of classes."""
    found: dict[Name, tuple[Name, ...]] = {}
    for module in modules().values():
        for node in module.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value, name = node.value, node.targets[0].id
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                value, name = node.value, node.target.id
            else:
                continue
            if several := tuple(members(module, value)):
                found[(module.name, name)] = several
    return found


def members(module: Module, node: ast.expr) -> Iterator[Name]:
    """The names in a union, a tuple or alone."""
    if isinstance(node, ast.BinOp):
        yield from members(module, node.left)
        yield from members(module, node.right)
    elif isinstance(node, ast.Tuple):
        for each in node.elts:
            yield from members(module, each.value if isinstance(each, ast.Starred) else each)
    elif (name := module.resolve(node)) is not None:
        yield name


@cache
def expand(name: Name) -> frozenset[Name]:
    """The classes that a name stands for."""
    todo, seen = [name], set[Name]()
    while todo:
        each = todo.pop()
        if each in seen:
            continue
        seen.add(each)
        module = modules().get(each[0])
        if module is not None and each[1] in module.names:
            todo.append(module.names[each[1]])
        todo += aliases().get(each, ())
    return frozenset(seen)


def made(module: Module, nodes: Iterable[ast.AST]) -> frozenset[Name]:
    """What `nodes` call: functions, and classes that are made."""
    found = (module.resolve(each.func) for each in nodes if isinstance(each, ast.Call))
    return frozenset(name for name in found if name is not None)


def looked_at(module: Module) -> frozenset[Name]:
    """Classes that the module names other than to make them, to annotate or to import."""
    apart: set[int] = set()
    for node in module.nodes:
        notes: list[ast.AST | None] = []
        match node:
            case ast.Call(func=func):
                apart.add(id(func))
            case ast.arg(annotation=note) | ast.AnnAssign(annotation=note):
                notes = [note]
            case ast.FunctionDef(returns=note) | ast.AsyncFunctionDef(returns=note):
                notes = [note]
            case _:
                pass
        apart.update(id(each) for note in notes if note is not None for each in ast.walk(note))
    found: set[Name] = set()
    for node in module.nodes:
        if (
            isinstance(node, ast.Name | ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and id(node) not in apart
        ):
            name = module.resolve(node)
            if name is not None:
                found |= expand(name)
    return frozenset(found)
