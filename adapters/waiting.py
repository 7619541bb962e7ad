"""How long a call may wait."""

from __future__ import annotations

from claude_pool.domain.errors import InvalidArgument

WAIT_CAP_SECONDS = 600.0
"""No call waits longer; a longer wait is capped, and the answer says so."""


def capped(wait_seconds: float) -> tuple[float, float | None]:
    """The seconds to wait, and the cap where one applies.

    Raises:
        InvalidArgument: a negative wait.
    """
    if wait_seconds < 0:
        raise InvalidArgument(argument="wait_seconds", problem="a wait cannot be negative")
    if wait_seconds > WAIT_CAP_SECONDS:
        return WAIT_CAP_SECONDS, WAIT_CAP_SECONDS
    return wait_seconds, None
