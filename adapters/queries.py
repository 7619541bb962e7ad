"""What is asked of a pool at work: of the live view, of what left it just now, and of the log."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TypeVar

from claude_pool.domain import chain, task
from claude_pool.domain.chain_board import ChainCard, chain_card
from claude_pool.domain.errors import NotFound
from claude_pool.domain.ports import EventLog
from claude_pool.domain.records import Recorded
from claude_pool.domain.task_board import TaskCard, task_card
from claude_pool.domain.world import World

from .service import Service
from .streams import chain_of, task_of

T = TypeVar("T")
R = TypeVar("R")


async def events_of(service: Service, stream: str) -> tuple[Recorded, ...]:
    """The events of one stream, from the log."""
    return await service.on_log(lambda: service.log.read_stream(stream))


async def events_between(
    service: Service, stream: str | None, after: int, until: int | None, limit: int
) -> tuple[Recorded, ...]:
    """At most `limit` events with positions in (`after`, `until`], of one stream or of all."""
    log = service.log

    def read() -> tuple[Recorded, ...]:
        last = until if until is not None else log.head().position
        if stream is None:
            return tuple(islice(log.read_all(after, last), limit))
        events = (r for r in log.read_stream(stream) if after < r.position <= last)
        return tuple(islice(events, limit))

    return await service.on_log(read)


async def explain(
    service: Service, stream: str, seek: Callable[[EventLog, int], T], tell: Callable[[T, World], R]
) -> R:
    """What `tell` makes of the present and of what `seek` found in the log, given the version of `stream`,
    which did not change meanwhile."""
    while True:
        version = service.world.versions.get(stream, 0)
        found = await service.on_log(partial(seek, service.log, version))
        if service.world.versions.get(stream, 0) == version:
            return tell(found, service.world)


async def task_state(service: Service, task_id: str) -> task.Known:
    """A task in whatever state it is: the live one, or the finished one folded from its stream.

    Raises:
        NotFound: there is no such task.
    """
    known = service.world.tasks.get(task_id) or service.just_finished.tasks.get(task_id)
    if known is not None:
        return known
    state = task_of(await events_of(service, task_id))
    if isinstance(state, task.Absent):
        raise NotFound(kind="task", id=task_id, hint="pool_list_tasks shows what there is.")
    return state


async def task_shown(service: Service, task_id: str) -> TaskCard:
    """The task as its callers see it.

    Raises:
        NotFound: there is no such task.
    """
    return task_card(await task_state(service, task_id), service.system.now(), service.world)


async def chain_state(service: Service, chain_id: str) -> chain.Known:
    """A chain in whatever state it is: the live one, or the finished one folded from its stream.

    Raises:
        NotFound: there is no such chain.
    """
    known = service.world.chains.get(chain_id) or service.just_finished.chains.get(chain_id)
    if known is not None:
        return known
    state = chain_of(await events_of(service, chain_id))
    if isinstance(state, chain.Absent):
        raise NotFound(kind="chain", id=chain_id, hint="pool_submit_chain gives the id of a chain.")
    return state


async def chain_shown(service: Service, chain_id: str) -> ChainCard:
    """The chain as its callers see it.

    Raises:
        NotFound: there is no such chain.
    """
    return chain_card(await chain_state(service, chain_id), service.system.now(), service.world)
