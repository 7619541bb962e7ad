"""Values of annotated types as JSON and back, also where a type is one of several dataclasses.

msgspec reads a dataclass by its annotations, but not a choice between several of them: the choice is written
as the name of the class and its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

import msgspec


class Typed(NamedTuple):
    """How values of one type are written and read.

    `pack` gives something that msgspec encodes; `unpack` reads its bytes and raises `msgspec.MsgspecError`
    where they are no such value.
    """

    pack: Callable[[Any], Any]
    unpack: Callable[[bytes], Any]


@cache
def typed(hint: Any) -> Typed:
    """How values of the annotated type `hint` are written and read.

    Raises:
        TypeError: values of this type cannot be told apart when they are read.
    """
    try:
        return Typed(_same, msgspec.json.Decoder(hint).decode)
    except TypeError:
        pass
    if is_dataclass(hint):
        return _record(cast("type[Any]", hint))
    if get_origin(hint) in (UnionType, Union):
        return _choice(get_args(hint))
    if get_origin(hint) in (dict, Mapping):
        return _mapping(typed(get_args(hint)[1]))
    raise TypeError(f"{hint} cannot be written")


def _same(value: Any) -> Any:
    return value


def _record(kind: type[Any]) -> Typed:
    hints = get_type_hints(kind)
    parts = {field.name: typed(hints[field.name]) for field in fields(kind)}
    read = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def unpack(content: bytes) -> Any:
        found = read(content)
        if found.keys() != parts.keys():
            raise msgspec.ValidationError(f"these are not the fields of {kind.__name__}")
        return kind(**{name: part.unpack(found[name]) for name, part in parts.items()})

    def pack(value: Any) -> Any:
        return {name: part.pack(getattr(value, name)) for name, part in parts.items()}

    return Typed(pack, unpack)


def _choice(kinds: tuple[Any, ...]) -> Typed:
    parts = {kind.__name__: typed(kind) for kind in kinds}
    if len(parts) < len(kinds) or not all(is_dataclass(kind) for kind in kinds):
        raise TypeError(f"which of {kinds} a value is cannot be written")
    read = msgspec.json.Decoder(tuple[str, msgspec.Raw]).decode

    def unpack(content: bytes) -> Any:
        name, rest = read(content)
        if name not in parts:
            raise msgspec.ValidationError(f"{name} is not one of {', '.join(parts)}")
        return parts[name].unpack(rest)

    def pack(value: Any) -> Any:
        name = type(value).__name__
        return name, parts[name].pack(value)

    return Typed(pack, unpack)


def _mapping(values: Typed) -> Typed:
    read = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def pack(found: Mapping[str, Any]) -> Any:
        return {name: values.pack(value) for name, value in found.items()}

    def unpack(content: bytes) -> Any:
        return {name: values.unpack(value) for name, value in read(content).items()}

    return Typed(pack, unpack)
