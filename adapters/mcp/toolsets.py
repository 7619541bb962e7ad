"""Which toolsets a connection asked for."""

from __future__ import annotations

from ..config.options import TOOLSETS

DEFAULT_TOOLSETS = frozenset(TOOLSETS) - {"auto", "messages", "debug"}
"""What a connection gets that does not say: everything but what few need."""


def chosen_toolsets(text: str) -> frozenset[str]:
    """The toolsets that a comma list names; `default` and `all` stand for several, unknown names for none."""
    chosen: set[str] = set()
    for name in text.split(","):
        match name.strip():
            case "all":
                chosen.update(TOOLSETS)
            case "default":
                chosen |= DEFAULT_TOOLSETS
            case known:
                chosen.add(known)
    return frozenset(chosen & set(TOOLSETS))
