"""What a new owner makes good before it starts slots: what the last one left open, or lost."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path

from claude_pool.domain import pool, slot, task
from claude_pool.domain.coordination import Recover
from claude_pool.domain.isolation import Workplaces
from claude_pool.domain.prices import PriceList
from claude_pool.domain.records import Actor
from claude_pool.domain.values import End, Outcome, TaskSpec, Transcript

from .claude.meter import BYTES_PER_TOKEN, Asked
from .claude.settlement import settle_transcript
from .origins import Origin
from .service import Service
from .store.blobs import DAY_MS
from .store.opening import Store
from .system import System, wall_ms

_log = logging.getLogger(__name__)

RECOVERY = Origin(Actor.RECOVERY)


async def note_rollback(service: Service, store: Store, system: System) -> None:
    """Put on record that acknowledged events are lost, where that was accepted."""
    if store.rolled_back is not None:
        lost = pool.AcceptRollback(store.rolled_back.position, store.log.head().position, system.now())
        await service.handle(lost, RECOVERY)


async def close_open_work(service: Service, store: Store, system: System, prices: PriceList) -> None:
    """Close in one append what the last owner left open, each attempt at what its transcript shows."""
    seen: dict[str, Outcome] = {}
    for task_id in service.world.running:
        state = service.world.tasks[task_id]
        if isinstance(state, task.Running):
            attempt = task.live_attempt_id(state)
            seen[attempt] = _seen(store.transcripts / f"{attempt}.jsonl", prices, state.job.spec)
    await service.handle(Recover(seen, system.now()), RECOVERY)


def _seen(transcript: Path, prices: PriceList, spec: TaskSpec) -> Outcome:
    if not transcript.exists():
        return Outcome(End.INTERRUPTED)
    options = spec.options
    asked = Asked(options.model, options.permission_mode, spec.prompt.size // BYTES_PER_TOKEN)
    settled, meter = settle_transcript(transcript, prices, asked)
    content = transcript.read_bytes()
    evidence = Transcript(len(content), hashlib.sha256(content).hexdigest())
    return Outcome(
        End.INTERRUPTED,
        cost=settled.cost,
        estimated=True,
        tokens=settled.tokens,
        model=meter.model,
        transcript=evidence,
        context=meter.context,
        unpriced=settled.unpriced,
    )


async def sweep_texts(service: Service, store: Store) -> None:
    """Remove the texts that no event names, but for those of the last day."""
    await service.on_log(
        lambda: store.texts.sweep(store.index.blobs(), older_than_ms=DAY_MS, now_ms=wall_ms())
    )


async def sweep_workplaces(service: Service, workplaces: Workplaces) -> None:
    """Keep and take away the copies of repositories that no live chain or slot works in any more."""
    slots = [
        slot_id
        for slot_id, at in service.world.slots.items()
        if not (isinstance(at, slot.Stopped) and at.retired)
    ]
    for swept in await asyncio.to_thread(workplaces.sweep, {*service.world.chains, *slots}):
        if swept.removed:
            _log.info("the orphan %s was taken away; its work is on %s", swept.name, swept.branch)
        else:
            _log.warning("the orphan %s stays: %s", swept.name, swept.problem)
