"""What a caller asks for, checked and in the domain's terms, before it becomes a command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from claude_pool.domain.errors import PoolError
from claude_pool.domain.values import Options, TaskSpec, Text

PROMPT_BYTES = 8 * 1024 * 1024
"""A longer prompt is refused: the CLI itself takes no more than 10 MB."""


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A task as a caller wants it. `arguments` is everything that was given, for idempotency keys.

    `skill` labels the skill that the prompt was made of, if it was.
    """

    prompt: str
    options: Options = Options()
    session: str | None = None
    slot: str | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()
    retries: int = 0
    on_interrupt: str = "resume"
    review: int | None = None
    skill: str | None = None
    idempotency_key: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def fingerprint(self) -> str:
        """A digest of the arguments: the same key with another fingerprint is a conflict."""
        return digest(self.arguments or {"prompt": self.prompt})

    def spec(self, prompt: Text) -> TaskSpec:
        """The task in the domain's terms, with its prompt as `prompt` keeps it."""
        return TaskSpec(
            prompt, self.options, self.session, self.slot, self.priority, self.tags, self.retries,
            self.on_interrupt, self.review, skill=self.skill,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepRequest:
    """A step as a caller wants it. `needs` None: the step before. `output_vars` pairs a name and a path."""

    name: str
    task: TaskRequest
    needs: tuple[str, ...] | None = None
    recovery_prompt: str | None = None
    on_failure: str = "stop"
    backoff_ms: int | None = None
    output_vars: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChainRequest:
    """A chain as a caller wants it; see `domain.chain_events.Plan`. `arguments` is everything given."""

    steps: tuple[StepRequest, ...]
    isolation: str = "none"
    merge: str = "none"
    tags: tuple[str, ...] = ()
    max_budget: int | None = None
    timeout_ms: int | None = None
    working_dir: str | None = None
    idempotency_key: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def fingerprint(self) -> str:
        """A digest of the arguments: the same key with another fingerprint is a conflict."""
        return digest(self.arguments or {"steps": [(step.name, step.task.prompt) for step in self.steps]})


def digest(arguments: object) -> str:
    """A digest of JSON values, the same for the same ones."""
    text = json.dumps(arguments, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


R = TypeVar("R", TaskRequest, ChainRequest)


def keyed(requests: Sequence[R | PoolError], key: str) -> list[R | PoolError]:
    """Give each request of one call a key of its own, made from the call's.

    Each one's fingerprint covers all of them, so that the same key with any other request is a conflict.
    """
    meanings = [None if isinstance(each, PoolError) else each.fingerprint for each in requests]
    whole = digest(meanings)
    return [
        each
        if isinstance(each, PoolError)
        else replace(each, idempotency_key=f"{key}\0{number}", arguments={**each.arguments, "all": whole})
        for number, each in enumerate(requests)
    ]
