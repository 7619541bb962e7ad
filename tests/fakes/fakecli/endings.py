"""How turns end, as members of the result line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.fakecli.wire import Line


@dataclass(frozen=True)
class Ending:
    """How a turn ends: the members of the result line that depend on it."""

    members: Line

    @property
    def is_error(self) -> bool:
        """Whether the turn failed."""
        return bool(self.members["is_error"])


def success(text: str, stop_reason: str, **more: Any) -> Ending:
    """The turn answered with `text`."""
    return Ending(
        {
            "subtype": "success",
            "is_error": False,
            "api_error_status": None,
            "result": text,
            "stop_reason": stop_reason,
            "terminal_reason": "completed",
            **more,
        }
    )


def error(subtype: str, reason: str, stop_reason: str | None, problem: str) -> Ending:
    """The turn came to no answer; `reason` is the terminal reason."""
    return Ending(
        {
            "subtype": subtype,
            "is_error": True,
            "stop_reason": stop_reason,
            "terminal_reason": reason,
            "errors": [problem],
        }
    )
