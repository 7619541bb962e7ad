"""The requests of one call, each accepted or refused on its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from claude_pool.domain.errors import PoolError
from claude_pool.domain.values import derived_id

from .admission import submitted_before
from .requests import ChainRequest, TaskRequest, keyed
from .service import Service

R = TypeVar("R", TaskRequest, ChainRequest)


async def accept_each(
    service: Service,
    requests: Sequence[R | PoolError],
    kind: str,
    tool: str,
    key: str | None,
    submit: Callable[[R], Awaitable[str]],
) -> list[str | PoolError]:
    """The id, or the refusal, of each request in order; one that could not be read is a refusal already.

    `kind` is task or chain. The same `key` of the same `tool` gives the same ids.

    Raises:
        IdempotencyConflict: the key was used for other requests; nothing is accepted.
    """
    if key is not None:
        requests = keyed(requests, key)
        for request in requests:
            if not isinstance(request, PoolError) and request.idempotency_key is not None:
                identity = derived_id(kind, tool, request.idempotency_key)
                await submitted_before(service, identity, request.fingerprint)
    accepted: list[str | PoolError] = []
    for request in requests:
        try:
            if isinstance(request, PoolError):
                raise request
            accepted.append(await submit(request))
        except PoolError as error:
            accepted.append(error)
    return accepted
