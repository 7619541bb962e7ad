"""What a connection to an owner says of itself in its first line; see `calling.greeting`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from claude_pool.domain.records import Actor

GREETING_SECONDS = 10.0
"""So long a connection may take until it has said who it is."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a connection said of itself; see `calling.greeting`."""

    actor: Actor
    toolsets: str
    explicit: Mapping[str, object]
    environment: Mapping[str, str]
    stop: str | None = None
    working_dir: str | None = None
    credentials: Mapping[str, str] | None = None
    on_disconnect: str = "finish"
    version: str = ""

    @classmethod
    def parse(cls, line: bytes) -> Greeting | None:
        """The greeting in `line`, or None where it is none."""
        try:
            said: Any = json.loads(line)
            if said["claude_pool"] != 1:
                return None
            return cls(
                Actor.SHELL if said.get("actor") == "shell" else Actor.COORDINATOR,
                str(said.get("toolsets") or "default"),
                cast("dict[str, object]", dict(said.get("explicit") or {})),
                cast("dict[str, str]", dict(said.get("environment") or {})),
                said.get("stop"),
                said.get("working_dir") or None,
                said.get("credentials"),
                str(said.get("on_disconnect") or "finish"),
                str(said.get("version") or ""),
            )
        except (ValueError, KeyError, TypeError):
            return None
