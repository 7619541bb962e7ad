"""The JSON objects in a text that was meant to be JSON, and may stand in fences or between words."""

from __future__ import annotations

import json
from typing import Any, cast

MOST_TRIES = 2_000
"""Of a text with more opening braces, the rest is not looked at."""

_DECODER = json.JSONDecoder()


def objects_in(text: str) -> list[dict[str, Any]]:
    """Every outermost JSON object in `text`, in order. Braces in strings are text; what is broken is skipped.

    Half of a surrogate pair, which no file could hold, is a question mark.
    """
    found: list[dict[str, Any]] = []
    start = text.find("{")
    for _ in range(MOST_TRIES):
        if start < 0:
            break
        try:
            value, end = cast("tuple[dict[str, Any], int]", _DECODER.raw_decode(text, start))
        except (ValueError, RecursionError):
            end = start + 1
        else:
            found.append(_storable(value))
        start = text.find("{", end)
    return found


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    try:
        whole = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return {}
    return cast("dict[str, Any]", json.loads(whole.encode("utf-8", "replace")))
