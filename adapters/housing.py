"""The work trees of slots: made when a slot comes into service, kept when it leaves; on a thread, each once.

What comes of it is a command that records it, whatever happens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from claude_pool.domain.errors import IsolationFailed, PoolError
from claude_pool.domain.housing import (
    RecordWorkKept,
    RecordWorkNotKept,
    RecordWorkplaceFailed,
    RecordWorkplaceMade,
)
from claude_pool.domain.isolation import Isolation, Kept, Workplaces
from claude_pool.domain.values import Text
from claude_pool.domain.workplace_events import WorkKept

_log = logging.getLogger(__name__)


class Housing:
    """Makes and keeps slots' work trees."""

    def __init__(self, workplaces: Workplaces, now: Callable[[], int]) -> None:
        """Nothing is made before it is asked for. `now` tells the pool's time."""
        self._workplaces = workplaces
        self._now = now

    async def make(self, slot_id: str, source_dir: str) -> RecordWorkplaceMade | RecordWorkplaceFailed:
        """Make the slot's work tree of the repository that `source_dir` lies in, or find it again."""
        try:
            made = await asyncio.to_thread(self._workplaces.create, slot_id, Isolation.WORKTREE, source_dir)
        except PoolError as error:
            return RecordWorkplaceFailed(slot_id, IsolationFailed.code, error.message, self._now())
        except Exception as fault:  # a fault of ours must not leave a slot between two states
            _log.exception("a work tree could not be made")
            what = f"{type(fault).__name__}: {fault}"
            return RecordWorkplaceFailed(slot_id, "internal", what, self._now())
        return RecordWorkplaceMade(slot_id, made)

    async def keep(
        self, slot_id: str, remove: bool, text: Callable[[str], Awaitable[Text]]
    ) -> RecordWorkKept | RecordWorkNotKept:
        """Commit the slot's work, and delete the directory with `remove`; `text` makes the diff durable.

        Raises:
            StoreError: the diff could not be made durable.
        """
        try:
            kept = await asyncio.to_thread(self._keep, slot_id, remove)
        except PoolError as error:
            return RecordWorkNotKept(slot_id, error.message)
        except Exception as fault:
            _log.exception("the work of a slot could not be kept")
            return RecordWorkNotKept(slot_id, f"{type(fault).__name__}: {fault}")
        if not kept.complete:
            return RecordWorkNotKept(slot_id, " ".join(kept.notes))
        diff = await text(kept.diff)
        event = WorkKept(kept.branch, kept.base, kept.head, kept.files_changed, diff, remove, kept.notes)
        return RecordWorkKept(slot_id, event)

    def _keep(self, slot_id: str, remove: bool) -> Kept:
        return self._workplaces.remove(slot_id) if remove else self._workplaces.keep(slot_id)
