"""How far a long piece of work is: a text for whoever only reads, and two numbers for whoever draws a bar."""

from __future__ import annotations

from typing import Self


class Share(str):
    """`checking: 1,000 of 20,000 events`, with `done` and `of` (> 0)."""

    __slots__ = ("done", "of", "what")

    what: str
    done: int
    of: int

    def __new__(cls, what: str, done: int, of: int, things: str = "") -> Self:
        """`done` of so many `things`."""
        share = super().__new__(cls, f"{what}: {done:,} of {of:,} {things}".rstrip())
        share.what, share.done, share.of = what, done, max(of, 1)
        return share
