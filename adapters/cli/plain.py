"""Verbs that look at a pool, called with no flag of their own: they need no parser, and start sooner.

Whatever else is said goes through the whole command line, which reads the same words the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

VERBS = {
    "status": ("looking", 0), "slots": ("looking", 0), "tasks": ("looking", 0), "task": ("looking", 1),
    "why": ("why", 1), "replay": ("replay", 0),
}  # fmt: skip
"""The module of each, and how many arguments it has."""


def plain_call(words: Sequence[str], placing: Mapping[str, object]) -> Callable[[], int] | None:
    """What answers `words` after the flags of `placing`; None where a parser has to read them."""
    verb, *rest = words or [""]
    module, takes = VERBS.get(verb, ("", 0))
    given = [word for word in rest if word != "--json"]
    if not module or len(given) != takes or any(word.startswith("-") for word in given):
        return None
    if not placing.keys() <= {"state_dir", "working_dir"}:
        return None

    def call() -> int:
        from .guard import guarded
        from .shell import Shell

        function = getattr(import_module(f".{module}", __package__), verb)
        return guarded(lambda: function(Shell(placing, "--json" in rest), *given))

    return call
