"""Texts that every wire can carry."""

from __future__ import annotations


def whole_characters(text: str) -> str:
    """`text` with each half of a surrogate pair, which no UTF-8 can hold, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
