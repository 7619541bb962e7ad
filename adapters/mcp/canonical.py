"""JSON text that is the same for the same value, for what goes into events and onto wires."""

from __future__ import annotations

import json

from pydantic_core import PydanticCustomError


def canonical_json(value: object, most_bytes: int) -> str:
    """`value` as JSON: sorted keys, no spaces, ASCII only.

    Raises:
        PydanticCustomError: it holds NaN or an infinity, is nested too deeply, or is longer than
            `most_bytes`.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise PydanticCustomError(
            "refused", "must be plain JSON: finite numbers, no endless nesting"
        ) from None
    if len(text) > most_bytes:
        raise PydanticCustomError("refused", "is longer than {most} bytes", {"most": most_bytes})
    return text
