"""What tasks and chains have in common when they are handed in."""

from __future__ import annotations

from claude_pool.domain.chain_events import ChainSubmitted
from claude_pool.domain.errors import IdempotencyConflict, InvalidArgument
from claude_pool.domain.task_events import TaskSubmitted
from claude_pool.domain.values import parse_session

from .queries import events_of
from .requests import PROMPT_BYTES
from .service import Service
from .store.index import Index


def checked_size(argument: str, prompt: str) -> int:
    """The size of a prompt in UTF-8 bytes. `argument` names it in a refusal.

    Raises:
        InvalidArgument: it is empty, or longer than a task can carry.
    """
    if not prompt.strip():
        raise InvalidArgument(argument=argument, problem="a prompt cannot be empty")
    size = len(prompt.encode("utf-8", "replace"))
    if size > PROMPT_BYTES:
        raise InvalidArgument(
            argument=argument, problem=f"{size} bytes are more than the {PROMPT_BYTES} that a task can carry"
        )
    return size


async def submitted_before(service: Service, identity: str, fingerprint: str) -> bool:
    """Whether the task or chain of this id was accepted already, with the same arguments.

    Raises:
        IdempotencyConflict: it was accepted with others.
    """
    events = await events_of(service, identity)
    if not events:
        return False
    first = events[0].event
    if not isinstance(first, (TaskSubmitted, ChainSubmitted)) or first.fingerprint != fingerprint:
        raise IdempotencyConflict(id=identity)
    return True


async def session_directory(service: Service, index: Index, session: str | None) -> str | None:
    """Where the conversation that a session policy names was last used; None: it names none, or unknown."""
    policy = parse_session(session or "")
    named = policy.session if policy is not None else None
    if named is None:
        return None
    row = await service.on_log(lambda: index.session(named))
    return None if row is None else row.working_dir
