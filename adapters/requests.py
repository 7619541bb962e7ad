"""What a caller asks for, checked and in the domain's terms, before it becomes a command."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from claude_pool.domain.values import Options

PROMPT_BYTES = 8 * 1024 * 1024
"""A longer prompt is refused: the CLI itself takes no more than 10 MB."""


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A task as a caller wants it. `arguments` is everything that was given, for idempotency keys."""

    prompt: str
    options: Options = Options()
    session: str | None = None
    slot: str | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()
    retries: int = 0
    on_interrupt: str = "resume"
    idempotency_key: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def fingerprint(self) -> str:
        """A digest of the arguments: the same key with another fingerprint is a conflict."""
        text = json.dumps(self.arguments or {"prompt": self.prompt}, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
