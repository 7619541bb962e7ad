"""Skills: prompts with a name and arguments, and how arguments get into them.

Rendering is one pass over the skill's own text. What is put in is never looked at again, so a value can
add neither a placeholder nor a command, and no argument reaches the text of a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from .errors import InvalidArgument
from .values import Options

SCOPES = ("task", "coordinator", "chain")
"""For whom a skill is meant: a slot, the coordinator itself, or a step of a chain. Advice, not a rule."""

KINDS = ("string", "integer", "number", "boolean")
"""Types of arguments. A value is always a text; its type says which texts will do."""

PREVIOUS_OUTPUT = "_previous_output"
"""An argument that every skill has: in a chain the output of the step before, elsewhere empty."""

NO_DIRECTORY = "(unavailable: this skill has no directory)"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_FORMS = {
    "integer": re.compile(r"[+-]?[0-9]{1,18}"),
    "number": re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?"),
    "boolean": re.compile(r"true|false"),
}
_PLACE = re.compile(
    r"!`(?P<command>[^`\n]+)`"
    r"|(?P<directory>\$\{CLAUDE_SKILL_DIR\})"
    r"|\$ARGUMENTS\[(?P<item>[0-9]{1,3})\]"
    r"|(?P<all>\$ARGUMENTS)(?!\w)"
    # `$5.00` and `$100k` are prices, not arguments.
    r"|\$(?P<index>[0-9]{1,3})(?!\w|\.[0-9])"
    r"|(?<!\$)\{(?P<name>[A-Za-z_][A-Za-z0-9_-]*)\}"
)


class Source(StrEnum):
    """Where a skill comes from. Of several with one name the last of these holds."""

    BUILTIN = "builtin"
    GLOBAL = "global"
    PROJECT = "project"
    RUNTIME = "runtime"


@dataclass(frozen=True, slots=True)
class SkillArgument:
    """An argument that a skill declares. `kind` is one of `KINDS`."""

    name: str
    description: str = ""
    required: bool = False
    kind: str = "string"


@dataclass(frozen=True, slots=True)
class Skill:
    """A prompt with a name. `options` hold for its task wherever the call says nothing.

    `extra` keeps what its file says and the pool makes no use of: keys with canonical JSON text.
    """

    name: str
    description: str
    prompt: str
    arguments: tuple[SkillArgument, ...] = ()
    options: Options = Options()
    scope: str = "task"
    argument_hint: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """A place in a prompt that stands for the output of a command: `` !`git status` ``."""

    line: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt with its arguments in place. `environment` is how its commands are told of them."""

    parts: tuple[str | ShellCommand, ...]
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def commands(self) -> tuple[ShellCommand, ...]:
        """The commands in the prompt, in order."""
        return tuple(part for part in self.parts if isinstance(part, ShellCommand))

    def text(self, outputs: Sequence[str] | None = None) -> str:
        """The prompt, with one of `outputs` for each command; without them commands stay as written."""
        left = list(outputs) if outputs is not None else [f"!`{each.line}`" for each in self.commands]
        return "".join(part if isinstance(part, str) else left.pop(0) for part in self.parts)


def is_skill_name(text: str) -> bool:
    """Whether `text` can name a skill or workflow: 1 to 64 of `a-z`, `0-9`, `_`, `-`, no sign first."""
    return _NAME.fullmatch(text) is not None


def is_argument_name(text: str) -> bool:
    """Whether `text` can name an argument."""
    return _ARGUMENT.fullmatch(text) is not None and text != PREVIOUS_OUTPUT


def render(
    skill: Skill,
    arguments: Mapping[str, str],
    *,
    directory: str | None = None,
    inert: Callable[[str], str] = str,
    for_chain: bool = False,
) -> Rendered:
    """The skill's prompt with `arguments` in place of `{name}`, `$ARGUMENTS`, `$ARGUMENTS[i]` and `$i`.

    Positions are those of the declaration, from 0; a skill that declares none takes any arguments, in
    the order given. Where no placeholder is, they are added at the end. An optional argument that is not
    given is empty. `directory` stands for `${CLAUDE_SKILL_DIR}`. `inert` makes a value harmless for whoever
    reads the prompt. `for_chain`: `{_previous_output}` becomes the placeholder of chains,
    `{previous_output}`, and such placeholders in values are left to the chain.

    Raises:
        InvalidArgument: an argument is unknown, missing, or not of its type; all problems are told.
    """
    _check(skill, arguments)
    names = [each.name for each in skill.arguments] or [n for n in arguments if n != PREVIOUS_OUTPUT]
    given = {name: inert(arguments.get(name, "")) for name in names}
    positional = [given[name] for name in names]
    joined = " ".join(given[name] for name in names if arguments.get(name))
    previous = "{previous_output}" if for_chain else ""
    values = {**given, PREVIOUS_OUTPUT: inert(arguments.get(PREVIOUS_OUTPUT, "")) or previous}
    parts: list[str | ShellCommand] = []
    used, end = False, 0
    for place in _PLACE.finditer(skill.prompt):
        put = _put(place, values, positional, joined, directory)
        if put is None:
            continue
        used = used or _takes_arguments(place)
        parts += [skill.prompt[end : place.start()], put]
        end = place.end()
    parts.append(skill.prompt[end:])
    if not used and joined:
        parts.append(f"\n\nARGUMENTS: {joined}")
    return Rendered(tuple(part for part in parts if part != ""), _environment(names, arguments, directory))


