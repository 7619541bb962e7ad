"""The chains' own copies of repositories: made, kept, landed and taken away beside the loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from claude_pool.domain import chain
from claude_pool.domain.chain_events import WorkKept, WorkplaceMade, WorkplaceRefused
from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import PoolError
from claude_pool.domain.isolation import Isolation, Kept, Merge, NotLanded, Workplaces
from claude_pool.domain.values import Text

from .service import Service
from .store.blobs import Texts
from .system import System
from .texts import keep

_log = logging.getLogger(__name__)

Record = Callable[[Command, int | None], Awaitable[None]]
"""Has the outcome of an effect recorded; the number is the position of the event that led to it."""


class ChainIsolation:
    """The effects of chains that work in a worktree or clone. Each records what came of it."""

    def __init__(
        self, service: Service, workplaces: Workplaces, texts: Texts, system: System, record: Record
    ) -> None:
        """`workplaces` blocks, so all of it runs in threads."""
        self._service = service
        self._workplaces = workplaces
        self._texts = texts
        self._system = system
        self._record = record

    async def prepare(self, chain_id: str, cause: int) -> None:
        """Make the copy that the chain waits for."""
        state = self._service.world.chains[chain_id]
        plan = state.work.plan
        kind, source = Isolation(plan.isolation), plan.source_dir
        commit = plan.fork.commit if plan.fork is not None else ""
        made: WorkplaceMade | WorkplaceRefused
        try:
            at = await asyncio.to_thread(self._workplaces.create, chain_id, kind, source, commit)
        except PoolError as error:
            made = WorkplaceRefused(error.code, error.message)
        except Exception as fault:  # a fault of ours must not leave the chain waiting
            _log.exception("the copy of %s could not be made", chain_id)
            made = WorkplaceRefused("internal", f"{type(fault).__name__}: {fault}")
        else:
            made = WorkplaceMade(
                at.path, at.directory, at.repository, at.branch, at.base, at.target, at.notes
            )
        await self._record(chain.RecordWorkplace(chain_id, made, self._system.now()), cause)

    async def note(self, chain_id: str, step: str) -> str:
        """The commit with what is in the chain's copy now, or "" where there is none and none can be made."""
        state = self._service.world.chains.get(chain_id)
        if state is None or state.work.workplace is None:
            return ""
        try:
            return await asyncio.to_thread(self._workplaces.note, chain_id, step)
        except PoolError as error:
            _log.warning("what step %s of %s left is in no commit: %s", step, chain_id, error.message)
        except Exception:  # a fault of ours must not leave the attempt open
            _log.exception("what step %s of %s left is in no commit", step, chain_id)
        return ""

    async def close(self, chain_id: str, cause: int) -> None:
        """Commit what the chain did, and merge it where all went well and that is wanted."""
        state = self._service.world.chains[chain_id]
        work = state.work
        branch = work.workplace.branch if work.workplace is not None else ""
        merge = Merge(work.plan.merge) if chain.went_well(work) else Merge.NONE
        try:
            kept = await self._kept(chain_id, merge)
        except PoolError as error:
            kept = WorkKept(branch, "", 0, Text(), code=error.code, problem=error.message)
        except Exception as fault:  # a fault of ours must not leave the chain open
            _log.exception("the work of %s could not be kept", chain_id)
            problem = f"{type(fault).__name__}: {fault}"
            kept = WorkKept(branch, "", 0, Text(), code="internal", problem=problem)
        await self._record(chain.RecordWorkKept(chain_id, kept), cause)

    async def _kept(self, chain_id: str, merge: Merge) -> WorkKept:
        kept: Kept = await asyncio.to_thread(self._workplaces.keep, chain_id)
        diff = await keep(self._service, self._texts, kept.diff)
        merged: str | None = None
        code, problem = None, ""
        place = await asyncio.to_thread(self._workplaces.find, chain_id)
        if merge is not Merge.NONE and place is not None:
            landed = await asyncio.to_thread(self._workplaces.land, place, kept.branch, merge)
            if isinstance(landed, NotLanded):
                code, problem = "merge_conflict", landed.message
            else:
                merged = landed.target
        return WorkKept(
            kept.branch, kept.head, kept.files_changed, diff, merged, code, problem, kept.notes
        )  # fmt: skip

    async def remove(self, chain_id: str) -> None:
        """Take the copy away, whose work is on record; what cannot be taken away now is swept at a start."""
        try:
            await asyncio.to_thread(self._workplaces.remove, chain_id)
        except PoolError as error:
            _log.warning("the copy of %s stays: %s", chain_id, error.message)
