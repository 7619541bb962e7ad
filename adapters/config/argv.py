"""Reads the flags of `serve` without a command-line library, because a relay must start at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from claude_pool.domain.errors import InvalidArgument

from .options import OPTIONS, Option
from .values import closest


class Served(NamedTuple):
    """What `serve` was given: options by name, still as text, and the toolsets of the connection."""

    flags: dict[str, object]
    toolsets: str | None


def parse(arguments: Sequence[str]) -> Served:
    """The flags in `arguments`: `--name value`, `--name=value`, `-n4`, `-n 4`; a repeated list adds up.

    Raises:
        InvalidArgument: an unknown flag, a flag without its value, or anything that is no flag.
    """
    flags: dict[str, object] = {}
    toolsets: str | None = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, value = _split(word)
        if name == "--toolsets":
            toolsets = _take(name, value, rest)
            continue
        option, switch = _find(name)
        if option.kind == "switch":
            if value is not None and not name.startswith("--"):
                # `-wn4` is `-w -n4`.
                rest.insert(0, "-" + value)
                value = None
            flags[option.name] = switch if value is None else value
            continue
        text = _take(name, value, rest)
        before = flags.get(option.name)
        flags[option.name] = f"{before},{text}" if option.kind == "list" and before else text
    return Served(flags, toolsets)


def _split(word: str) -> tuple[str, str | None]:
    if word.startswith("--"):
        name, given, value = word.partition("=")
        return name, value if given else None
    if word.startswith("-") and len(word) > 1:
        return word[:2], word[2:].removeprefix("=") or None
    raise InvalidArgument(argument="serve", problem=f"unexpected argument {word!r}")


def _find(name: str) -> tuple[Option, bool]:
    """The option that a flag means, and what it sets if that is a switch."""
    for option in OPTIONS:
        if name in (option.flag, option.short):
            return option, True
        if option.kind == "switch" and name == option.opposite:
            return option, False
    known = [option.flag for option in OPTIONS]
    raise InvalidArgument(
        argument=name, problem=f"serve has no such flag{closest(name, [*known, '--toolsets'])}"
    )


def _take(name: str, value: str | None, rest: list[str]) -> str:
    if value is not None:
        return value
    if not rest:
        raise InvalidArgument(argument=name, problem="needs a value")
    return rest.pop(0)
