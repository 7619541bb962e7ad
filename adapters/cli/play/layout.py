"""How the rows of a terminal are shared out among the parts of the view."""

from __future__ import annotations

from dataclasses import dataclass

_HEAD = 3
_FOOT = 1
_LEAST = 2
"""So many rows a part has, or it is left out."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows of each part, titles not counted; 0: it is not shown. `missing`: what there is no room for."""

    head: int
    titles: bool
    lanes: int
    queue: int
    events: int
    missing: tuple[str, ...]


def lay_out(height: int, slots: int, queued: int) -> Layout:
    """The rows of a terminal of `height`, for so many slots and so many tasks that wait.

    Events are left out last, and get what nobody else needs.
    """
    head = max(1, min(_HEAD, height - _FOOT - _LEAST)) if height > 1 else 1
    rows = max(0, height - head - _FOOT)
    titles = rows >= 9
    parts = [name for name, count in (("slots", slots), ("queue", queued)) if count]
    fitting = [name for at, name in enumerate(parts, 2) if rows >= at * (_LEAST + titles)]
    rows -= (len(fitting) + 1) * titles
    lanes = min(slots, max(_LEAST, rows * 2 // 5)) if "slots" in fitting else 0
    queue = min(queued, max(_LEAST, rows // 4)) if "queue" in fitting else 0
    events = max(0, rows - lanes - queue)
    needed = ["events"] if not events else []
    needed += [name for name in parts if name not in fitting]
    needed += ["money"] if head < 2 else []
    return Layout(head, titles, lanes, queue, events, tuple(needed))
