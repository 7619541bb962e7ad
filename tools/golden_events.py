"""Write the golden file of every event that has none yet: `tests/golden/events/<name>.v<version>.json`.

    python tools/golden_events.py

A golden file is written once and never edited: it is what lies in logs that exist. An event whose file no
longer fits has changed its meaning, and needs a new `VERSION` and an upcaster (`adapters/store/registry.py`)
instead; a new field whose default means what was always meant changes nothing. Only the file of an event that
no release has written yet may be removed and written again.

Each file holds the event twice, once with every field set and once with none that has a default: the
envelope exactly as the log keeps it, and every field that it means, defaults included.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields
from enum import Enum
from itertools import count
from pathlib import Path
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from claude_pool.adapters.json_fields import with_every_field
from claude_pool.adapters.store.codec import topic_of
from claude_pool.adapters.store.registry import all_events, default_codec
from claude_pool.domain.records import Actor, Event, Meta

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "events"


def golden(event: type[Event]) -> str:
    """The content of the golden file of an event class."""
    numbers = count(1)
    examples = (
        (sample(event, numbers, whole=True), Meta(1_700_000_000_000, "cmd-1", "call-1", Actor.POLICY, 7)),
        (sample(event, numbers, whole=False), Meta(1_700_000_000_000, "cmd-1", "cmd-1", Actor.SHELL)),
    )
    content = {
        "topic": topic_of(event),
        "examples": [
            {"envelope": default_codec().encode(value, meta)[1].decode(), "means": with_every_field(value)}
            for value, meta in examples
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def sample(owner: type[Any], numbers: Iterator[int], whole: bool) -> Any:
    """An instance of a dataclass; `whole`: with every field set, nested ones too."""
    hints = get_type_hints(owner)
    values: dict[str, Any] = {}
    for field in fields(owner):
        if field.default is True and whole:
            values[field.name] = False
        elif whole or (field.default is MISSING and field.default_factory is MISSING):
            values[field.name] = _value(hints[field.name], field.name, numbers, whole)
    return owner(**values)


def _value(annotation: Any, name: str, numbers: Iterator[int], whole: bool) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _value(arguments[0], name, numbers, whole)
    if origin is tuple:
        kinds = arguments[:1] * 2 if arguments[-1] is Ellipsis else arguments
        return tuple(_value(kind, name, numbers, whole) for kind in kinds)
    if annotation is bool:
        return True
    if annotation is int:
        return next(numbers)
    if annotation is str:
        return f"{name} ☃ {next(numbers)}"
    owner = cast("type[Any]", annotation)
    return list(owner)[-1] if issubclass(owner, Enum) else sample(owner, numbers, whole)


def main() -> None:
    """Write what is missing and say so."""
    parser = argparse.ArgumentParser(description="Write the golden file of every event that has none yet.")
    parser.add_argument("--directory", type=Path, default=GOLDEN)
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    for event in all_events():
        path = directory / f"{topic_of(event)}.json"
        if not path.exists():
            path.write_text(golden(event), encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
