"""Who is at the other end of a connection, and what serves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from claude_pool.domain.records import Actor


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end of a connection.

    `toolsets` is what it asked for; `conflict` names the options in which it differs from the owner;
    `working_dir` is where its tasks run unless they say (None: where the pool's do). `accepted`, where
    there is one, gets the ids of the tasks and chains that it brings in.
    """

    actor: Actor
    toolsets: str
    conflict: str | None
    working_dir: str | None
    accepted: set[str] | None = None


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Caller], Coroutine[Any, Any, None]]
"""Speaks the protocol on one connection; see `mcp.mounting`."""
