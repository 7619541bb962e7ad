"""Values of the domain as JSON values, with every field.

msgspec's own conversion leaves out a field that has its class's default in an object without slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import msgspec


def with_every_field(value: object) -> Any:
    """`value` as what JSON has: dataclasses as objects with all their fields, tuples as lists."""
    kind = type(value)
    return value if kind in _PLAIN else _converters[kind](value)


def _converter(kind: type[Any]) -> Callable[[Any], Any]:
    if hasattr(kind, "__dataclass_fields__"):
        names = tuple(field.name for field in fields(kind))
        return lambda value: {name: with_every_field(getattr(value, name)) for name in names}
    if issubclass(kind, (tuple, list)):
        return _items
    if issubclass(kind, dict):
        return _members
    return msgspec.to_builtins


def _items(value: Iterable[object]) -> list[Any]:
    return [with_every_field(item) for item in value]


def _members(value: dict[str, object]) -> dict[str, Any]:
    return {name: with_every_field(item) for name, item in value.items()}


class _Converters(dict[type, Callable[[Any], Any]]):
    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        made = self[kind] = _converter(kind)
        return made


_PLAIN = frozenset({str, int, bool, float, type(None)})
_converters = _Converters()
