"""Two runs of the same work held against each other, part by part: a chain's steps, a task, all of a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of work as one side knows it. Parts of the two sides with the same `key` belong together.

    `label` is the name for people, `output` the SHA-256 (hex) of what it gave, empty where it gave nothing.
    """

    key: str
    label: str
    state: str
    code: str | None = None
    output: str = ""
    cost: int = 0
    elapsed_ms: int = 0
    attempts: int = 0
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What both sides say of one piece of work; None where a side does not have it."""

    left: Part | None
    right: Part | None

    @property
    def label(self) -> str:
        """Its name for people."""
        part = self.left or self.right
        return "" if part is None else part.label

    @property
    def differences(self) -> tuple[str, ...]:
        """In what the two came to something else: `missing`, `state`, `error`, `output`. What it took (money,
        time, attempts) is no difference: it is never twice the same."""
        if self.left is None or self.right is None:
            return ("missing",)
        told = {
            "state": self.left.state != self.right.state,
            "error": self.left.code != self.right.code,
            "output": self.left.output != self.right.output,
        }
        return tuple(name for name, differs in told.items() if differs)


def align(left: Sequence[Part], right: Sequence[Part]) -> tuple[Pair, ...]:
    """The parts of both sides in pairs: those of the left in their order, those that only the right has where
    they stand there. Keys of a side are unique."""
    there = {part.key: part for part in right}
    here = {part.key for part in left}
    pairs: list[Pair] = []
    rest = list(right)
    for part in left:
        match = there.get(part.key)
        if match is not None:
            # what only the right has, and had before this one
            while rest and rest[0].key != part.key and rest[0].key not in here:
                pairs.append(Pair(None, rest.pop(0)))
            rest = [each for each in rest if each.key != part.key]
        pairs.append(Pair(part, match))
    return (*pairs, *(Pair(None, part) for part in rest))