def _takes_arguments(place: re.Match[str]) -> bool:
    if place["command"] is not None:
        return "$ARGUMENT" in place["command"]
    return place["directory"] is None


def _put(
    place: re.Match[str],
    values: Mapping[str, str],
    positional: Sequence[str],
    joined: str,
    directory: str | None,
) -> str | ShellCommand | None:
    """What comes to stand in a place; None where it is no placeholder after all."""
    if place["command"] is not None:
        return ShellCommand(place["command"])
    if place["directory"] is not None:
        return directory or NO_DIRECTORY
    if place["all"] is not None:
        return joined
    if place["item"] is not None:
        number = int(place["item"])
        return positional[number] if number < len(positional) else ""
    if place["index"] is not None:
        number = int(place["index"])
        return positional[number] if number < len(positional) else None
    return values.get(place["name"])


def _check(skill: Skill, arguments: Mapping[str, str]) -> None:
    declared = {each.name: each for each in skill.arguments}
    problems: list[tuple[str, str]] = []
    for name, value in arguments.items():
        if name == PREVIOUS_OUTPUT:
            continue
        if declared and name not in declared:
            problems.append((name, f"{skill.name} has no such argument; it takes {', '.join(declared)}"))
        elif not is_argument_name(name):
            problems.append((name[:64], "an argument's name has letters, digits, - and _, 64 at most"))
        elif "\0" in value:
            problems.append((name, "holds a NUL character"))
        elif value and name in declared and not _fits(declared[name], value):
            problems.append((name, f"is not {_described(declared[name].kind)}"))
    for each in skill.arguments:
        if each.required and not arguments.get(each.name, "").strip():
            told = f" ({each.description})" if each.description else ""
            problems.append((each.name, f"{skill.name} needs it{told}"))
    if problems:
        first, problem = problems[0]
        rest = [f"arguments.{name}: {text}" for name, text in problems[1:]]
        raise InvalidArgument(argument=f"arguments.{first}", problem="; ".join([problem, *rest]))


def _fits(argument: SkillArgument, value: str) -> bool:
    form = _FORMS.get(argument.kind)
    return form is None or form.fullmatch(value) is not None


def _described(kind: str) -> str:
    return {"integer": "a whole number", "number": "a number"}.get(kind, "true or false")


def _environment(
    names: Sequence[str], arguments: Mapping[str, str], directory: str | None
) -> tuple[tuple[str, str], ...]:
    """Variables for commands: `ARGUMENTS`, `ARGUMENT_0` …, `ARGUMENT_<NAME>`, as the caller wrote them."""
    given = [arguments.get(name, "") for name in names]
    found = {"ARGUMENTS": " ".join(value for value in given if value)}
    found |= {f"ARGUMENT_{number}": value for number, value in enumerate(given)}
    found |= {variable_of(name): value for name, value in zip(names, given, strict=True)}
    if directory is not None:
        found["CLAUDE_SKILL_DIR"] = directory
    return tuple(found.items())


def variable_of(argument: str) -> str:
    """The variable in which a skill's commands find an argument."""
    return "ARGUMENT_" + argument.upper().replace("-", "_")


def misplaced(skill: Skill) -> tuple[str, ...]:
    """Placeholders in the skill's commands, where none is replaced: what to write instead, for each."""
    found: list[str] = []
    for place in _PLACE.finditer(skill.prompt):
        for inner in _PLACE.finditer(place["command"] or ""):
            if inner["name"] is not None and inner["name"] in {each.name for each in skill.arguments}:
                found.append(
                    f'{inner[0]} is not replaced in a command; write "${variable_of(inner["name"])}"'
                )
            elif inner["index"] is not None or inner["item"] is not None:
                number = inner["index"] or inner["item"]
                found.append(f'{inner[0]} is not replaced in a command; write "$ARGUMENT_{number}"')
    return tuple(found)


def beneath(under: Options, over: Options) -> Options:
    """The options of a task: what the call says (`over`), and below it what its skill says (`under`).

    Tools add up and MCP servers are merged by name, the call's last; everything else is the call's where
    it says anything.
    """
    merged = {
        field.name: getattr(under, field.name)
        for field in fields(Options)
        if getattr(over, field.name) is None
    }
    return replace(
        over,
        **merged,
        allowed_tools=_together(under.allowed_tools, over.allowed_tools),
        disallowed_tools=_together(under.disallowed_tools, over.disallowed_tools),
        mcp_servers=tuple(sorted((dict(under.mcp_servers) | dict(over.mcp_servers)).items())),
    )


def _together(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
