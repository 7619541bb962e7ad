"""Reads one value of an option, as a flag, a variable or a file gives it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from claude_pool.domain.errors import InvalidArgument

from .amounts import Range
from .options import EFFORTS, MODES, ON_DISCONNECT, TOOLSETS, Option

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")
_SHOWN = 40


def read(option: Option, raw: object, where: str, base: str, home: str) -> object:
    """The value that `raw` (text, or what TOML holds) means for `option`.

    Numbers come back as int or float within the option's range, lists as tuples of texts, paths absolute:
    relative ones count from `base`, `~/` from `home`. `where` names the place of the value in the error.

    Raises:
        InvalidArgument: it is no such value.
    """
    try:
        return _READERS[option.kind](raw, base, home) if option.range is None else _in(option.range, raw)
    except ValueError as error:
        raise InvalidArgument(argument=where, problem=str(error)) from None


def read_toolsets(text: str, where: str) -> str:
    """`default`, `all`, or a comma list of toolsets, without spaces and repetitions.

    Raises:
        InvalidArgument: a name in it is no toolset.
    """
    names = tuple(dict.fromkeys(split_list(text)))
    for name in names:
        if name not in (*TOOLSETS, "default", "all"):
            raise InvalidArgument(
                argument=where,
                problem=f"there is no toolset {name!r}{closest(name, (*TOOLSETS, 'default', 'all'))}",
            )
    if not names:
        raise InvalidArgument(argument=where, problem="names no toolset; say default, all, or some of them")
    return ",".join(names)


def split_list(text: str) -> tuple[str, ...]:
    """The items of a comma list. Commas inside parentheses belong to an item: `Bash(git log, git diff)`."""
    items: list[str] = []
    item, depth = "", 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth <= 0:
            items.append(item.strip())
            item = ""
        else:
            item += character
    return tuple(each for each in (*items, item.strip()) if each)


def closest(name: str, known: Iterable[str]) -> str:
    """A clause that suggests what `name` may have meant, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def absolute(path: str, base: str, home: str) -> str:
    """`path` without `~/`, `..` and the need for a current directory."""
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return os.path.normpath(os.path.join(base, path))


def _text(raw: object, _base: str, _home: str) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"{raw!r} is not a text")
    if "\0" in raw:
        raise ValueError("holds a NUL character")
    return raw


def _in(range_: Range, raw: object) -> float:
    try:
        return range_.read(raw)
    except ValueError:
        shown = repr(raw) if len(repr(raw)) <= _SHOWN else repr(raw)[:_SHOWN] + "…"
        raise ValueError(f"{shown} is not {range_.bounds}") from None


def _switch(raw: object, _base: str, _home: str) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().lower() in (*_YES, *_NO):
        return raw.strip().lower() in _YES
    raise ValueError(f"{raw!r} is neither true nor false")


def _list(raw: object, base: str, home: str) -> tuple[str, ...]:
    if isinstance(raw, str):
        return split_list(_text(raw, base, home))
    if isinstance(raw, (list, tuple)):
        return tuple(_text(item, base, home) for item in cast("list[object]", raw))
    raise ValueError(f"{raw!r} is not a list of texts")


def _path(raw: object, base: str, home: str) -> str:
    if text := _text(raw, base, home):
        return absolute(text, base, home)
    raise ValueError("is empty")


def _servers(raw: object, base: str, home: str) -> str:
    text = _text(raw, base, home).strip()
    return text if text.startswith("{") else _path(text, base, home)


def _one_of(*allowed: str, aliases: Mapping[str, str] | None = None) -> Callable[[object, str, str], str]:
    known = {name.lower(): name for name in allowed} | dict(aliases or {})

    def reader(raw: object, base: str, home: str) -> str:
        text = _text(raw, base, home)
        if (found := known.get(text.strip().lower())) is None:
            raise ValueError(f"{text!r} is none of {', '.join(allowed)}{closest(text, allowed)}")
        return found

    return reader


_READERS: dict[str, Callable[[object, str, str], object]] = {
    "text": _text,
    "switch": _switch,
    "list": _list,
    "path": _path,
    "servers": _servers,
    "mode": _one_of(*MODES),
    "effort": _one_of(*EFFORTS, aliases={"min": "low"}),
    "session": _one_of("fresh", "slot"),
    "disconnect": _one_of(*ON_DISCONNECT),
}
