"""Who emits an event: the commands whose decision makes it; and who asks for these commands.

A function that matches on a command, as `decide` does, has one branch a command. What a branch makes itself
or through the functions that it calls is what the command brings about; what stands in another command's
branch is not.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from .source import Module, Name, expand, looked_at, made, members, modules

DECISION = "command"
"""The argument that decisions match on."""


@cache
def events() -> frozenset[Name]:
    """The classes of all events, each where it is defined."""
    from claude_pool.domain.catalogue import EVENTS

    return frozenset((each.__module__.removeprefix("claude_pool."), each.__name__) for each in EVENTS)


def _branches(module: Module, function: ast.FunctionDef) -> Iterator[tuple[frozenset[Name], list[ast.stmt]]]:
    """The branches of a function that belong to commands of their own."""
    for node in ast.walk(function):
        if isinstance(node, ast.Match) and isinstance(node.subject, ast.Name) and node.subject.id == DECISION:
            for case in node.cases:
                names = {
                    name
                    for pattern in ast.walk(case.pattern)
                    if isinstance(pattern, ast.MatchClass) and (name := module.resolve(pattern.cls))
                }
                if names:
                    yield _all(names), case.body
        elif isinstance(node, ast.If) and (names := _asked(module, node.test)):
            yield _all(names), node.body


def _all(names: Iterable[Name]) -> frozenset[Name]:
    return frozenset(each for name in names for each in expand(name))


def _asked(module: Module, test: ast.expr) -> set[Name]:
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=subject), kinds]) if (
            subject == DECISION
        ):
            parts = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
            return {name for each in parts if (name := module.resolve(each))}
        case ast.BoolOp(op=ast.And(), values=values):
            return {name for each in values for name in _asked(module, each)}
        case _:
            return set()


@cache
def _own(module: str, function: str) -> frozenset[Name]:
    """What a function calls and makes outside of the branches of single commands."""
    home = modules()[module]
    node = home.functions[function]
    apart = {id(each) for _, body in _branches(home, node) for line in body for each in ast.walk(line)}
    calls = (each for each in ast.walk(node) if isinstance(each, ast.Call) and id(each) not in apart)
    return frozenset(name for each in calls if (name := home.resolve(each.func)) is not None)


@cache
def _answered(module: str, function: str) -> frozenset[Name]:
    """Commands whose branch ends the function, so that nothing else of it is theirs."""
    home = modules()[module]
    return frozenset(
        command
        for commands, body in _branches(home, home.functions[function])
        if isinstance(body[-1], ast.Return | ast.Raise)
        for command in commands
    )


def _takes(module: Module, function: ast.FunctionDef) -> frozenset[Name]:
    """The commands that a function may be given; empty where it is given none."""
    for argument in function.args.args:
        if argument.arg == DECISION and argument.annotation is not None:
            return _all(members(module, argument.annotation))
    return frozenset()


def _reach(command: Name, start: Iterable[Name]) -> frozenset[Name]:
    """What is called, through functions that may be given `command` or are given none."""
    todo, seen = list(start), set[Name]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        module = modules().get(name[0])
        if module is not None and name[0].startswith("domain.") and name[1] in module.functions:
            taken = _takes(module, module.functions[name[1]])
            if (not taken or command in taken) and command not in _answered(*name):
                todo += _own(*name)
    return frozenset(seen)


@cache
def brought_about() -> Mapping[Name, frozenset[Name]]:
    """For each command what deciding it makes: events, and commands that are decided with it."""
    found: dict[Name, set[Name]] = defaultdict(set)
    for module in modules().values():
        if not module.name.startswith("domain."):
            continue
        for function in module.functions.values():
            for commands, body in _branches(module, function):
                start = made(module, (each for line in body for each in ast.walk(line)))
                for command in commands:
                    if _is_class(command):
                        found[command] |= _reach(command, start) | _carried(command)
    return {command: frozenset(names) for command, names in found.items()}


def _carried(command: Name) -> frozenset[Name]:
    """The events that a command brings along, ready made."""
    module = modules()[command[0]]
    [node] = [each for each in module.tree.body if isinstance(each, ast.ClassDef) and each.name == command[1]]
    notes = [each.annotation for each in node.body if isinstance(each, ast.AnnAssign)]
    parts = (part for note in notes for part in ast.walk(note) if isinstance(part, ast.expr))
    return _all(name for part in parts if (name := module.resolve(part)) is not None) & events()


def _is_class(name: Name) -> bool:
    module = modules().get(name[0])
    return module is not None and any(
        isinstance(node, ast.ClassDef) and node.name == name[1] for node in module.tree.body
    )


def emitters(event: Name) -> tuple[list[Name], list[Name]]:
    """Commands whose decision makes `event`, and commands that decide one of these among others."""
    table = brought_about()
    direct = {command for command, names in table.items() if event in names}
    reached = set(direct)
    while more := {c for c, names in table.items() if c not in reached and names & reached}:
        reached |= more
    return sorted(direct), sorted(reached - direct)


@cache
def _looks() -> Mapping[str, frozenset[Name]]:
    return {name: looked_at(module) for name, module in modules().items()}


def readers(event: Name) -> list[str]:
    """Modules that look at `event` where they find it: by its class."""
    return [
        name
        for name, names in _looks().items()
        if event in names and not name.endswith(("_events", ".catalogue"))
    ]


@cache
def _callers() -> Mapping[Name, tuple[str, ...]]:
    found: dict[Name, list[str]] = defaultdict(list)
    for module in modules().values():
        for name in made(module, module.nodes):
            if module.name not in found[name]:
                found[name].append(module.name)
    return {name: tuple(places) for name, places in found.items()}


def asked_by(command: Name) -> tuple[str, ...]:
    """Modules that make `command`."""
    return _callers().get(command, ())
