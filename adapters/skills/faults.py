"""What is wrong with a file of a skill or workflow: told with its place, and no reason to stop."""

from __future__ import annotations

from dataclasses import dataclass


class Fault(Exception):
    """A file cannot be used. `line` counts from 1; 0 means the file as a whole."""

    def __init__(self, line: int, problem: str) -> None:
        """`problem` is a clause without a full stop."""
        super().__init__(line, problem)
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Problem:
    """A file and what is wrong with it. `skipped`: nothing of it is used; otherwise it is a warning."""

    path: str
    line: int
    problem: str
    skipped: bool = True

    def __str__(self) -> str:
        """`path:line: problem`, as compilers write it."""
        return f"{self.path}:{self.line}: {self.problem}" if self.line else f"{self.path}: {self.problem}"
