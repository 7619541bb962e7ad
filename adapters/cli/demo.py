"""`demo`: the whole thing on a fresh machine, without a key."""

from __future__ import annotations

from .shell import Shell


def demo(_shell: Shell) -> int:
    """Run real slots against a scripted API on this machine, then show what happened."""
    from .demonstration import main

    return main()
