"""What a slot is given beside its launch: its bounds, who is told of it, and what stands for the world."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from claude_pool.domain.values import Outcome

from .permissions import Put
from .process import SlotProcess


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """Bounds of a slot: seconds for its start, a `/clear` and its exit; bytes a turn; processes at once."""

    start_seconds: float = 30.0
    clear_seconds: float = 2.0
    exit_seconds: float = 3.0
    output_bytes: int = 64 * 2**20
    processes: int = 512


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what a slot does: a turn that nobody asked for and what came of it, a call of one of its
    own tools (attempt, tool, arguments), and the end of what the model of an attempt has said so far.
    `question` answers permission questions.
    """

    stray: Callable[[Outcome], None]
    tool: Callable[[str, str, Mapping[str, object]], Awaitable[Mapping[str, object]]]
    words: Callable[[str, str], None]
    question: Put


def _new_name() -> str:
    return str(uuid4())


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Seams:
    """Where a recording takes the place of the world: the process, the names that prompts get, and the wall
    clock (ms)."""

    process: type[SlotProcess] = SlotProcess
    name: Callable[[], str] = _new_name
    now: Callable[[], int] = _wall_ms
