"""What processes and repositories do in a course: as in the record, or as it typically went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from claude_pool.domain import chain, slot
from claude_pool.domain.chain_events import (
    WorkKept,
    WorkplaceRefused,
)
from claude_pool.domain.coordination import Command
from claude_pool.domain.housing import (
    RecordWorkKept,
    RecordWorkNotKept,
    RecordWorkplaceFailed,
    RecordWorkplaceMade,
)
from claude_pool.domain.isolation import Workplace
from claude_pool.domain.slot_events import ProcessEnded
from claude_pool.domain.values import Text
from claude_pool.domain.workplace_events import WorkKept as SlotWorkKept
from claude_pool.domain.workplace_events import WorkplaceMade

from .record import Ceased
from .scene import Scene


class Effects:
    """The effects that are under way, one a slot."""

    def __init__(self, scene: Scene) -> None:
        """What is asked for ends on the agenda of `scene`."""
        self._scene = scene
        self._effects: dict[str, int] = {}
        self._marks = 0
        self._counts: dict[tuple[str, str], int] = {}
        self._clear_like, self._stop_like = _typical(scene.record.clears), _typical(scene.record.stopped)

    def lose(self) -> None:
        """The owner is gone, and all that was under way."""
        self._effects.clear()

    def give_up(self, slot_id: str) -> None:
        """What the slot has under way does not end any more."""
        self._effects.pop(slot_id, None)

    def _later(self, slot_id: str, ms: int | None, ends: Callable[[], Command]) -> None:
        """The slot's effect ends in `ms` (None: never), unless something else has ended it by then."""
        self._marks += 1
        mark = self._effects[slot_id] = self._marks

        def end() -> None:
            if self._effects.get(slot_id) == mark and self._scene.owner is not None:
                del self._effects[slot_id]
                self._scene.owner.tell(ends())

        if ms is not None:
            self._scene.at(self._scene.time.ms + ms, end)

    def _count(self, kind: str, stream: str) -> int:
        """Which one it is of its kind there: 0, 1, 2 …"""
        number = self._counts.get((kind, stream), 0)
        self._counts[kind, stream] = number + 1
        return number

    def launch(self, slot_id: str, number: int) -> None:
        """Start process `number` of the slot."""
        known = self._scene.record.launches.get(slot_id, {}).get(number)
        failed = None if known is None else known.failed

        def ends() -> Command:
            if failed is not None:
                return slot.RecordLaunchFailed(
                    slot_id, number, failed.code, failed.problem, self._scene.time.ms
                )
            return slot.RecordLaunched(slot_id, number, 1, "")

        self._later(slot_id, self._scene.answers.launch_ms if known is None else known.ms, ends)

    def clear(self, slot_id: str) -> None:
        """Clear the conversation of the slot."""
        known = self._scene.record.clears.get(slot_id, [])
        number = self._count("clear", slot_id)
        found = known[number] if number < len(known) else self._clear_like

        def ends() -> Command:
            if found.ended is not None:
                return self._gone(slot_id, found.ended)
            return slot.RecordCleared(slot_id, found.session or f"cleared-{slot_id}-{number}")

        self._later(slot_id, found.ms, ends)

    def end_process(self, slot_id: str) -> None:
        """End the process of the slot."""
        known = self._scene.record.stopped.get(slot_id, [])
        number = self._count("stop", slot_id)
        found = known[number] if number < len(known) else self._stop_like
        over = found.ended or ProcessEnded(0, True, 0, 0, "", 0)
        self._later(slot_id, found.ms, lambda: replace(self._gone(slot_id, over), expected=True))

    def _gone(self, slot_id: str, ended: ProcessEnded) -> slot.RecordProcessEnded:
        return slot.RecordProcessEnded(
            slot_id, ended.expected, ended.exit_code, ended.killed, ended.problem, self._scene.time.ms
        )

    def exit(self, slot_id: str, ended: ProcessEnded) -> None:
        """An idle process ended by itself."""
        owner = self._scene.owner
        if owner is not None and isinstance(owner.world.slots.get(slot_id), slot.Idle):
            owner.tell(self._gone(slot_id, ended))

    def house(self, slot_id: str) -> None:
        """Make a work tree for the slot, or find it."""
        known = self._scene.record.housed.get(slot_id, [])
        number = self._count("house", slot_id)
        ms, event = known[min(number, len(known) - 1)] if known else (0, None)

        def ends() -> Command:
            if event is None:
                path = f"/worktrees/{slot_id}"
                made = Workplace(slot_id, "worktree", path, path, "", slot_id, "", None)
                return RecordWorkplaceMade(slot_id, made)
            if isinstance(event, WorkplaceMade):
                return RecordWorkplaceMade(slot_id, event.workplace)
            return RecordWorkplaceFailed(slot_id, event.code, event.problem, self._scene.time.ms)

        self._later(slot_id, ms, ends)

    def keep(self, slot_id: str, remove: bool) -> None:
        """Keep what lies in the work tree of the slot."""
        known = self._scene.record.kept.get(slot_id, [])
        number = self._count("keep", slot_id)
        ms, event = known[min(number, len(known) - 1)] if known else (0, None)

        def ends() -> Command:
            if isinstance(event, SlotWorkKept):
                return RecordWorkKept(slot_id, replace(event, removed=remove))
            if event is not None:
                return RecordWorkNotKept(slot_id, event.problem)
            return RecordWorkNotKept(slot_id, "")

        self._later(slot_id, ms, ends)

    def copy(self, chain_id: str) -> None:
        """Make the copy of a repository that a chain waits for."""
        ms, made = self._scene.record.copies.get(chain_id, (0, None))
        made = made or WorkplaceRefused("isolation_failed", "The record does not tell of its copy.")
        self._tell_later(ms, lambda: chain.RecordWorkplace(chain_id, made, self._scene.time.ms))

    def close(self, chain_id: str) -> None:
        """Keep what a chain left in its copy."""
        ms, kept = self._scene.record.closings.get(chain_id, (0, None))
        found = kept or WorkKept(chain_id, "kept", 0, Text())
        self._tell_later(ms, lambda: chain.RecordWorkKept(chain_id, found))

    def _tell_later(self, ms: int, ends: Callable[[], Command]) -> None:
        owner = self._scene.owner

        def end() -> None:
            if self._scene.owner is not None and self._scene.owner is owner:
                self._scene.owner.tell(ends())

        self._scene.at(self._scene.time.ms + ms, end)


def _typical(known: Mapping[str, Sequence[Ceased]]) -> Ceased:
    """One that takes the median of what the record has."""
    times = sorted(each.ms for found in known.values() for each in found if each.ms is not None)
    return Ceased(times[len(times) // 2] if times else 0)
