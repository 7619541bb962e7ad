"""What a caller asks for, checked and in the domain's terms, before it becomes a command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from claude_pool.domain.errors import PoolError
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
    review: int | None = None
    idempotency_key: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def fingerprint(self) -> str:
        """A digest of the arguments: the same key with another fingerprint is a conflict."""
        text = json.dumps(self.arguments or {"prompt": self.prompt}, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def keyed(requests: Sequence[TaskRequest | PoolError], key: str) -> list[TaskRequest | PoolError]:
    """Give each request of one call a key of its own, made from the call's.

    Each one's fingerprint covers all of them, so that the same key with any other request is a conflict.
    """
    meanings = [None if isinstance(each, PoolError) else each.fingerprint for each in requests]
    whole = hashlib.sha256(json.dumps(meanings).encode()).hexdigest()[:32]
    return [
        each
        if isinstance(each, PoolError)
        else replace(each, idempotency_key=f"{key}\0{number}", arguments={**each.arguments, "all": whole})
        for number, each in enumerate(requests)
    ]
