"""The values that a chain step's `output_vars` name in its output."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import cast

_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\n(.*?)\n?```", re.DOTALL)


class NoSuchValue(Exception):
    """The output holds no value at a path; the text says which and why."""


def extract(
    output: str, structured: str | None, paths: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Each name with its value's text.

    A path is `.` for the whole output, or keys and list positions with dots between: `items.0.name`. They
    lead through `structured` (JSON text) where there is one, else through `output`, which must be JSON,
    alone or in one fenced block. A string is given as it is, anything else as JSON.

    Raises:
        NoSuchValue: the output is no JSON, or there is nothing at a path.
    """
    whole = output if structured is None else structured
    document: object = None
    if any(path not in ("", ".") for _, path in paths):
        document = _document(whole)
    return tuple((name, whole if path in ("", ".") else _text(_at(document, path))) for name, path in paths)


def _document(text: str) -> object:
    blocks = _FENCE.findall(text)
    for candidate in (text, *(blocks if len(blocks) == 1 else ())):
        try:
            return json.loads(candidate, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
    raise NoSuchValue("output_vars need an output that is JSON, and this one is not")


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _at(document: object, path: str) -> object:
    here = document
    walked: list[str] = []
    for key in path.split("."):
        walked.append(key)
        keys = cast("dict[str, object]", here) if isinstance(here, dict) else {}
        items = cast("list[object]", here) if isinstance(here, list) else []
        if key in keys:
            here = keys[key]
        elif key.isdecimal() and int(key[:9]) < len(items):
            here = items[int(key)]
        else:
            raise NoSuchValue(f"the output has nothing at {'.'.join(walked)}")
    return here


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
